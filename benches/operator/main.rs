//! What the operator takes: memory with no schedule and with a thousand, the time until a thousand schedules are as they
//! should be, and the time from a minute's beginning to the request at the receiver. A client that makes bare CronJobs and
//! pods that do nothing but connect are beside it, in turns, so that noise hits all alike.
//!
//! Everything happens on a cluster of the bench's own, where the operator has its own user and no more rights than it is
//! installed with. Nothing is asserted: numbers are for people. Run it by `make bench`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench ends where it can't go on, and says where")]

mod converge;
#[path = "../../e2e/tests/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "what only the tests need")]
mod harness;
#[path = "../shared/machine.rs"]
mod machine;
mod report;
mod subject;
mod ticks;

use std::env;
use std::path::PathBuf;
use std::process::exit;

use harness::{Cluster, Network, Own, pid_of};
use report::progress;
use subject::Subject;

const CLUSTER: &str = "bench";
const DEFAULT_SCHEDULES: usize = 1_000;
/// How often schedules and bare CronJobs take turns.
const TURNS: usize = 2;

fn main() {
    let Ok(operator) = env::var("POSTERN_OPERATOR") else {
        eprintln!("POSTERN_OPERATOR names no operator; run this by `make bench`");
        exit(2);
    };
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    let schedules = arguments.next().map_or(DEFAULT_SCHEDULES, |schedules| schedules.parse().unwrap());

    // It is taken down when this ends, however it does.
    let own = Own { name: CLUSTER.into() };
    for arguments in [&["up"][..], &["image", "e2e/images/postern-sender"]] {
        assert!(own.command(arguments).status().unwrap().success(), "cluster {arguments:?} failed");
    }
    let bench = async move || bench(Cluster::open(CLUSTER).await, operator.into(), schedules).await;
    let ended = Network::of_node(pid_of(CLUSTER)).spawn(bench).join();
    drop(own);
    exit(i32::from(ended.is_err()));
}

async fn bench(cluster: Cluster, operator: PathBuf, count: usize) {
    let mut subject = Subject::install(cluster, operator).await;
    println!("\n{}", machine::describe());

    progress("no schedule yet");
    let mut memory = vec![("no schedule".to_owned(), subject.memory().await)];
    let mut turns = Vec::new();
    for turn in 1..=TURNS {
        progress(&format!("{count} schedules, then as many bare CronJobs: turn {turn} of {TURNS}"));
        let postern = converge::schedules(&subject, count).await;
        if turn == 1 {
            memory.push((format!("{count} schedules, made while it runs"), subject.memory().await));
            subject.restart().await;
            memory.push((format!("{count} schedules, there when it starts"), subject.memory().await));
        }
        let bare = converge::bare_cron_jobs(&subject, count).await;
        converge::clear(&subject).await;
        turns.push((postern, bare));
    }
    report::memory(&memory);
    report::convergence(count, &turns);

    progress("deliveries in the even minutes, plain CronJobs in the odd ones");
    report::ticks(&ticks::measure(&subject).await);
    report::aims();
}

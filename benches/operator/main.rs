//! What the operator costs: memory with no schedule and with a thousand, the time until a thousand schedules are as they should
//! be, and the time from a minute's beginning to the request at the receiver. For comparison, there is a client that makes bare
//! CronJobs, and there are pods that only connect; they take turns with the operator, so that noise affects all alike.
//!
//! The bench has a cluster of its own, where the operator has its own user, with exactly the rights that it is installed with.
//! Nothing is asserted: people read the numbers. Run it with `make bench`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench ends where it can't go on, and says where")]

mod converge;
mod report;
mod subject;
mod ticks;

use std::env;

use postern_benches::machine;
use postern_e2e::{Cluster, DedicatedCluster};
use report::progress;
use subject::Subject;

const DEFAULT_SCHEDULES: usize = 1_000;
/// How often schedules and bare CronJobs take turns.
const TURNS: usize = 2;

fn main() {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    let schedules = arguments.next().map_or(DEFAULT_SCHEDULES, |schedules| schedules.parse().unwrap());

    progress("starting a cluster");
    DedicatedCluster::with_images("bench").run(move |cluster, _| bench(cluster, schedules));
}

async fn bench(cluster: Cluster, count: usize) {
    let mut subject = Subject::install(cluster).await;
    println!("\n{}", machine());

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

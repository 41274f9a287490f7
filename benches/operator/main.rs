//! What the operator costs: the time until ten thousand schedules are as they should be, its memory, restarts and rest with them,
//! and the time from a minute's beginning to the request at the receiver. For comparison there are a client that does nothing but
//! the same writes, an operator as controller-runtime makes them, and pods that only connect.
//!
//! The bench has clusters of its own, where the operator has its own user, with exactly the rights that it is installed with.
//! Nothing is asserted: people read the numbers. Run it with `make bench`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench ends where it can't go on, and says where")]

mod burst;
mod canaries;
mod contender;
mod converge;
mod installed;
mod process;
mod report;
mod scale;
mod schedules;
mod settled;
mod ticks;

use std::env;

use contender::Running;
use installed::Installed;
use postern_benches::machine;
use postern_e2e::DedicatedCluster;
use report::progress;
use rustix::process::Signal;
use schedules::Layout;

const DEFAULT_SCHEDULES: usize = 10_000;
/// How many schedules a namespace has where there are many namespaces.
const EACH: usize = 20;

fn main() {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    let schedules = arguments.next().map_or(DEFAULT_SCHEDULES, |schedules| schedules.parse().unwrap());
    println!("\n{}", machine());

    scale::measure(Layout { namespaces: 1, each: schedules });
    scale::measure(Layout { namespaces: schedules.div_ceil(EACH), each: EACH });

    DedicatedCluster::with_images("bench").run(|cluster, _| async move {
        let on = Installed::new(cluster).await;
        let running = Running::postern(&on).await;
        progress("deliveries in the even minutes, plain CronJobs in the odd ones");
        report::ticks(&ticks::measure(&on, &running).await);
        progress("a thousand deliveries in one minute");
        report::burst(&burst::measure(&on, ticks::NAMESPACE).await);
        running.end(Signal::TERM).await;
    });
    report::aims();
}

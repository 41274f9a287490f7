//! The numbers, for people.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use postern_e2e::Request;

use crate::burst::Burst;
use crate::contender::Contender;
use crate::converge::Converged;
use crate::process::Memory;
use crate::schedules::Layout;
use crate::settled::{Restart, Settled};
use crate::ticks::Ticks;

/// Prints what happens now.
pub(crate) fn progress(what: &str) {
    println!("… {what} (load {})", load());
}

/// How many processes wanted a core, averaged over the last minute.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

/// The heading of the contenders' rows.
pub(crate) fn contenders(layout: Layout) {
    println!(
        "\n{:<40}{:>12}{:>12}{:>10}{:>12}{:>12}",
        layout.to_string(),
        "all made, s",
        "all ready, s",
        "CPU, s",
        "peak, MiB",
        "writes each"
    );
}

/// What a contender took to bring the schedules to where they should be.
pub(crate) fn converged(layout: Layout, contender: Contender, converged: &Converged) {
    let Converged { made, ready, process, requests: all } = converged;
    let (cpu, peak) = process.map_or(("-".into(), "-".into()), |(cpu, peak)| {
        (format!("{:.1}", cpu.as_secs_f64()), format!("{:.1}", mebibytes(peak)))
    });
    let (made, ready) = (made.as_secs_f64(), ready.as_secs_f64());
    let writes = all.iter().filter(|request| request.writes() && !request.is_lease()).count();
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let writes = writes as f64 / layout.count() as f64;
    println!("  {:<38}{made:>12.1}{ready:>12.1}{cpu:>10}{peak:>12}{writes:>12.2}", contender.to_string());
    if contender == Contender::Postern {
        requests("  Postern's requests", all, layout.count());
    }
}

/// What Postern takes with all schedules there.
pub(crate) fn settled(layout: Layout, settled: &Settled) {
    let Settled { memory, restarts: [gracefully, killed], rest, tier } = settled;
    println!("\n{:<50}{:>14}{:>14}", format!("Postern with {layout}"), "resident, MiB", "peak, MiB");
    let row = |when: &str, memory: &Memory| {
        println!("  {when:<48}{:>14.1}{:>14.1}", mebibytes(memory.resident), mebibytes(memory.peak));
    };
    row("that were made while it ran", memory);
    row("that were there when it started", &gracefully.memory);
    let start = |after: &str, Restart { leads, writes, .. }: &Restart| {
        println!("  a start after {after}: leads after {:.1} s, {writes} writes", leads.as_secs_f64());
    };
    start("a graceful stop", gracefully);
    start("a kill", killed);
    if let Some(rest) = rest {
        println!(
            "  ten minutes of rest: {:.2} s of CPU, {} requests but watches and the Lease",
            rest.cpu.as_secs_f64(),
            rest.requests
        );
    }
    if let Some(tier) = tier {
        println!(
            "  a tier's change: {} CronJobs after {:.1} s; a schedule of another tier that was made meanwhile after {:.1} s",
            tier.concerned,
            tier.in_effect.as_secs_f64(),
            tier.meanwhile.as_secs_f64()
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 KiB")]
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1_024.0
}

pub(crate) fn ticks(ticks: &Ticks) {
    println!("\n{:<50}{:>9}{:>9}{:>9}{:>9}{:>9}", "from the minute, seconds", "number", "min", "p50", "p99", "max");
    row("to the request at the HTTPS receiver", &ticks.deliveries);
    row("to a plain CronJob's connection", &ticks.connections);
    println!("  CPU time of the operator: {:.2} s", ticks.cpu.as_secs_f64());
    requests("  the operator's requests for the deliveries", &ticks.requests, ticks.deliveries.len());
}

/// A thousand deliveries at once.
pub(crate) fn burst(burst: &Burst) {
    println!("\n{:<50}{:>9}{:>9}{:>9}{:>9}{:>9}", "from a pod's end, seconds", "number", "min", "p50", "p99", "max");
    row("to its outcome in the status", &burst.recorded);
    println!(
        "  all are recorded {:.0} s after their minute; at most {} writes of a status",
        burst.all_recorded.as_secs_f64(),
        burst.most_writes
    );
    println!("  requests to the API server from the minute on, by user");
    for (user, count) in &burst.requests {
        println!("    {user:<46}{count:>9}");
    }
}

fn row(name: &str, measured: &[Duration]) {
    let mut seconds: Vec<f64> = measured.iter().map(Duration::as_secs_f64).collect();
    seconds.sort_by(f64::total_cmp);
    let at = |percent: usize| seconds[(seconds.len() - 1) * percent / 100];
    let [min, p50, p99, max] = [0, 50, 99, 100].map(at);
    println!("  {name:<48}{:>9}{min:>9.2}{p50:>9.2}{p99:>9.2}{max:>9.2}", seconds.len());
}

/// The requests to the API server, and how many there were for each schedule.
fn requests(title: &str, requests: &[Request], each: usize) {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for request in requests.iter().filter(|request| !request.is_lease()) {
        *counts.entry(format!("{} {} {}", request.verb, request.resource, request.code)).or_default() += 1;
    }
    println!("{title:<50}{:>9}{:>12}", "number", "for each");
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    for (request, count) in counts {
        println!("    {request:<46}{count:>9}{:>12.2}", f64::from(count) / each as f64);
    }
}

pub(crate) fn aims() {
    println!(
        "\nWhat to look at: two writes for each schedule, and hardly more time for them than a client without watches takes; \
         memory that grows by at most 6 KiB a schedule; deliveries that come as soon after the minute as Kubernetes starts a \
         pod at all."
    );
}

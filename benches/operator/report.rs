//! The numbers, for people.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use postern_e2e::Request;

use crate::converge::Converged;
use crate::subject::Memory;
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

pub(crate) fn memory(measured: &[(String, Memory)]) {
    println!("\n{:<50}{:>14}{:>14}", "the operator's memory, MiB", "resident", "peak");
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 KiB")]
    let mebibytes = |kibibytes: u64| kibibytes as f64 / 1_024.0;
    for (when, memory) in measured {
        println!("  {when:<48}{:>14.1}{:>14.1}", mebibytes(memory.resident), mebibytes(memory.peak));
    }
}

pub(crate) fn convergence(count: usize, turns: &[(Converged, Duration)]) {
    let numbers: Vec<String> = (1..=turns.len()).map(|turn| format!("{:>12}", format!("turn {turn}"))).collect();
    println!("\n{:<50}{}", format!("{count} schedules, seconds"), numbers.concat());
    let row = |name: &str, number: &dyn Fn(&(Converged, Duration)) -> Duration| {
        let numbers: Vec<String> = turns.iter().map(|turn| format!("{:>12.2}", number(turn).as_secs_f64())).collect();
        println!("  {name:<48}{}", numbers.concat());
    };
    row("first POST to last schedule made", &|(postern, _)| postern.made);
    row("first POST to last CronJob there and ready", &|(postern, _)| postern.ready);
    row("as many bare CronJobs, by a client", &|(_, bare)| *bare);
    row("CPU time of the operator", &|(postern, _)| postern.cpu);
    if let Some((first, _)) = turns.first() {
        requests("  the operator's requests, turn 1", &first.requests, count);
    }
}

pub(crate) fn ticks(ticks: &Ticks) {
    println!("\n{:<50}{:>9}{:>9}{:>9}{:>9}{:>9}", "from the minute, seconds", "number", "min", "p50", "p99", "max");
    row("to the request at the HTTPS receiver", &ticks.deliveries);
    row("to a plain CronJob's connection", &ticks.connections);
    println!("  CPU time of the operator: {:.2} s", ticks.cpu.as_secs_f64());
    requests("  the operator's requests for the deliveries", &ticks.requests, ticks.deliveries.len());
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
        "\nWhat to look at: two writes for each schedule, and as many seconds as they take; memory that grows by some 6 KiB a \
         schedule; deliveries that come as soon after the minute as Kubernetes starts a pod at all."
    );
}

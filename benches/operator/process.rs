//! What a process uses of the machine (proc(5)).

use std::fs;
use std::time::Duration;

/// How much memory a process has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// The resident KiB now.
    pub(crate) resident: u64,
    /// The most KiB that were resident at any time.
    pub(crate) peak: u64,
}

/// The process's memory now.
pub(crate) fn memory(pid: u32) -> Memory {
    let status = read(pid, "status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
    };
    Memory { resident: field("VmRSS"), peak: field("VmHWM") }
}

/// The CPU time that a process has used so far, user and system, to the hundredth of a second.
pub(crate) fn cpu(pid: u32) -> Duration {
    let stat = read(pid, "stat");
    // The text in parentheses is the process's name; utime and stime are the fields 14 and 15.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// Waits until a process has nothing to do.
pub(crate) async fn rest(pid: u32) {
    let mut before = cpu(pid);
    loop {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let now = cpu(pid);
        if now.saturating_sub(before) <= Duration::from_millis(20) {
            return;
        }
        before = now;
    }
}

fn read(pid: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap()
}

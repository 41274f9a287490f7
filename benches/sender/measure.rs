//! One run of one program, under a parent of its own.
//!
//! The kernel keeps the peak memory of a parent's children as one maximum, so each run has a parent of its own: this bench,
//! started again. The parent starts the program, waits for it, and prints what it cost.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};

use crate::receiver::Receiver;

/// The first argument that makes this program the parent of one run.
pub(crate) const ARGUMENT: &str = "measure";

/// What one run cost.
pub(crate) struct Measurement {
    /// The time from before the process was made until it was gone.
    pub(crate) wall: Duration,
    /// The time from before the process was made until the receiver had its connection.
    pub(crate) syn: Duration,
    /// CPU time, user and system.
    pub(crate) cpu: Duration,
    /// The most memory that was resident, in KiB.
    pub(crate) resident: u64,
}

/// The monotonic clock, which all processes share.
pub(crate) fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap().into()
}

pub(crate) fn measure(command: &[String], receiver: &Receiver) -> Measurement {
    let output = Command::new(env::current_exe().unwrap())
        .arg(ARGUMENT)
        .args(command)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{} failed", command[0]);
    let numbers: Vec<u64> =
        String::from_utf8(output.stdout).unwrap().split_whitespace().map(|number| number.parse().unwrap()).collect();
    let [started, ended, cpu, resident] = numbers[..] else {
        panic!("the measurer says start, end, CPU and memory");
    };
    let since_start = |then: Duration| then.saturating_sub(Duration::from_nanos(started));
    Measurement {
        wall: since_start(Duration::from_nanos(ended)),
        syn: since_start(receiver.only_connection()),
        cpu: Duration::from_micros(cpu),
        resident,
    }
}

/// Runs the command and prints what it cost: nanoseconds of its start and its end, microseconds of CPU, KiB of memory.
pub(crate) fn be_measurer(command: &[String]) {
    let mut run = Command::new(&command[0]);
    run.args(&command[1..])
        .env_clear()
        // This changes nothing, but makes the library fork instead of sharing this process's memory with the child until the
        // child runs the program: the kernel would count that memory as the child's peak.
        .gid(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let started = now();
    let status = run.status().unwrap();
    let ended = now();
    assert!(status.success(), "{} ended with {status}", command[0]);
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let cpu = usage.user_time() + usage.system_time();
    println!("{} {} {} {}", started.as_nanos(), ended.as_nanos(), cpu.num_microseconds(), usage.max_rss());
}

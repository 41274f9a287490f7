//! The sender compared with `curl`: the same signed POST to the same TLS receiver, in turns, so that noise affects both alike.
//!
//! Everything happens in the bench's own network and mount namespaces, where the receiver has port 443 and the DNS server port 53
//! of the loopback interface. Nothing is asserted: people read the numbers. Run it with `make bench`.

#![allow(clippy::unwrap_used, reason = "a bench ends where it can't go on, and says where")]

mod dns;
mod measure;
mod programs;
mod receiver;
mod report;

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, exit};

use measure::{Measurement, measure};
use postern_e2e::program;
use programs::Programs;
use receiver::Receiver;

/// Set inside the namespaces, where the bench starts itself again.
const INSIDE: &str = "POSTERN_BENCH_INSIDE";
const DEFAULT_RUNS: usize = 200;
/// How many first runs are not counted: they fill the page cache.
const WARM_UP: usize = 5;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [first, command @ ..] = arguments.as_slice()
        && first == measure::ARGUMENT
    {
        return measure::be_measurer(command);
    }
    let sender = program("postern-sender");
    if !sender.exists() {
        eprintln!("there is no {}; run this by `make bench`", sender.display());
        exit(2);
    }
    if env::var_os(INSIDE).is_none() {
        exit(start_inside(&arguments));
    }
    let runs = arguments.first().map_or(DEFAULT_RUNS, |runs| runs.parse().unwrap());
    bench(&sender, runs);
}

/// Starts the bench in namespaces where it may bind any port and has a `resolv.conf` of its own.
fn start_inside(arguments: &[String]) -> i32 {
    let folder = tempfile::tempdir().unwrap();
    let resolv_conf = folder.path().join("resolv.conf");
    fs::write(&resolv_conf, format!("nameserver {}\n", dns::SERVER)).unwrap();
    let script = r#"ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@""#;
    let status = Command::new("unshare")
        .args(["--map-root-user", "--net", "--mount", "sh", "-c", script, "sh"])
        .arg(&resolv_conf)
        .arg(env::current_exe().unwrap())
        .args(arguments)
        .env(INSIDE, "1")
        .status();
    status.ok().and_then(|status| status.code()).unwrap_or_else(|| {
        eprintln!("unshare (Debian package util-linux) can't be run");
        1
    })
}

fn bench(sender: &Path, runs: usize) {
    let receiver = Receiver::start();
    dns::start();
    report::machine();
    report::sizes(sender);
    println!("\n{runs} runs each, in turns: median (p99)");
    for (title, host) in [
        ("URL with an address", receiver::ADDRESS),
        ("URL with a name (A and AAAA asked over loopback)", receiver::NAME),
    ] {
        let programs = Programs::new(sender, host, &receiver.ca_pem);
        let mut measured: [Vec<Measurement>; 2] = [Vec::new(), Vec::new()];
        for run in 0..WARM_UP + runs {
            for (command, into) in programs.commands().iter().zip(&mut measured) {
                let measurement = measure(command, &receiver);
                if run >= WARM_UP {
                    into.push(measurement);
                }
            }
        }
        report::table(title, &measured);
    }
    report::aims();
}

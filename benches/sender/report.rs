//! The numbers, for people.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::measure::Measurement;
use crate::programs::NAMES;

/// Prints which machine the numbers were taken on.
pub(crate) fn machine() {
    println!("{}", postern_benches::machine());
    let curl = Command::new("curl").arg("--version").output().unwrap();
    let curl = String::from_utf8_lossy(&curl.stdout);
    println!("{}", curl.lines().next().unwrap_or_default());
}

/// Prints the binary's size: the image holds almost nothing else.
pub(crate) fn sizes(sender: &Path) {
    let binary = fs::read(sender).unwrap();
    let mut gzip =
        Command::new("gzip").args(["-9", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut into = gzip.stdin.take().unwrap();
    let length = binary.len();
    let writer = thread::spawn(move || into.write_all(&binary));
    let compressed = gzip.wait_with_output().unwrap().stdout.len();
    writer.join().unwrap().unwrap();
    println!("the sender's binary: {length} bytes, {compressed} compressed (gzip -9)");
}

pub(crate) fn table(title: &str, measured: &[Vec<Measurement>; 2]) {
    println!("\n{:<52}{:>20}{:>20}", title, NAMES[0], NAMES[1]);
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1_000.0;
    row("start to exit, ms", measured, |run| milliseconds(run.wall));
    row("start to connection, ms", measured, |run| milliseconds(run.syn));
    row("CPU (user and system), ms", measured, |run| milliseconds(run.cpu));
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 KiB")]
    row("peak resident memory, MiB", measured, |run| run.resident as f64 / 1_024.0);
}

fn row(name: &str, measured: &[Vec<Measurement>; 2], number: impl Fn(&Measurement) -> f64) {
    let [sender, curl] = measured.each_ref().map(|runs| {
        let mut numbers: Vec<f64> = runs.iter().map(&number).collect();
        numbers.sort_by(f64::total_cmp);
        let at = |percent: usize| numbers[(numbers.len() - 1) * percent / 100];
        format!("{:.2} ({:.2})", at(50), at(99))
    });
    println!("  {name:<50}{sender:>20}{curl:>20}");
}

pub(crate) fn aims() {
    println!(
        "\nThe sender's aims: at most 4 MB, 2 MB compressed; connection 2 ms after the start, and the time of the DNS; \
        6 MB of memory; start to exit faster than curl."
    );
}

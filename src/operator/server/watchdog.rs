//! Ends a process whose runtime hangs, so that the kubelet starts it anew.
//!
//! This takes the place of a liveness probe. A probe asks over a listener, and whoever can keep that listener busy can
//! have a healthy process restarted. The watchdog asks nobody: a task adds one to a counter each second, and a thread
//! beside the runtime looks whether it does.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{process, thread};

use tokio::time::sleep;

/// Between two beats, and between two looks at them.
const INTERVAL: Duration = Duration::from_secs(1);
/// So many looks in a row without a beat, a minute's, end the process.
const LOOKS: u32 = 60;
/// The process's exit code then: `EX_SOFTWARE` of `sysexits.h`. Any other failure is 1.
const EXIT_CODE: i32 = 70;
/// The log must not keep a process that is to end: whatever hangs may hold standard error.
const TIME_TO_LOG: Duration = Duration::from_secs(1);

/// Shows that the runtime works. A thread watches it from the start.
pub(crate) struct Watchdog(Arc<AtomicU64>);

impl Watchdog {
    /// Starts the thread. Call it before the runtime runs.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start() -> std::io::Result<Self> {
        let beats = Arc::new(AtomicU64::new(0));
        let watched = Arc::clone(&beats);
        thread::Builder::new().name("watchdog".into()).spawn(move || {
            until_silent(&watched, INTERVAL);
            end();
        })?;
        Ok(Self(beats))
    }

    /// Beats for as long as the runtime runs it.
    pub(crate) async fn beat(self) -> Infallible {
        loop {
            self.0.fetch_add(1, Ordering::Relaxed);
            sleep(INTERVAL).await;
        }
    }
}

/// Returns when no beat came for [`LOOKS`] looks. It counts looks and no time: while the whole process is stopped (a
/// frozen cgroup, a paused machine), nobody looks either.
fn until_silent(beats: &AtomicU64, interval: Duration) {
    let (mut last, mut missed) = (None, 0);
    while missed < LOOKS {
        thread::sleep(interval);
        let now = Some(beats.load(Ordering::Relaxed));
        missed = if now == last { missed + 1 } else { 0 };
        last = now;
    }
}

fn end() -> ! {
    let log = thread::Builder::new().spawn(|| {
        tracing::error!("the runtime has hung for {LOOKS} seconds; the process ends, to begin anew. Please report it");
    });
    if let Ok(log) = log {
        let until = std::time::Instant::now() + TIME_TO_LOG;
        while !log.is_finished() && std::time::Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
    }
    process::exit(EXIT_CODE)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Short enough for a test; what counts is how many there are.
    const LOOK: Duration = Duration::from_millis(10);

    /// A watch of these beats, and what tells that it has ended.
    fn watch(beats: &Arc<AtomicU64>) -> mpsc::Receiver<()> {
        let (ended, is_ended) = mpsc::channel();
        let watched = Arc::clone(beats);
        thread::spawn(move || {
            until_silent(&watched, LOOK);
            ended.send(()).unwrap();
        });
        is_ended
    }

    #[test]
    fn a_runtime_that_hangs_is_noticed() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let beats = Arc::new(AtomicU64::new(0));
        let is_ended = watch(&beats);
        runtime.block_on(async {
            tokio::spawn(Watchdog(Arc::clone(&beats)).beat());
            tokio::task::yield_now().await;
            assert_eq!(beats.load(Ordering::Relaxed), 1);
            // The only thread of the runtime waits here, as it would for a lock that nobody gives back.
            is_ended.recv_timeout(Duration::from_mins(1)).unwrap();
        });
    }

    #[test]
    fn a_runtime_that_works_is_left_alone() {
        let beats = Arc::new(AtomicU64::new(0));
        let is_ended = watch(&beats);
        // For longer than the silence that would end it.
        for _ in 0..2 * LOOKS {
            beats.fetch_add(1, Ordering::Relaxed);
            thread::sleep(LOOK);
            assert_eq!(is_ended.try_recv(), Err(mpsc::TryRecvError::Empty));
        }
    }
}

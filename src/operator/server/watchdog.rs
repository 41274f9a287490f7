//! Runs the process's runtimes, and ends the process when one hangs, so that the kubelet restarts it.
//!
//! It replaces a liveness probe. A probe needs a listener, and anyone who can keep that listener busy can have a healthy
//! process restarted. The watchdog needs no listener: on each runtime, a task increments a counter once a second, and a thread
//! beside the runtime checks that it does.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use std::{io, process, thread};

use tokio::sync::oneshot;
use tokio::time::sleep;

/// The time between two beats, and between two checks.
const INTERVAL: Duration = Duration::from_secs(1);
/// After this many checks in a row without a beat, which take a minute, the process ends.
const LOOKS: u32 = 60;
/// The exit code then: `EX_SOFTWARE` of `sysexits.h`. Any other failure exits with 1.
const EXIT_CODE: i32 = 70;
/// How long logging may take: the log must not block a process that has to end, and a hanging thread may hold standard error.
const TIME_TO_LOG: Duration = Duration::from_secs(1);

/// Runs this on the calling thread, on a new runtime that is watched until it has ended.
///
/// # Errors
/// When the system can't start a thread or a runtime.
pub(crate) fn block_on<F: Future>(work: F) -> io::Result<F::Output> {
    let thread = thread::current().name().unwrap_or_default().to_owned();
    watched(work, INTERVAL, move || end(&thread))
}

/// Runs this like [`block_on`] on a new thread with this name, and waits for the result. The work itself must make whatever
/// depends on a runtime. A caller that stops waiting has to end the work itself.
///
/// # Errors
/// When the system can't start a thread or a runtime.
pub(crate) async fn on_thread<T: Send + 'static>(
    name: &str,
    work: impl AsyncFnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, is_done) = oneshot::channel();
    thread::Builder::new().name(name.into()).spawn(move || {
        // The receiver may have stopped waiting.
        let _ = done.send(block_on(work()));
    })?;
    is_done.await.map_err(io::Error::other)?
}

fn watched<F: Future>(work: F, interval: Duration, hangs: impl FnOnce() + Send + 'static) -> io::Result<F::Output> {
    let beats = Arc::new(AtomicU64::new(0));
    let looked_at = Arc::downgrade(&beats);
    thread::Builder::new().name("watchdog".into()).spawn(move || {
        if falls_silent(&looked_at, interval) {
            hangs();
        }
    })?;
    // Drop the runtime before its beats end, so that a runtime that hangs while it is dropped is noticed.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        tokio::select! {
            never = beat(&beats, interval) => match never {},
            done = work => done,
        }
    }))
}

/// Beats as long as the runtime runs this task.
async fn beat(beats: &AtomicU64, interval: Duration) -> Infallible {
    loop {
        beats.fetch_add(1, Ordering::Relaxed);
        sleep(interval).await;
    }
}

/// Checks until no beat came for [`LOOKS`] checks, or until the counter is dropped; returns whether it was the former. It
/// counts checks, not time: while the whole process is stopped (a frozen cgroup, a paused machine), nothing checks either.
fn falls_silent(beats: &Weak<AtomicU64>, interval: Duration) -> bool {
    let (mut last, mut missed) = (None, 0);
    while missed < LOOKS {
        thread::sleep(interval);
        let Some(beats) = beats.upgrade() else { return false };
        let now = Some(beats.load(Ordering::Relaxed));
        missed = if now == last { missed + 1 } else { 0 };
        last = now;
    }
    true
}

fn end(hanging: &str) -> ! {
    let hanging = hanging.to_owned();
    let log = thread::Builder::new().spawn(move || {
        tracing::error!(
            thread = hanging,
            "a thread has hung for {LOOKS} seconds; the process exits to restart. Please report it"
        );
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
    use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};

    use super::*;

    /// Short enough for a test; only the number of checks matters.
    const LOOK: Duration = Duration::from_millis(10);
    /// How long something may take that should happen at once.
    const PATIENCE: Duration = Duration::from_mins(1);

    #[test]
    fn a_runtime_that_hangs_is_noticed() {
        let (noticed, is_noticed) = mpsc::channel();
        // The only thread of the runtime blocks here, as it would on a lock that nobody releases.
        let work = async { is_noticed.recv_timeout(PATIENCE) };
        assert_eq!(watched(work, LOOK, move || noticed.send(()).unwrap()).unwrap(), Ok(()));
    }

    #[test]
    fn a_runtime_that_works_is_left_alone() {
        let (noticed, is_noticed) = mpsc::channel();
        // Longer than the silence that would end it.
        let work = async {
            sleep(2 * LOOKS * LOOK).await;
            is_noticed.try_recv()
        };
        assert_eq!(watched(work, LOOK, move || noticed.send(()).unwrap()).unwrap(), Err(TryRecvError::Empty));
    }

    #[test]
    fn a_runtime_that_has_ended_is_no_longer_watched() {
        let (noticed, is_noticed) = mpsc::channel::<()>();
        watched(async {}, LOOK, move || noticed.send(()).unwrap()).unwrap();
        assert_eq!(is_noticed.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    }

    #[tokio::test]
    async fn work_on_a_thread_of_its_own_may_block_it() {
        let (unblock, is_unblocked) = mpsc::channel();
        let work = on_thread("work", async move || {
            is_unblocked.recv_timeout(PATIENCE).map(|()| thread::current().name().map(str::to_owned))
        });
        let other = async { unblock.send(()).unwrap() };
        let (worked, ()) = tokio::join!(work, other);
        assert_eq!(worked.unwrap(), Ok(Some("work".into())));
    }
}

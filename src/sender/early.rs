//! What a sender does that was started before its delivery is due (`leadSeconds`): it waits by the wall clock, and has a
//! connection open by then. Before that, it sends nothing of HTTP.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use super::attempt::{Opened, Trace, open};
use super::prepare::Prepared;

/// How long before the delivery is due the name is looked up and the connection opened. Receivers close silent connections.
const OPENED_BEFORE: Duration = Duration::from_secs(1);
/// How long to sleep at most before looking at the clock again.
const STEP: Duration = Duration::from_millis(100);

/// Waits until the wall clock shows this time. If the clock is set meanwhile, the wait becomes shorter or longer. For a time that
/// has passed it sets no timer: even one that is over takes a millisecond.
pub(super) async fn until(time: SystemTime) {
    until_by(SystemTime::now, time).await;
}

async fn until_by(clock: impl Fn() -> SystemTime, time: SystemTime) {
    loop {
        let left = time.duration_since(clock()).unwrap_or_default();
        if left.is_zero() {
            return;
        }
        sleep(left.min(STEP)).await;
    }
}

/// Opens a connection shortly before the delivery is due, and returns it when the delivery is due.
///
/// `None` if it wasn't open by then, or if the receiver sent something or ended it: whatever was wrong, a new connection at the
/// due time is looked up, judged and made anew, and its failure is the one that counts.
pub(super) async fn connection(prepared: &Prepared, due: SystemTime) -> Option<Opened> {
    until(due - OPENED_BEFORE).await;
    let id = &prepared.blueprint.id;
    let dns = prepared.resolver.clone().in_attempts_of(OPENED_BEFORE);
    let deadline = Instant::now() + OPENED_BEFORE;
    let mut trace = Trace::default();
    let opened = tokio::select! {
        biased;
        () = until(due) => return None,
        opened = open(prepared, &dns, deadline, &mut trace) => opened,
    };
    let mut conversation = opened
        .inspect_err(|failure| {
            tracing::info!(delivery = %id, reason = %failure.reason, "could not connect before the delivery is due");
        })
        .ok()?;
    tokio::select! {
        biased;
        () = conversation.receiver_acts() => {
            tracing::info!(delivery = %id, "the receiver didn't wait for the request; another connection will be made");
            None
        }
        () = until(due) => Some(Opened { conversation, trace }),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};
    use std::time::UNIX_EPOCH;

    use super::*;

    const DUE: Duration = Duration::from_mins(1);
    const TEN: Duration = Duration::from_secs(10);

    /// What a clock shows after so much time.
    type Clock = fn(Duration) -> Duration;

    /// How long the wait for [`DUE`] takes, in milliseconds.
    async fn waited(clock: Clock) -> u128 {
        let begun = Instant::now();
        until_by(|| UNIX_EPOCH + clock(begun.elapsed()), UNIX_EPOCH + DUE).await;
        assert!(clock(begun.elapsed()) >= DUE, "it ended at {:?} by the clock", clock(begun.elapsed()));
        begun.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_ends_when_the_clock_says_so_however_it_is_set_meanwhile() {
        let cases: [(&str, Clock, u128); 5] = [
            ("is right", |passed| passed, 60_000),
            ("is too slow", |passed| passed * 99 / 100, 60_607),
            ("is set back", |passed| if passed < TEN { passed } else { passed.saturating_sub(TEN) }, 70_000),
            ("is set ahead", |passed| if passed < TEN { passed } else { passed + TEN }, 50_000),
            ("is set to a later time", |passed| if passed < TEN { passed } else { passed + DUE }, 10_000),
        ];
        for (clock, shown, expected) in cases {
            let waited = waited(shown).await;
            assert!((expected..=expected + STEP.as_millis()).contains(&waited), "the clock {clock}: {waited} ms");
        }
    }

    #[tokio::test]
    async fn what_is_due_waits_for_no_timer() {
        let wait = pin!(until(SystemTime::now()));
        assert!(wait.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
}

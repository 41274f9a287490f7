//! Waits for what a cluster does in its own time.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Ends a test that hangs. It doesn't say how long a wait should take: some take two minutes on an idle machine.
const LIMIT: Duration = Duration::from_mins(5);

/// Calls `attempt` until it returns a value, and returns that. The longer this takes, the less often it is called.
///
/// # Panics
/// After five minutes, with the last reason why there was no value.
pub async fn eventually<T, E: Debug>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T, E>) -> T {
    let began = Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(reason) => assert!(began.elapsed() < LIMIT, "waited {LIMIT:?} for {what}: {reason:?}"),
        }
        let pause = began.elapsed() / 8;
        tokio::time::sleep(pause.clamp(Duration::from_millis(20), Duration::from_secs(1))).await;
    }
}

//! Waiting for what a cluster does in its own time.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// No measure: it only ends what hangs. Some of what is waited for takes two minutes on a machine without load.
const LIMIT: Duration = Duration::from_mins(5);

/// Calls `attempt` until it gives a value, and returns that. What takes longer is asked for less often.
///
/// # Panics
/// After five minutes, with the last reason why there was none.
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

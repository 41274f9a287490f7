//! Waiting for what a cluster does in its own time.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Calls `attempt` until it gives a value, and returns that.
///
/// # Panics
/// After two minutes, with the last reason why there was none. The limit is no measure: it only ends what hangs.
pub async fn eventually<T, E: Debug>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T, E>) -> T {
    let end = Instant::now() + Duration::from_mins(2);
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(reason) => assert!(Instant::now() < end, "waited two minutes for {what}: {reason:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

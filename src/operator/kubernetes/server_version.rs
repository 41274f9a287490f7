//! Which version of Kubernetes the API server is.

use kube::Client;
use tokio::time::sleep;

use super::backoff::Backoff;

/// The minor version of the API server; `None` when it refuses to say, or says something unknown. Retries until it answers.
pub(crate) async fn minor_version(client: &Client) -> Option<u32> {
    let failures = Backoff::default();
    loop {
        match client.apiserver_version().await {
            Ok(version) => return minor(&version.major, &version.minor),
            Err(kube::Error::Api(status)) if (400..500).contains(&status.code) && status.code != 429 => {
                tracing::warn!(code = status.code, "the API server refuses to say its version");
                return None;
            }
            Err(error) => tracing::warn!(%error, "the API server doesn't say its version; asking again"),
        }
        sleep(failures.wait("")).await;
    }
}

/// Providers write 37+ for their own builds of 1.37. A Kubernetes 2 would be another matter.
fn minor(major: &str, minor: &str) -> Option<u32> {
    let digits = minor.trim_end_matches(|character: char| !character.is_ascii_digit());
    digits.parse().ok().filter(|_| major == "1")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;
    use crate::operator::test_support::fake_api;

    #[test]
    fn reads_the_minor_version_as_providers_write_it() {
        for (major, text, number) in
            [("1", "37", Some(37)), ("1", "37+", Some(37)), ("1", "", None), ("1", "x", None), ("2", "0", None)]
        {
            assert_eq!(minor(major, text), number, "{major}.{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_fails_is_asked_again_and_one_that_refuses_is_not() {
        for (first, asked, version) in [(200, 1, Some(36)), (503, 2, Some(36)), (429, 2, Some(36)), (403, 1, None)] {
            let count = std::sync::Arc::new(AtomicUsize::new(0));
            let counted = std::sync::Arc::clone(&count);
            let client = fake_api::client(move |_| {
                let code = if counted.fetch_add(1, Ordering::Relaxed) == 0 { first } else { 200 };
                let platform = json!({
                    "major": "1", "minor": "36", "gitVersion": "", "gitCommit": "", "gitTreeState": "", "buildDate": "",
                    "goVersion": "", "compiler": "", "platform": "",
                });
                (code, platform)
            });
            assert_eq!(minor_version(&client).await, version, "{first}");
            assert_eq!(count.load(Ordering::Relaxed), asked, "{first}");
        }
    }
}

//! Whether Jobs are made early at all.

use kube::Client;

use crate::operator::kubernetes::server_version::minor_version;
use crate::operator::metrics::Metrics;
use crate::operator::settings::Settings;

/// The first minor version of Kubernetes 1 whose CronJob controller adopts a Job that exists already. Older ones look for it in no
/// namespace, and fail until the next minute is due (kubernetes PR 136920).
const SINCE: u32 = 37;

/// Whether Jobs are made early, as a reason for a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Support {
    Supported,
    /// The admin wants none: `delivery.maxEarly` is 0.
    MaxEarlyZero,
    KubernetesTooOld,
    VersionUnknown,
}

/// Finds out at the start whether Jobs are made early, and has a metric say so.
pub(crate) async fn makes_early_jobs(client: &Client, settings: &Settings, metrics: &Metrics) -> bool {
    let support = match settings.delivery.max_early {
        0 => Support::MaxEarlyZero,
        _ => Support::of(minor_version(client).await),
    };
    let (makes, reason) = (support == Support::Supported, support.reason());
    metrics.lead_enabled(makes, reason);
    tracing::info!(makes, reason, "whether Jobs are made early where a tier has a lead");
    makes
}

impl Support {
    fn of(minor: Option<u32>) -> Self {
        match minor {
            Some(SINCE..) => Self::Supported,
            Some(_) => Self::KubernetesTooOld,
            None => Self::VersionUnknown,
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Supported => "Supported",
            Self::MaxEarlyZero => "MaxEarlyZero",
            Self::KubernetesTooOld => "KubernetesTooOld",
            Self::VersionUnknown => "VersionUnknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::operator::test_support::fake_api;
    use crate::operator::test_support::objects::settings;

    fn version(minor: &str) -> Value {
        json!({
            "major": "1", "minor": minor, "gitVersion": "", "gitCommit": "", "gitTreeState": "", "buildDate": "",
            "goVersion": "", "compiler": "", "platform": "",
        })
    }

    #[tokio::test]
    async fn jobs_are_made_early_from_1_37_on_unless_the_admin_wants_none_and_a_metric_says_why_not() {
        for (minor, code, max_early, makes, reason) in [
            ("37", 200, 50, true, "Supported"),
            ("38+", 200, 1, true, "Supported"),
            ("36", 200, 50, false, "KubernetesTooOld"),
            ("37", 403, 50, false, "VersionUnknown"),
            ("37", 200, 0, false, "MaxEarlyZero"),
        ] {
            let client = fake_api::client(move |_| (code, version(minor)));
            let mut settings = settings();
            settings.delivery.max_early = max_early;
            let metrics = Metrics::new();
            assert_eq!(makes_early_jobs(&client, &settings, &metrics).await, makes, "{minor} {code} {max_early}");
            let series = format!("postern_lead_enabled{{reason=\"{reason}\"}} {}", u8::from(makes));
            assert_eq!(metrics.series("postern_lead_enabled"), [series]);
        }
    }
}

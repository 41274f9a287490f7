//! How often and how long a delivery is tried, and how long it is remembered.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Attempts and their times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DeliveryOptions {
    /// How long one attempt may take, in seconds, from the look-up of the host's name to the end of the response's headers:
    /// 1 to 60. Default: 15.
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: u32,
    /// The most attempts at one delivery: 1 to 20. Default: 5.
    #[schemars(range(min = 1, max = 20))]
    pub attempts: u32,
    /// The waits between attempts. They grow exponentially, with jitter, and the receiver's Retry-After is honoured.
    pub backoff: Backoff,
    /// How long one delivery may take in total, waits included, in seconds: 1 to 21600. Default: 600.
    #[schemars(range(min = 1, max = 21_600))]
    pub total_deadline_seconds: u32,
}

/// The waits between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.minSeconds <= self.maxSeconds")
        .message("must be at least minSeconds")
        .field_path(".maxSeconds")
)]
pub struct Backoff {
    /// The shortest wait, in seconds: 0 to 3600. Default: 1.
    #[serde(default = "default_min_seconds")]
    #[schemars(range(min = 0, max = 3_600))]
    pub min_seconds: u32,
    /// The longest wait, in seconds, unless the receiver asks for a longer one: 0 to 3600, at least minSeconds. Default: 60.
    #[serde(default = "default_max_seconds")]
    #[schemars(range(min = 0, max = 3_600))]
    pub max_seconds: u32,
}

/// How many ended deliveries `status.recentDeliveries` keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct History {
    /// How many successful deliveries to keep: 0 to 20; at least the last one is kept. Default: 3.
    #[schemars(range(min = 0, max = 20))]
    pub successful: u32,
    /// How many unsuccessful deliveries to keep: 0 to 20; at least the last three are kept. Default: 10.
    #[schemars(range(min = 0, max = 20))]
    pub failed: u32,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        DeliveryOptions { timeout_seconds: 15, attempts: 5, backoff: Backoff::default(), total_deadline_seconds: 600 }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { min_seconds: default_min_seconds(), max_seconds: default_max_seconds() }
    }
}

impl Default for History {
    fn default() -> Self {
        History { successful: 3, failed: 10 }
    }
}

fn default_min_seconds() -> u32 {
    1
}

fn default_max_seconds() -> u32 {
    60
}

//! The schedule, tier and settings that the tests of the pure steps start from, as users write them.

use serde_json::{Value, json};

use super::settings::Settings;
use super::validate::{Refusal, Valid, validate};
use crate::api::{WebhookSchedule, WebhookTier};

fn read<T: serde::de::DeserializeOwned>(yaml: &str) -> T {
    serde_saphyr::from_str(yaml).unwrap()
}

pub(super) fn settings() -> Settings {
    read(include_str!("testdata/settings.yaml"))
}

pub(super) fn tier() -> WebhookTier {
    read(include_str!("testdata/tier.yaml"))
}

pub(super) fn schedule() -> WebhookSchedule {
    read(include_str!("testdata/schedule.yaml"))
}

/// The schedule with some of its spec replaced (RFC 7386, so `null` takes a field away), judged.
#[expect(clippy::needless_pass_by_value, reason = "tests write the change where they call it")]
pub(super) fn valid_with(change: Value) -> Result<Valid, Refusal> {
    let mut schedule: Value = read(include_str!("testdata/schedule.yaml"));
    merge(&mut schedule, json!({"spec": change}));
    let schedule: WebhookSchedule = serde_json::from_value(schedule).unwrap();
    validate(&schedule, &tier(), &settings())
}

fn merge(target: &mut Value, change: Value) {
    match (target, change) {
        (Value::Object(target), Value::Object(change)) => {
            for (name, value) in change {
                if value.is_null() {
                    target.remove(&name);
                } else {
                    merge(target.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (target, change) => *target = change,
    }
}

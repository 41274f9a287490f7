//! The Events about keys that a tenant gets. Pure.

use kube::runtime::events::{Event, EventType};

use super::backoff::KeyNotMade;
use super::rotation::Cause;
use crate::api::{KeyState, WebhookScheduleStatus};
use crate::operator::kubernetes::events::event;

/// The reason of the Event, and of the condition, when there is no key to sign with.
pub(crate) const KEY_NOT_MADE: &str = "KeyNotMade";

/// The Event to publish once the status shows a new key as the newest.
pub(super) fn key_made(cause: Cause, new: &WebhookScheduleStatus) -> Option<Event> {
    let key = new.signing_keys.first()?;
    let name = key.secret_name.as_deref().unwrap_or_default();
    let others = new.signing_keys.iter().filter(|key| key.state == KeyState::Retiring);
    let last_of_others = others.filter_map(|key| key.retires_at.clone()).max();
    let (reason, then) = match (cause, last_of_others) {
        (Cause::First, _) => ("KeyCreated", "it signs from now on".into()),
        (Cause::Revoked, _) => ("KeyRevoked", "it signs from now on, and the older keys don't".into()),
        (_, Some(until)) => ("KeyRotated", format!("it signs from now on, and the older keys sign until {}", until.0)),
        (_, None) => ("KeyRotated", "it signs from now on".into()),
    };
    let note = format!("the signing key {} was made and is in Secret {name}; {then}", key.fingerprint);
    Some(event(EventType::Normal, "RotateKeys", reason, note))
}

/// The Event to publish when a key could not be made.
pub(crate) fn key_not_made(error: &KeyNotMade) -> Event {
    event(EventType::Warning, "RotateKeys", KEY_NOT_MADE, error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_new_key_is_told_with_what_becomes_of_those_before_it_and_with_no_key() {
        let key = |name: &str, state: &str, until: Option<&str>| json!({"fingerprint": format!("sha256:{name}"), "secretName": name, "state": state, "retiresAt": until});
        let until = Some("2027-01-15T08:00:00Z");
        let keys = json!({"signingKeys": [key("b", "Active", None), key("a", "Retiring", until)]});
        let status: WebhookScheduleStatus = serde_json::from_value(keys).unwrap();
        let told = |cause| {
            let event = key_made(cause, &status).unwrap();
            format!("{} {}", event.reason, event.note.unwrap())
        };
        let made = "the signing key sha256:b was made and is in Secret b; it signs from now on";
        assert_eq!(told(Cause::First), format!("KeyCreated {made}"));
        let then = "and the older keys sign until 2027-01-15T08:00:00Z";
        assert_eq!(told(Cause::Due), format!("KeyRotated {made}, {then}"));
        assert_eq!(told(Cause::Revoked), format!("KeyRevoked {made}, and the older keys don't"));
    }
}

//! Which of the keys that Postern made for a schedule sign. Pure: it reads the status.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use crate::api::{KeyState, REVOKE, ROTATE_ANNOTATION, SigningKeyStatus, WebhookSchedule};
use crate::operator::deliveries::trigger::shown;
use crate::operator::names;

/// The 32 letters and digits of names: no two look alike.
pub(crate) const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// As many characters as the longest name of a schedule leaves room for: 45 bits, so that no name occurs twice.
pub(crate) const SUFFIX: usize = 9;

/// The Secrets of the keys that deliveries have to be signed with, the newest first. After a request for a revocation, there
/// are none until the new key exists.
pub(crate) fn usable(schedule: &WebhookSchedule, now: Timestamp) -> Vec<String> {
    if is_revocation(asked(schedule).as_deref()) {
        return Vec::new();
    }
    keys_of(schedule).filter(|key| signs(key, now)).filter_map(|key| key.secret_name.clone()).collect()
}

/// When the next signing key ends, in Unix seconds.
pub(crate) fn next_end(schedule: &WebhookSchedule, now: Timestamp) -> Option<i64> {
    let ends =
        keys_of(schedule).filter(|key| key.state == KeyState::Retiring).filter_map(|key| key.retires_at.as_ref());
    ends.map(|end| end.0.as_second()).filter(|end| *end > now.as_second()).min()
}

/// The value of the annotation `postern.dev/rotate-keys`, if it has not been followed yet.
pub(crate) fn asked(schedule: &WebhookSchedule) -> Option<String> {
    let value = shown(schedule.annotations().get(ROTATE_ANNOTATION)?);
    let followed = schedule.status.as_ref().and_then(|status| status.last_rotation.as_ref());
    (!value.is_empty() && followed.is_none_or(|rotation| rotation.value != value)).then_some(value)
}

/// Whether such a value asks for a revocation of the older keys.
pub(crate) fn is_revocation(asked: Option<&str>) -> bool {
    asked.is_some_and(|value| value.starts_with(REVOKE))
}

/// The status entries of the schedule's own keys. Others are ignored, so nobody who can write a status can have another Secret
/// mounted or deleted.
pub(crate) fn keys_of(schedule: &WebhookSchedule) -> impl Iterator<Item = &SigningKeyStatus> {
    let name = schedule.name_any();
    let keys = schedule.status.iter().flat_map(|status| &status.signing_keys);
    keys.filter(move |key| key.secret_name.as_ref().is_some_and(|secret| is_name(&name, secret)))
}

pub(crate) fn signs(key: &SigningKeyStatus, now: Timestamp) -> bool {
    match key.state {
        KeyState::Active => true,
        KeyState::Retiring => key.retires_at.as_ref().is_some_and(|at| at.0 > now),
        KeyState::Pending | KeyState::Retired => false,
    }
}

/// A name that a key of the schedule could have: a schedule without a key is validated with it.
pub(super) fn any_name(schedule: &str) -> String {
    names::signing_key(schedule, &"a".repeat(SUFFIX))
}

/// Whether a Secret of this name may be one of the schedule's keys. No such name fits two schedules.
pub(crate) fn is_name(schedule: &str, secret: &str) -> bool {
    let end = secret.strip_prefix(&names::signing_key(schedule, ""));
    end.is_some_and(|end| end.len() == SUFFIX && end.bytes().all(|byte| ALPHABET.contains(&byte)))
}

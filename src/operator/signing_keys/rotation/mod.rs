//! The signing keys that Postern makes for a schedule, and when each begins and ends. Pure but for `keeper`, which makes and
//! deletes the Secrets.
//!
//! The operator can't read a Secret, so all that is known of a key stands in the status:
//!
//! - `Pending` before its Secret is made. Whoever finds one that is `Pending` can't know whether the Secret is there, and the
//!   key itself is lost; so it never signs and becomes `Retired`, and another key is made by another name.
//! - `Active` once its Secret is there for sure, and before the CronJob mounts it.
//! - `Retiring` while it signs beside a newer one.
//! - `Retired` once no CronJob mounts it. Its Secret is deleted [`SETTLED`] later, when no delivery that runs has it mounted.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::api::{
    KeyState, ManagedKeyType, ManagedKeys, RotationStatus, SigningKeyStatus, WebhookSchedule, WebhookScheduleStatus,
};
use crate::delivery::MAX_KEYS;
use crate::operator::validate::keys::{self, keys_of, signs};

/// How long after its last use, in seconds, a Secret may still be wanted by what the operator can't see yet: a Job that the
/// CronJob controller makes from what the CronJob was, or a request of an operator before this one. The API server ends
/// requests after a minute.
const SETTLED: i64 = 60;
/// As many keys as the status holds.
const MOST: usize = 16;
/// So many of them are kept free of what is only asked for, so that a revocation never waits for room.
const ROOM_TO_REVOKE: usize = 4;

/// Why a key is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// None signs.
    First,
    /// The one that signs has its age, or is of another type than the spec says.
    Due,
    /// Somebody asked for it.
    Asked,
    /// Somebody asked for it, and that no older key signs any more.
    Revoked,
}

/// A key that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) cause: Cause,
    pub(crate) key_type: ManagedKeyType,
    /// How long the one before signs beside it.
    overlap: SignedDuration,
    /// The annotation's value, which is followed by this.
    asked: Option<String>,
}

/// The key that a schedule is to get now.
pub(super) fn wanted(schedule: &WebhookSchedule, now: Timestamp) -> Option<Wanted> {
    let managed = schedule.spec.signing.managed.as_ref()?;
    let ManagedKeys { key_type, rotate_every: _, overlap } = *managed;
    let asked = keys::asked(schedule);
    let signs_any = keys_of(schedule).any(|key| signs(key, now));
    let cause = match (active(keys_of(schedule)), &asked) {
        _ if keys::is_revocation(asked.as_deref()) && signs_any => Cause::Revoked,
        (None, _) => Cause::First,
        (Some(_), Some(_)) => Cause::Asked,
        (Some(key), None) => {
            let is_due = made_at(key) + managed.rotate_every.seconds() <= now.as_second();
            (is_due || type_of(key) != key_type).then_some(Cause::Due)?
        }
    };
    Some(Wanted { cause, key_type, overlap: SignedDuration::from_secs(overlap.seconds()), asked })
}

/// Why there is no room for another key, if there is none.
pub(super) fn no_room(schedule: &WebhookSchedule, cause: Cause) -> Option<String> {
    let most = if matches!(cause, Cause::First | Cause::Revoked) { MOST } else { MOST - ROOM_TO_REVOKE };
    let count = keys_of(schedule).count();
    (count >= most).then(|| format!("{count} older keys wait for their Secrets to be deleted"))
}

/// What is said of the keys before a new one is made, or when none can be.
pub(super) fn begun(
    schedule: &WebhookSchedule,
    new: Option<SigningKeyStatus>,
    cause: Cause,
    now: Timestamp,
) -> Vec<SigningKeyStatus> {
    let before = keys_of(schedule).map(|key| match key.state {
        KeyState::Pending => ended(key, KeyState::Retired, now),
        KeyState::Active | KeyState::Retiring if cause == Cause::Revoked => until(key, now),
        _ => key.clone(),
    });
    new.into_iter().chain(before).collect()
}

/// What is said of the keys once the Secret of the newest is there, and of what was asked for.
pub(super) fn made(status: &WebhookScheduleStatus, wanted: &Wanted, now: Timestamp) -> WebhookScheduleStatus {
    let overlap = now.checked_add(wanted.overlap).unwrap_or(now);
    let mut sign = 0;
    let one = |(index, key): (usize, &SigningKeyStatus)| {
        let key = match key.state {
            KeyState::Pending if index == 0 => SigningKeyStatus { state: KeyState::Active, ..key.clone() },
            KeyState::Active => until(key, overlap),
            _ => key.clone(),
        };
        sign += usize::from(signs(&key, now));
        // The oldest end early, when more are asked for than may sign.
        if sign > MAX_KEYS && signs(&key, now) { until(&key, now) } else { key }
    };
    let signing_keys = status.signing_keys.iter().enumerate().map(one).collect();
    let followed = wanted.asked.clone().map(|value| RotationStatus { value, time: Time(now) });
    let last_rotation = followed.or_else(|| status.last_rotation.clone());
    WebhookScheduleStatus { signing_keys, last_rotation, ..status.clone() }
}

/// What is said of the keys when the newest could not be made: nothing, when its Secret is not there for sure.
pub(super) fn unmade(keys: &[SigningKeyStatus], maybe_there: bool, now: Timestamp) -> Vec<SigningKeyStatus> {
    let one = |key: &SigningKeyStatus| match key.state {
        KeyState::Pending => maybe_there.then(|| ended(key, KeyState::Retired, now)),
        _ => Some(key.clone()),
    };
    keys.iter().filter_map(one).collect()
}

/// What is said of the keys of a schedule whose CronJob mounts these Secrets: one that signs no more and isn't mounted is retired.
pub(super) fn settled(schedule: &WebhookSchedule, mounted: &BTreeSet<String>, now: Timestamp) -> Vec<SigningKeyStatus> {
    let now = whole_seconds(now);
    let is_managed = schedule.spec.signing.managed.is_some();
    let one = |key: &SigningKeyStatus| match key.state {
        KeyState::Retired => key.clone(),
        KeyState::Active | KeyState::Retiring if is_managed && signs(key, now) => key.clone(),
        _ if key.secret_name.as_ref().is_some_and(|name| mounted.contains(name)) => key.clone(),
        // One that is `Pending` still was left behind.
        _ => ended(key, KeyState::Retired, now),
    };
    keys_of(schedule).map(one).collect()
}

/// The Secrets that nothing unseen can want any more.
pub(super) fn unused(schedule: &WebhookSchedule, now: Timestamp) -> Vec<String> {
    let unused = keys_of(schedule).filter(|key| settles_at(key).is_some_and(|at| at <= now.as_second()));
    unused.filter_map(|key| key.secret_name.clone()).collect()
}

/// When there is something to do about the keys next, in Unix seconds.
pub(super) fn next_change(schedule: &WebhookSchedule, keys: &[SigningKeyStatus], now: Timestamp) -> Option<i64> {
    let managed = schedule.spec.signing.managed.as_ref();
    let one = |key: &SigningKeyStatus| match key.state {
        KeyState::Active => managed.map(|managed| made_at(key) + managed.rotate_every.seconds()),
        KeyState::Retiring => key.retires_at.as_ref().map(|at| at.0.as_second()),
        KeyState::Retired => settles_at(key),
        KeyState::Pending => None,
    };
    // What was to be done and was not waits for something else: for room, or for a delivery that needs a Secret.
    keys.iter().filter_map(one).filter(|at| *at > now.as_second()).min()
}

/// When the key that signs first was made.
pub(super) fn active_since(keys: &[SigningKeyStatus]) -> Option<i64> {
    active(keys).map(made_at)
}

fn active<'a>(keys: impl IntoIterator<Item = &'a SigningKeyStatus>) -> Option<&'a SigningKeyStatus> {
    keys.into_iter().find(|key| key.state == KeyState::Active)
}

/// Has a key sign no longer than to this time.
fn until(key: &SigningKeyStatus, time: Timestamp) -> SigningKeyStatus {
    let time = key.retires_at.as_ref().map_or(time, |at| at.0.min(time));
    ended(key, KeyState::Retiring, time)
}

fn ended(key: &SigningKeyStatus, state: KeyState, time: Timestamp) -> SigningKeyStatus {
    SigningKeyStatus { state, retires_at: Some(Time(time)), ..key.clone() }
}

/// When the Secret of a retired key may be deleted, in Unix seconds.
fn settles_at(key: &SigningKeyStatus) -> Option<i64> {
    let since = key.retires_at.as_ref().filter(|_| key.state == KeyState::Retired)?;
    Some(since.0.as_second() + SETTLED)
}

fn made_at(key: &SigningKeyStatus) -> i64 {
    key.created_at.as_ref().map_or(0, |at| at.0.as_second())
}

fn type_of(key: &SigningKeyStatus) -> ManagedKeyType {
    if key.public_key.is_some() { ManagedKeyType::V1a } else { ManagedKeyType::V1 }
}

/// As precise as the API server keeps it.
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod crash_tests;

#[cfg(test)]
mod life;

#[cfg(test)]
mod refusal_tests;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod world;

//! The signing keys that Postern makes for a schedule, and when each one begins and ends to sign. Pure: `controller` and
//! `secret` create and delete the Secrets.
//!
//! The operator can't read a Secret, so everything that it knows about a key is in the status:
//!
//! - `Pending` before its Secret is created. An operator that finds a `Pending` key can't know whether the Secret exists, and
//!   the key itself is lost. So the key never signs and becomes `Retired`, and another key is made under another name.
//! - `Active` once its Secret exists for sure, and before the CronJob mounts it.
//! - `Retiring` while it signs beside a newer one.
//! - `Retired` once no CronJob mounts it. Its Secret is deleted [`SETTLED`] later, when no running delivery has it mounted.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::api::{
    KeyState, ManagedKeyType, ManagedKeys, RotationStatus, SigningKeyStatus, WebhookSchedule, WebhookScheduleStatus,
};
use crate::delivery::MAX_KEYS;
use crate::operator::validate::keys::{self, keys_of, signs};

/// How long after its last use a Secret may still be needed by something that the operator can't see yet, in seconds: a Job
/// that the CronJob controller makes from an older version of the CronJob, or a request of a previous operator. The API server
/// ends requests after a minute.
const SETTLED: i64 = 60;
/// How many keys the status can hold.
const MOST: usize = 16;
/// How many of them requested and scheduled rotations leave free, so that a revocation never waits for room.
const ROOM_TO_REVOKE: usize = 4;

/// Why a key is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// No key signs yet.
    First,
    /// The signing key has reached its age, or its type differs from the spec's.
    Due,
    /// Somebody asked for a rotation.
    Asked,
    /// Somebody asked for a revocation: no older key may sign any more.
    Revoked,
}

/// A key that has to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) cause: Cause,
    pub(crate) key_type: ManagedKeyType,
    /// How long the previous key signs beside it.
    overlap: SignedDuration,
    /// The annotation's value that this key fulfils.
    asked: Option<String>,
}

/// The key that has to be made now, if any.
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

/// Why there is no room for another key; `None` when there is.
pub(super) fn no_room(schedule: &WebhookSchedule, cause: Cause) -> Option<String> {
    let most = if matches!(cause, Cause::First | Cause::Revoked) { MOST } else { MOST - ROOM_TO_REVOKE };
    let count = keys_of(schedule).count();
    (count >= most).then(|| format!("{count} older keys wait for their Secrets to be deleted"))
}

/// The keys in the status before a new one is made, or when none can be.
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

/// The status once the Secret of the newest key exists: the keys, and the request that was fulfilled.
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
        // The oldest end early when more keys would sign than allowed.
        if sign > MAX_KEYS && signs(&key, now) { until(&key, now) } else { key }
    };
    let signing_keys = status.signing_keys.iter().enumerate().map(one).collect();
    let followed = wanted.asked.clone().map(|value| RotationStatus { value, time: Time(now) });
    let last_rotation = followed.or_else(|| status.last_rotation.clone());
    WebhookScheduleStatus { signing_keys, last_rotation, ..status.clone() }
}

/// The keys in the status when the newest could not be made. It is removed when its Secret can't exist.
pub(super) fn unmade(keys: &[SigningKeyStatus], maybe_there: bool, now: Timestamp) -> Vec<SigningKeyStatus> {
    let one = |key: &SigningKeyStatus| match key.state {
        KeyState::Pending => maybe_there.then(|| ended(key, KeyState::Retired, now)),
        _ => Some(key.clone()),
    };
    keys.iter().filter_map(one).collect()
}

/// The keys in the status when the CronJob mounts these Secrets: a key that no longer signs and isn't mounted is retired.
pub(super) fn settled(schedule: &WebhookSchedule, mounted: &BTreeSet<String>, now: Timestamp) -> Vec<SigningKeyStatus> {
    let now = whole_seconds(now);
    let is_managed = schedule.spec.signing.managed.is_some();
    let one = |key: &SigningKeyStatus| match key.state {
        KeyState::Retired => key.clone(),
        KeyState::Active | KeyState::Retiring if is_managed && signs(key, now) => key.clone(),
        _ if key.secret_name.as_ref().is_some_and(|name| mounted.contains(name)) => key.clone(),
        // A key that is still `Pending` was left behind.
        _ => ended(key, KeyState::Retired, now),
    };
    keys_of(schedule).map(one).collect()
}

/// The Secrets that nothing unseen can need any more.
pub(super) fn unused(schedule: &WebhookSchedule, now: Timestamp) -> Vec<String> {
    let unused = keys_of(schedule).filter(|key| settles_at(key).is_some_and(|at| at <= now.as_second()));
    unused.filter_map(|key| key.secret_name.clone()).collect()
}

/// When a key needs the next change, in Unix seconds.
pub(super) fn next_change(schedule: &WebhookSchedule, keys: &[SigningKeyStatus], now: Timestamp) -> Option<i64> {
    let managed = schedule.spec.signing.managed.as_ref();
    let one = |key: &SigningKeyStatus| match key.state {
        KeyState::Active => managed.map(|managed| made_at(key) + managed.rotate_every.seconds()),
        KeyState::Retiring => key.retires_at.as_ref().map(|at| at.0.as_second()),
        KeyState::Retired => settles_at(key),
        KeyState::Pending => None,
    };
    // A change that is overdue waits for something else: for room, or for a delivery that needs a Secret.
    keys.iter().filter_map(one).filter(|at| *at > now.as_second()).min()
}

/// When the active key was made, in Unix seconds.
pub(super) fn active_since(keys: &[SigningKeyStatus]) -> Option<i64> {
    active(keys).map(made_at)
}

fn active<'a>(keys: impl IntoIterator<Item = &'a SigningKeyStatus>) -> Option<&'a SigningKeyStatus> {
    keys.into_iter().find(|key| key.state == KeyState::Active)
}

/// Has a key sign no longer than until this time.
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

/// Truncates a time to the precision of the API server.
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod crash_tests;

#[cfg(test)]
mod scenario;

#[cfg(test)]
mod refusal_tests;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod world;

//! The controller of signing keys: it makes keys that are due, retires keys that no longer sign, and deletes their Secrets.
//!
//! It writes `status.signingKeys` and `status.lastRotation`, and replaces only the version that it read.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};
use tokio::time::Instant;

use super::backoff::{KeyNotMade, RotationBackoff};
use super::events::{key_made, key_not_made};
use super::key::NewKey;
use super::revocations::FollowedRevocations;
use super::rotation::{self, Cause, Wanted};
use super::secret::{self, NotMade};
use crate::api::{KeyState, WebhookSchedule, WebhookScheduleStatus};
use crate::operator::cache::caches::Caches;
use crate::operator::cache::unlisted::UNLISTED;
use crate::operator::cache::work_queues::WorkQueues;
use crate::operator::kubernetes::apply::ApplyError;
use crate::operator::kubernetes::consistency::ConsistencyStore;
use crate::operator::kubernetes::controller::{Action, Reconcile, requeue_at};
use crate::operator::kubernetes::events::publish;
use crate::operator::kubernetes::status::replace_status;
use crate::operator::metrics::Metrics;
use crate::operator::validate::keys;

/// What every reconcile of keys shares.
pub(crate) struct SigningKeyReconciler {
    pub(crate) client: Client,
    pub(crate) caches: Arc<Caches>,
    pub(crate) consistency: Arc<ConsistencyStore>,
    pub(crate) backoff: Arc<RotationBackoff>,
    pub(crate) revocations: Arc<FollowedRevocations>,
    pub(crate) queues: WorkQueues,
    pub(crate) recorder: Recorder,
    pub(crate) metrics: Metrics,
}

/// Why a reconcile of keys has to be retried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    /// A Secret can't be deleted.
    #[error(transparent)]
    Delete(#[from] ApplyError),
    /// The status can't be written. The next try finds in the status what was begun.
    #[error("status: {0}")]
    Status(#[source] kube::Error),
}

impl Reconcile for SigningKeyReconciler {
    type Kind = WebhookSchedule;
    type Error = KeysError;
    const NAME: &'static str = "signing-keys";

    async fn reconcile(&self, schedule: Arc<WebhookSchedule>) -> Result<Action, KeysError> {
        Box::pin(self.reconcile_at(&schedule, Timestamp::now())).await
    }

    fn forget(&self, schedule: &ObjectRef<WebhookSchedule>) {
        self.backoff.forget(schedule);
        self.revocations.forget(schedule);
        self.backoff.take_unconfirmed(schedule);
        self.consistency.clear(schedule.namespace.as_deref().unwrap_or_default(), &schedule.name);
        self.metrics.key_signs(schedule, None);
    }
}

impl SigningKeyReconciler {
    /// Reconciles a schedule's keys at a given time.
    pub(crate) async fn reconcile_at(&self, schedule: &WebhookSchedule, now: Timestamp) -> Result<Action, KeysError> {
        let (name, namespace) = (ObjectRef::from_obj(schedule), schedule.namespace().unwrap_or_default());
        // The watch is about to show what this operator wrote last.
        if self.consistency.ensure_ready(schedule, Some(schedule)).is_err()
            || self.caches.is_ending(&namespace)
            || schedule.metadata.deletion_timestamp.is_some()
        {
            return Ok(Action::await_change());
        }
        if self.caches.unlisted.has(&namespace) {
            return Ok(Action::requeue(UNLISTED));
        }
        let (schedule, next_try) = match self.rotate(schedule, now).await? {
            Rotated::NotDue => (schedule.clone(), None),
            Rotated::Later(next) => (schedule.clone(), Some(next)),
            Rotated::Done(schedule) => (*schedule, self.backoff.next_try(&name, now.as_second())),
            // It was changed or deleted since, and another reconcile is queued for that.
            Rotated::Conflict => return Ok(Action::await_change()),
        };
        let mut new = schedule.status.clone().unwrap_or_default();
        let mounted =
            self.caches.own_cron_job(&schedule).map(|cron_job| secret::mounted_by(&cron_job)).unwrap_or_default();
        new.signing_keys = rotation::settled(&schedule, &mounted, now);
        let (deleted, result) = secret::delete(&self.client, &schedule, rotation::unused(&schedule, now)).await;
        new.signing_keys.retain(|key| !key.secret_name.as_ref().is_some_and(|name| deleted.contains(name)));
        if schedule.status.as_ref().is_some_and(|old| *old != new) && self.write(&schedule, &new).await?.is_none() {
            return Ok(Action::await_change());
        }
        self.metrics.key_signs(&name, rotation::active_since(&new.signing_keys));
        result?;
        let next = rotation::next_change(&schedule, &new.signing_keys, now).into_iter().chain(next_try).min();
        Ok(requeue_at(next, now.as_second()))
    }

    /// Makes a key if one is wanted and the schedule is accepted.
    async fn rotate(&self, schedule: &WebhookSchedule, now: Timestamp) -> Result<Rotated, KeysError> {
        let name = ObjectRef::from_obj(schedule);
        if let Some(confirmed) = self.confirm(schedule, &name, now).await? {
            return Ok(confirmed);
        }
        let Some(wanted) = rotation::wanted(schedule, now) else {
            self.backoff.forget(&name);
            return Ok(Rotated::NotDue);
        };
        if !is_accepted(schedule) {
            return Ok(Rotated::NotDue);
        }
        if wanted.cause == Cause::Revoked {
            // The controller of schedules suspends first, and then brings this back.
            let is_followed = |value: String| self.revocations.has(&name, &value);
            if !keys::asked(schedule).is_some_and(is_followed) {
                return Ok(Rotated::NotDue);
            }
        } else if let Some(next) = self.backoff.next_try(&name, now.as_second()) {
            return Ok(Rotated::Later(next));
        }
        let Some((made, error)) = self.make(schedule, &wanted, rotation::whole_seconds(now)).await? else {
            return Ok(Rotated::Conflict);
        };
        Ok(self.report(made, wanted.cause, error).await)
    }

    /// Says that a key signs whose Secret was made before, if the status that said so met with a conflict.
    async fn confirm(
        &self,
        schedule: &WebhookSchedule,
        name: &ObjectRef<WebhookSchedule>,
        now: Timestamp,
    ) -> Result<Option<Rotated>, KeysError> {
        let Some((secret, wanted)) = self.backoff.take_unconfirmed(name) else { return Ok(None) };
        let status = schedule.status.clone().unwrap_or_default();
        let newest = status.signing_keys.first();
        if newest.is_none_or(|key| key.state != KeyState::Pending || key.secret_name.as_ref() != Some(&secret)) {
            return Ok(None);
        }
        let status = rotation::made(&status, &wanted, rotation::whole_seconds(now));
        let Some(made) = self.write(schedule, &status).await? else {
            self.backoff.note_unconfirmed(name, secret, wanted);
            return Ok(Some(Rotated::Conflict));
        };
        Ok(Some(self.report(made, wanted.cause, None).await))
    }

    /// Publishes what came of a try, and has the status of the schedule say why there is no key.
    async fn report(&self, made: WebhookSchedule, cause: Cause, error: Option<KeyNotMade>) -> Rotated {
        if let Some(error) = &error {
            tracing::warn!(schedule = %ObjectRef::from_obj(&made), %error, "a rotation failed; it is tried again");
            self.metrics.reconciled(Some("KeyNotMade"), Duration::ZERO);
        }
        let event = match &error {
            Some(error) => Some(key_not_made(error)),
            None => made.status.as_ref().and_then(|status| key_made(cause, status)),
        };
        publish(&self.recorder, &made, event.into_iter().collect()).await;
        self.queues.schedules.add(&ObjectRef::from_obj(&made));
        Rotated::Done(Box::new(made))
    }

    /// Makes a key: announces it in the status, creates its Secret, and marks it as signing. The key itself is in memory until
    /// its Secret is created, and nowhere else. Returns the schedule, and what prevented the key.
    async fn make(
        &self,
        schedule: &WebhookSchedule,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Option<(WebhookSchedule, Option<KeyNotMade>)>, KeysError> {
        let name = ObjectRef::from_obj(schedule);
        let failed = |why: String, now: Timestamp| {
            let error = KeyNotMade { why };
            self.backoff.note(&name, error.clone(), now.as_second());
            Some(error)
        };
        let key = match rotation::no_room(schedule, wanted.cause) {
            Some(why) => Err(why),
            None => NewKey::generate(&schedule.name_any(), wanted.key_type)
                .ok_or_else(|| "the system's random source gives nothing".into()),
        };
        let mut status = schedule.status.clone().unwrap_or_default();
        let new = key.as_ref().ok().map(|key| key.status(now));
        status.signing_keys = rotation::begun(schedule, new, wanted.cause, now);
        let Some(schedule) = self.write(schedule, &status).await? else { return Ok(None) };
        let key = match key {
            Ok(key) => key,
            Err(why) => return Ok(Some((schedule, failed(why, now)))),
        };

        let (secret, began) = (key.name.clone(), Instant::now());
        let (status, error) = match secret::create(&self.client, &schedule, key).await {
            Ok(()) => (rotation::made(&status, wanted, now), None),
            Err(NotMade { maybe_there, why }) => {
                // The Secret may still be created, so it is deleted only some time after the request has ended.
                let now = rotation::whole_seconds(now + began.elapsed());
                let signing_keys = rotation::unmade(&status.signing_keys, maybe_there, now);
                (WebhookScheduleStatus { signing_keys, ..status }, failed(why, now))
            }
        };
        if error.is_none() {
            self.backoff.forget(&name);
        }
        let Some(schedule) = self.write(&schedule, &status).await? else {
            if error.is_none() {
                self.backoff.note_unconfirmed(&name, secret, wanted.clone());
            }
            return Ok(None);
        };
        Ok(Some((schedule, error)))
    }

    /// Writes this status and returns the schedule with it; `None` when the schedule was changed or deleted since.
    async fn write(
        &self,
        schedule: &WebhookSchedule,
        status: &WebhookScheduleStatus,
    ) -> Result<Option<WebhookSchedule>, KeysError> {
        replace_status(schedule, status, &self.client, &self.consistency).await.map_err(KeysError::Status)
    }
}

/// The result of checking whether a key is due.
enum Rotated {
    NotDue,
    /// The last try failed; the next one is allowed at this time, in Unix seconds.
    Later(i64),
    /// A try was made; this is the schedule afterwards.
    Done(Box<WebhookSchedule>),
    /// The schedule was changed meanwhile.
    Conflict,
}

/// Whether the controller of schedules has accepted the current spec.
fn is_accepted(schedule: &WebhookSchedule) -> bool {
    schedule
        .status
        .as_ref()
        .is_some_and(|status| status.observed_generation == schedule.metadata.generation && status.is_accepted())
}

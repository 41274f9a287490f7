//! Makes the Secrets of signing keys, and deletes those that nothing uses any more. Nothing here asks for what one holds: the
//! API server is told to answer with metadata alone.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use hyper::header::{ACCEPT, HeaderValue};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{PodTemplateSpec, Secret};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, Request};
use kube::runtime::events::Recorder;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, Resource, ResourceExt};
use tokio::time::{Instant, timeout};

use super::key::NewKey;
use super::rotation::{Cause, Wanted, begun, made, no_room, unmade, wanted, whole_seconds};
use crate::api::{WebhookSchedule, WebhookScheduleStatus};
use crate::operator::deliveries::outcome::is_over;
use crate::operator::kubernetes::apply::{ApplyError, by_postern};
use crate::operator::kubernetes::consistency::Written;
use crate::operator::kubernetes::lock::lock;
use crate::operator::kubernetes::status::replace_status;
use crate::operator::names;
use crate::operator::schedule::events::{key_made, key_not_made, publish};
use crate::operator::schedule::observe::is_controlled_by;

/// What a Secret is answered with: not what it holds.
const METADATA_ALONE: HeaderValue =
    HeaderValue::from_static("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
/// The least time between two tries for one schedule, in seconds, when the first failed: each writes its status, and that
/// sets off a reconcile.
const PAUSE: i64 = 30;
/// How long the API server may take to make a Secret: as long as it waits for an admission webhook.
const POST_WITHIN: Duration = Duration::from_secs(30);

/// Until when no key is tried to be made, since the last try failed.
#[derive(Default)]
pub(crate) struct Unmade(Mutex<HashMap<ObjectRef<WebhookSchedule>, (i64, String)>>);

impl Unmade {
    fn note(&self, schedule: &WebhookSchedule, until: i64, why: String) {
        let mut all = lock(&self.0);
        all.insert(ObjectRef::from_obj(schedule), (until, why));
    }

    fn why(&self, schedule: &WebhookSchedule, now: i64) -> Option<String> {
        let all = lock(&self.0);
        all.get(&ObjectRef::from_obj(schedule)).filter(|(until, _)| now < *until).map(|(_, why)| why.clone())
    }

    /// It was made, or the schedule is no more.
    pub(crate) fn forget(&self, schedule: &ObjectRef<WebhookSchedule>) {
        lock(&self.0).remove(schedule);
    }
}

/// A schedule as it is now, and why it has not got the key that it was to get.
type Kept<'a> = (Cow<'a, WebhookSchedule>, Option<ApplyError>);

/// Writes to the API server as the operator.
pub(crate) struct Keeper<'a> {
    pub(crate) client: &'a Client,
    pub(crate) written: &'a Written,
    pub(crate) unmade: &'a Unmade,
    pub(crate) recorder: &'a Recorder,
}

impl Keeper<'_> {
    /// Makes the key that a schedule is to get now, if it is to get one and is accepted. `None` when the schedule isn't what
    /// it was: another reconcile is coming.
    ///
    /// # Errors
    /// When the status can't be written. What was begun is found there by the next try.
    pub(crate) async fn keep<'a>(
        &self,
        schedule: &'a WebhookSchedule,
        is_accepted: bool,
        now: Timestamp,
    ) -> Result<Option<Kept<'a>>, kube::Error> {
        let Some(wanted) = wanted(schedule, now).filter(|_| is_accepted) else {
            return Ok(Some((Cow::Borrowed(schedule), None)));
        };
        // A revocation waits for nothing: it ends the older keys even if no new one can be made.
        let pause = self.unmade.why(schedule, now.as_second()).filter(|_| wanted.cause != Cause::Revoked);
        if let Some(why) = pause {
            return Ok(Some((Cow::Borrowed(schedule), Some(ApplyError::KeyNotMade { why }))));
        }
        let Some((made, why)) = self.make(schedule, &wanted, whole_seconds(now)).await? else { return Ok(None) };
        let error = why.map(|why| ApplyError::KeyNotMade { why });
        let event = match &error {
            Some(error) => Some(key_not_made(error)),
            None => made.status.as_ref().and_then(|status| key_made(wanted.cause, status)),
        };
        publish(self.recorder, &made, event.into_iter().collect()).await;
        Ok(Some((Cow::Owned(made), error)))
    }

    /// Makes a key: says so in the status, makes its Secret, and says that it signs. The key itself is in memory until its
    /// Secret is made, and nowhere else. Returns the schedule, and what was in the way.
    async fn make(
        &self,
        schedule: &WebhookSchedule,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Option<(WebhookSchedule, Option<String>)>, kube::Error> {
        let failed = |schedule: &WebhookSchedule, why: String, now: Timestamp| {
            self.unmade.note(schedule, now.as_second() + PAUSE, why.clone());
            Some(why)
        };
        let key = match no_room(schedule, wanted.cause) {
            Some(why) => Err(why),
            None => NewKey::generate(&schedule.name_any(), wanted.key_type)
                .ok_or_else(|| "the system has no randomness to give".into()),
        };
        let mut status = schedule.status.clone().unwrap_or_default();
        let new = key.as_ref().ok().map(|key| key.status(now));
        status.signing_keys = begun(schedule, new, wanted.cause, now);
        let Some(schedule) = self.say(schedule, &status).await? else { return Ok(None) };
        let key = match key {
            Ok(key) => key,
            Err(why) => {
                let why = failed(&schedule, why, now);
                return Ok(Some((schedule, why)));
            }
        };

        let began = Instant::now();
        let (status, why) = match self.create(&schedule, key).await {
            Ok(()) => (made(&status, wanted, now), None),
            Err(NotThere { maybe_there, why }) => {
                // A Secret that may yet come is deleted long enough after the request has ended.
                let now = whole_seconds(now + began.elapsed());
                let signing_keys = unmade(&status.signing_keys, maybe_there, now);
                (WebhookScheduleStatus { signing_keys, ..status }, failed(&schedule, why, now))
            }
        };
        if why.is_none() {
            self.unmade.forget(&ObjectRef::from_obj(&schedule));
        }
        Ok(self.say(&schedule, &status).await?.map(|schedule| (schedule, why)))
    }

    /// Deletes those of a schedule's Secrets that no delivery under way or to come has mounted. Returns the names of those that
    /// are gone, and the first problem: that CronJob and Jobs can't be read, or that a Secret can't be deleted. One that can't
    /// holds up no other.
    pub(crate) async fn delete(
        &self,
        schedule: &WebhookSchedule,
        unused: Vec<String>,
    ) -> (Vec<String>, Result<(), ApplyError>) {
        let mut gone = Vec::new();
        if unused.is_empty() {
            return (gone, Ok(()));
        }
        let mounted = match self.mounted(schedule).await {
            Ok(mounted) => mounted,
            Err(error) => return (gone, Err(error)),
        };
        let mut result = Ok(());
        for name in unused.into_iter().filter(|name| !mounted.contains(name)) {
            match self.delete_one(schedule, &name).await {
                Ok(()) => gone.push(name),
                Err(source) => result = result.and(Err(ApplyError::Api { kind: "Secret".into(), name, source })),
            }
        }
        (gone, result)
    }

    async fn delete_one(&self, schedule: &WebhookSchedule, name: &str) -> Result<(), kube::Error> {
        let request = Request::new(url(schedule)).delete(name, &DeleteParams::background());
        let mut request = request.map_err(kube::Error::BuildRequest)?;
        request.headers_mut().insert(ACCEPT, METADATA_ALONE);
        match self.client.request_text(request).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(drop),
        }
    }

    /// What the schedule is once its status says this; `None` when it was changed or deleted since.
    async fn say(
        &self,
        schedule: &WebhookSchedule,
        status: &WebhookScheduleStatus,
    ) -> Result<Option<WebhookSchedule>, kube::Error> {
        replace_status(schedule, status, self.client, self.written).await
    }

    async fn create(&self, schedule: &WebhookSchedule, key: NewKey) -> Result<(), NotThere> {
        let unsent = |_| NotThere { maybe_there: false, why: "the Secret can't be written as JSON".into() };
        let body = key.secret(schedule).map_err(unsent)?;
        let request = Request::new(url(schedule)).create(&by_postern(), body);
        let mut request =
            request.map_err(|_| NotThere { maybe_there: false, why: "the request can't be written".into() })?;
        request.headers_mut().insert(ACCEPT, METADATA_ALONE);
        // Of an answer nothing but its code is told on: an admission webhook may have put the whole Secret into it.
        match timeout(POST_WITHIN, self.client.request_text(request)).await {
            Ok(Ok(_)) => Ok(()),
            // By 409, the name is another's: the client sends nothing twice.
            Ok(Err(kube::Error::Api(status))) if (400..500).contains(&status.code) && status.code != 408 => {
                let why = format!("the API server answered {} to its Secret", status.code);
                Err(NotThere { maybe_there: false, why })
            }
            Ok(Err(_)) | Err(_) => {
                Err(NotThere { maybe_there: true, why: "the API server didn't say what became of its Secret".into() })
            }
        }
    }

    /// The Secrets that the deliveries under way have mounted, and those to come, whatever a cache shows.
    async fn mounted(&self, schedule: &WebhookSchedule) -> Result<BTreeSet<String>, ApplyError> {
        let (name, namespace) = (schedule.name_any(), schedule.namespace().unwrap_or_default());
        let cron_jobs: Api<CronJob> = Api::namespaced(self.client.clone(), &namespace);
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), &namespace);
        let failed = |source| ApplyError::Api { kind: "Jobs of WebhookSchedule".into(), name: name.clone(), source };
        // In this order: what the CronJob makes in between is listed.
        let cron_job = cron_jobs.get_opt(&names::cron_job(&name)).await.map_err(failed)?;
        let theirs = ListParams::default().labels(&names::selector(&name));
        let jobs = jobs.list(&theirs).await.map_err(failed)?;
        // Anyone may give a Job that label, or a CronJob that name.
        let uid = schedule.uid();
        let cron_job = cron_job.filter(|cron_job| is_controlled_by(cron_job, uid.as_deref()));
        let owners = [uid, cron_job.as_ref().and_then(ResourceExt::uid)];
        let is_own = |job: &Job| owners.iter().any(|owner| is_controlled_by(job, owner.as_deref()));
        let to_come = cron_job.and_then(|cron_job| cron_job.spec.job_template.spec);
        let under_way = jobs.items.into_iter().filter(|job| is_own(job) && !is_over(job)).filter_map(|job| job.spec);
        Ok(to_come.into_iter().chain(under_way).flat_map(|job| secrets_of(job.template)).collect())
    }
}

/// A Secret that was not made, as far as is known.
struct NotThere {
    maybe_there: bool,
    why: String,
}

/// The Secrets that a pod mounts as the sender's folder.
fn secrets_of(template: PodTemplateSpec) -> impl Iterator<Item = String> {
    let volumes = template.spec.and_then(|spec| spec.volumes).into_iter().flatten();
    let sources = volumes.filter_map(|volume| volume.projected?.sources).flatten();
    sources.filter_map(|source| Some(source.secret?.name))
}

fn url(schedule: &WebhookSchedule) -> String {
    Secret::url_path(&(), Some(&schedule.namespace().unwrap_or_default()))
}

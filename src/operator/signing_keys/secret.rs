//! Creates and deletes the Secrets of signing keys. Nothing here asks for a Secret's content: the API server is told to answer
//! with metadata only.

use std::collections::BTreeSet;
use std::time::Duration;

use hyper::header::{ACCEPT, HeaderValue};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{PodTemplateSpec, Secret};
use kube::api::{DeleteParams, ListParams, Request};
use kube::{Api, Client, Resource, ResourceExt};
use tokio::time::timeout;

use super::key::NewKey;
use crate::api::WebhookSchedule;
use crate::operator::kubernetes::apply::{ApplyError, by_postern};
use crate::operator::kubernetes::job::is_over;
use crate::operator::kubernetes::owner::is_controlled_by;
use crate::operator::names;

/// The `Accept` header for requests about Secrets: metadata without the content.
const METADATA_ALONE: HeaderValue =
    HeaderValue::from_static("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
/// How long the API server may take to create a Secret: as long as it waits for an admission webhook.
const POST_WITHIN: Duration = Duration::from_secs(30);

/// A Secret that was not created, as far as is known.
pub(super) struct NotMade {
    /// Whether it may exist nevertheless.
    pub(super) maybe_there: bool,
    pub(super) why: String,
}

/// Creates the Secret of a key.
pub(super) async fn create(client: &Client, schedule: &WebhookSchedule, key: NewKey) -> Result<(), NotMade> {
    let unsent = |why: &str| NotMade { maybe_there: false, why: why.into() };
    let body = key.secret(schedule).map_err(|_| unsent("the Secret can't be written as JSON"))?;
    let request = Request::new(url(schedule)).create(&by_postern(), body);
    let mut request = request.map_err(|_| unsent("the request can't be written"))?;
    request.headers_mut().insert(ACCEPT, METADATA_ALONE);
    // Use only the code of an answer: an admission webhook may have put the whole Secret into its text.
    match timeout(POST_WITHIN, client.request_text(request)).await {
        Ok(Ok(_)) => Ok(()),
        // With 409, the name belongs to somebody else's Secret: the client sends nothing twice.
        Ok(Err(kube::Error::Api(status))) if (400..500).contains(&status.code) && status.code != 408 => {
            Err(unsent(&format!("the API server answered {} when asked to make its Secret", status.code)))
        }
        Ok(Err(_)) | Err(_) => {
            Err(NotMade { maybe_there: true, why: "the API server didn't say whether its Secret was made".into() })
        }
    }
}

/// Deletes those of a schedule's unused Secrets that no running or future delivery mounts. Returns the names of the deleted
/// ones, and the first problem: the CronJob and Jobs can't be read, or a Secret can't be deleted. A Secret that can't be
/// deleted doesn't hold up the others.
pub(super) async fn delete(
    client: &Client,
    schedule: &WebhookSchedule,
    unused: Vec<String>,
) -> (Vec<String>, Result<(), ApplyError>) {
    let mut deleted = Vec::new();
    if unused.is_empty() {
        return (deleted, Ok(()));
    }
    let mounted = match mounted(client, schedule).await {
        Ok(mounted) => mounted,
        Err(error) => return (deleted, Err(error)),
    };
    let mut result = Ok(());
    for name in unused.into_iter().filter(|name| !mounted.contains(name)) {
        match delete_one(client, schedule, &name).await {
            Ok(()) => deleted.push(name),
            Err(source) => result = result.and(Err(ApplyError::Api { kind: "Secret".into(), name, source })),
        }
    }
    (deleted, result)
}

async fn delete_one(client: &Client, schedule: &WebhookSchedule, name: &str) -> Result<(), kube::Error> {
    let request = Request::new(url(schedule)).delete(name, &DeleteParams::background());
    let mut request = request.map_err(kube::Error::BuildRequest)?;
    request.headers_mut().insert(ACCEPT, METADATA_ALONE);
    match client.request_text(request).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(drop),
    }
}

/// The Secrets that running deliveries have mounted and that future ones will mount, read from the API server and not from a
/// cache.
async fn mounted(client: &Client, schedule: &WebhookSchedule) -> Result<BTreeSet<String>, ApplyError> {
    let (name, namespace) = (schedule.name_any(), schedule.namespace().unwrap_or_default());
    let cron_jobs: Api<CronJob> = Api::namespaced(client.clone(), &namespace);
    let jobs: Api<Job> = Api::namespaced(client.clone(), &namespace);
    let failed = |source| ApplyError::Api { kind: "Jobs of WebhookSchedule".into(), name: name.clone(), source };
    // Read the CronJob first: the list then includes any Job that it makes in between.
    let cron_job = cron_jobs.get_opt(&names::cron_job(&name)).await.map_err(failed)?;
    let theirs = ListParams::default().labels(&names::selector(&name));
    let jobs = jobs.list(&theirs).await.map_err(failed)?;
    // Anyone may give a Job that label, or a CronJob that name.
    let uid = schedule.uid();
    let cron_job = cron_job.filter(|cron_job| is_controlled_by(cron_job, uid.as_deref()));
    let owners = [uid, cron_job.as_ref().and_then(ResourceExt::uid)];
    let is_own = |job: &Job| owners.iter().any(|owner| is_controlled_by(job, owner.as_deref()));
    let under_way = jobs.items.iter().filter(|job| is_own(job) && !is_over(job)).filter_map(|job| job.spec.as_ref());
    let under_way = under_way.flat_map(|job| secrets_of(&job.template));
    Ok(cron_job.as_ref().map(mounted_by).into_iter().flatten().chain(under_way).collect())
}

/// The Secrets that the deliveries of a CronJob will mount.
pub(super) fn mounted_by(cron_job: &CronJob) -> BTreeSet<String> {
    let job = cron_job.spec.job_template.spec.as_ref();
    job.map(|job| secrets_of(&job.template).collect()).unwrap_or_default()
}

/// The Secrets that a pod mounts in the sender's folder.
fn secrets_of(template: &PodTemplateSpec) -> impl Iterator<Item = String> {
    let volumes = template.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let sources = volumes.filter_map(|volume| volume.projected.as_ref()?.sources.as_ref()).flatten();
    sources.filter_map(|source| Some(source.secret.as_ref()?.name.clone()))
}

fn url(schedule: &WebhookSchedule) -> String {
    Secret::url_path(&(), Some(&schedule.namespace().unwrap_or_default()))
}

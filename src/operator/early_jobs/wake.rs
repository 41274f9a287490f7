//! Wakes the CronJob controller: any change of a CronJob does.

use k8s_openapi::api::batch::v1::CronJob;
use kube::{Api, Client, ResourceExt};

use crate::operator::kubernetes::apply::{ApplyError, by_postern};
use crate::operator::names::WOKEN_ANNOTATION;

/// Notes in a CronJob which due time has passed, in Unix seconds. A CronJob that was changed since wakes the controller anyway.
pub(super) async fn wake(client: &Client, cron_job: &CronJob, time: i64) -> Result<(), ApplyError> {
    let api: Api<CronJob> = Api::namespaced(client.clone(), &cron_job.namespace().unwrap_or_default());
    let (name, mut woken) = (cron_job.name_any(), cron_job.clone());
    woken.annotations_mut().insert(WOKEN_ANNOTATION.into(), time.to_string());
    match api.replace(&name, &by_postern(), &woken).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(source) => Err(ApplyError::Api { kind: "CronJob".into(), name, source }),
    }
}

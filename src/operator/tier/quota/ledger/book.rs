//! One namespace's record, and what is known about it.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ObjectMeta, Preconditions};
use kube::{Api, ResourceExt as _};
use tokio::time::Instant;

use super::PACE;
use crate::operator::kubernetes::apply::by_postern;
use crate::operator::names::{self, MANAGED_BY_LABEL, MANAGER};
use crate::operator::tier::quota::usage::{Part, ScheduleId, Usage};

/// What is known about a record.
#[derive(Default)]
pub(super) struct Book {
    /// What the record holds, if `place` is known.
    written: Usage,
    place: Place,
    written_at: Option<Instant>,
}

/// The object that a write replaces.
#[derive(Default)]
pub(super) enum Place {
    /// The object doesn't exist.
    #[default]
    None,
    /// Exactly this object, in this version.
    At { uid: Option<String>, version: Option<String> },
    /// It has to be read first: an answer was lost, or somebody else has written.
    Unknown,
}

impl Place {
    pub(super) fn of(record: &ConfigMap) -> Self {
        Self::At { uid: record.uid(), version: record.resource_version() }
    }
}

impl Book {
    /// A record that was read; `None` when it could not be parsed, so that it is replaced.
    pub(super) fn read(place: Place, usage: Option<Usage>) -> Self {
        let place = if usage.is_some() { place } else { Place::Unknown };
        Self { written: usage.unwrap_or_default(), place, written_at: None }
    }

    /// Whether the record holds this.
    pub(super) fn says(&self, usage: &Usage, now: i64) -> bool {
        let written = self.written.clone().at(now);
        self.is_known() && (written == *usage || written.is_empty() && usage.is_empty())
    }

    /// Whether the record holds this part of a schedule.
    pub(super) fn holds(&self, schedule: ScheduleId, part: Part, now: i64) -> bool {
        self.is_known() && self.written.holds(schedule, part, now)
    }

    fn is_known(&self) -> bool {
        !matches!(self.place, Place::Unknown)
    }

    /// How long the next write has to wait for the rate limit.
    pub(super) fn wait(&self) -> Option<Duration> {
        let wait = PACE.checked_sub(self.written_at?.elapsed())?;
        Some(wait).filter(|wait| !wait.is_zero())
    }

    /// When the record no longer matters, in Unix seconds.
    pub(super) fn end(&self) -> Option<i64> {
        self.written.ends()
    }

    /// Whether there is no record.
    pub(super) fn is_blank(&self) -> bool {
        matches!(self.place, Place::None)
    }

    /// Writes what a namespace uses.
    ///
    /// It is an error when somebody else has written since, or when the answer is lost. An operator that retries is still the
    /// leader, so it may replace whatever the record holds by then.
    pub(super) async fn write(
        &mut self,
        api: &Api<ConfigMap>,
        namespace: &str,
        usage: Usage,
    ) -> Result<(), kube::Error> {
        let name = names::usage(namespace);
        // From here on, the record's content is unknown until the API server answers.
        let mut place = std::mem::replace(&mut self.place, Place::Unknown);
        if matches!(place, Place::Unknown) {
            place = api.get_opt(&name).await?.as_ref().map_or(Place::None, Place::of);
        }
        let mut record = usage.write().map_err(kube::Error::SerdeError)?;
        record.metadata = ObjectMeta {
            name: Some(name.clone()),
            labels: Some(BTreeMap::from([(MANAGED_BY_LABEL.into(), MANAGER.into())])),
            ..ObjectMeta::default()
        };
        let written = match place {
            Place::At { uid, version } => {
                (record.metadata.uid, record.metadata.resource_version) = (uid, version);
                api.replace(&name, &by_postern(), &record).await?
            }
            Place::None | Place::Unknown => api.create(&by_postern(), &record).await?,
        };
        (self.place, self.written, self.written_at) = (Place::of(&written), usage, Some(Instant::now()));
        Ok(())
    }

    /// Deletes the record, if it exists.
    pub(super) async fn delete(&mut self, api: &Api<ConfigMap>, namespace: &str) -> Result<(), kube::Error> {
        let name = names::usage(namespace);
        let mut place = std::mem::replace(&mut self.place, Place::Unknown);
        if matches!(place, Place::Unknown) {
            place = api.get_opt(&name).await?.as_ref().map_or(Place::None, Place::of);
        }
        if let Place::At { uid, version } = place {
            let this = Preconditions { uid, resource_version: version };
            match api.delete(&name, &DeleteParams::default().preconditions(this)).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                other => drop(other?),
            }
        }
        *self = Self::default();
        Ok(())
    }
}

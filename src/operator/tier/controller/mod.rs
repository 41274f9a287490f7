//! What the status of a tier says: how many use it, and whether it is in force.
//!
//! The numbers are counted anew over the caches at each look. Looks are wanted when a tier's spec, the members of a tier or
//! their schedules change; a look that finds nothing new writes nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use kube::{Api, Client, ResourceExt};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::api::{WebhookSchedule, WebhookTier, WebhookTierStatus};
use crate::operator::kubernetes::backoff::Failures;
use crate::operator::kubernetes::condition::Fact;
use crate::operator::kubernetes::text::named;
use crate::operator::schedule::observe::Stores;
use crate::operator::settings::Settings;
use crate::operator::validate::problem_of;

/// The least time between two writes of one tier's status, which is what bounds them: of a thousand schedules that are made at
/// once, the first is counted at once, and the others together. A debounce wouldn't do: kube's begins anew with each event,
/// so that a tenant who makes and deletes schedules without end would keep the status from ever being written.
const PACE: Duration = Duration::from_secs(2);

/// What every look shares.
pub(crate) struct Census {
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    pub(crate) schedules: Store<WebhookSchedule>,
    pub(crate) stores: Arc<Stores>,
    pub(crate) failures: Failures,
    pub(crate) written: Written,
}

/// A tier's status can't be written.
#[derive(Debug, thiserror::Error)]
#[error("status of the WebhookTier {tier}: {source}")]
pub(crate) struct TierStatusError {
    tier: String,
    source: kube::Error,
}

/// Says in a tier's status what is new.
pub(crate) async fn look(tier: Arc<WebhookTier>, census: Arc<Census>) -> Result<Action, TierStatusError> {
    let Census { client, settings, schedules, stores, failures, written } = &*census;
    let name = tier.name_any();
    if let Some(wait) = written.wait(&tier) {
        return Ok(Action::requeue(wait));
    }
    if !census.is_ours(&tier) {
        return Ok(Action::await_change());
    }
    let used = Used::of(&stores.membership.schedules(&name, schedules));
    let rivals = stores.membership.rivals(&tier);
    let new = tier_status(&tier, &rivals, problem_of(&tier, settings), used, Timestamp::now());
    if tier.status.as_ref() != Some(&new) {
        let whole = WebhookTier { status: Some(new), ..(*tier).clone() };
        let api: Api<WebhookTier> = Api::all(client.clone());
        match api.replace_status(&name, &PostParams::default(), &whole).await {
            Ok(by) => written.note(&tier, &by),
            // Another version is there that the watch is about to tell of, and it may be no reason for a look.
            Err(kube::Error::Api(status)) if status.code == 409 => return Ok(Action::requeue(PACE)),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(source) => return Err(TierStatusError { tier: name, source }),
        }
    }
    failures.forget(&name);
    Ok(Action::await_change())
}

/// Tries again what failed.
#[expect(clippy::needless_pass_by_value, reason = "the controller calls it so")]
pub(crate) fn on_error(tier: Arc<WebhookTier>, error: &TierStatusError, census: Arc<Census>) -> Action {
    tracing::warn!(%error, "a tier's status could not be written; it is tried again");
    Action::requeue(census.failures.wait(&tier.name_any()))
}

impl Census {
    /// Whether this operator writes the tier's status. One that works in some namespaces only leaves a tier alone that none of
    /// them is in or was in: another operator may know more of it, and each would write over what the other one counted.
    fn is_ours(&self, tier: &WebhookTier) -> bool {
        let (name, watched) = (tier.name_any(), &self.settings.watch_namespaces);
        let membership = &self.stores.membership;
        watched.is_empty()
            || self.written.has(&name)
            || watched.iter().any(|namespace| membership.names(namespace, &name, tier.spec.default))
    }

    /// Forgets a tier that is no more.
    pub(crate) fn forget(&self, tier: &str) {
        self.written.0.lock().remove(tier);
        self.failures.forget(tier);
    }
}

/// How many use a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Used {
    namespaces: u32,
    schedules: u32,
}

impl Used {
    fn of(schedules: &[Arc<WebhookSchedule>]) -> Self {
        let namespaces: HashSet<_> = schedules.iter().map(|schedule| schedule.metadata.namespace.as_deref()).collect();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self { namespaces: number(namespaces.len()), schedules: number(schedules.len()) }
    }
}

/// The status of a tier that so many use, that these say to be the default beside, and that has this problem.
fn tier_status(
    tier: &WebhookTier,
    rivals: &[String],
    problem: Option<String>,
    used: Used,
    now: Timestamp,
) -> WebhookTierStatus {
    let several = (!rivals.is_empty()).then(|| {
        let message = format!(
            "spec.default: it is true here and in {}: set it to false in all but one; until then, namespaces without the \
             label postern.dev/tier are in no tier",
            named(rivals)
        );
        ("SeveralDefaultTiers", message)
    });
    let invalid = problem.map(|problem| {
        ("TierInvalid", format!("{problem}; nothing is sent from the tier's namespaces until it is corrected"))
    });
    let wrong: Vec<_> = several.into_iter().chain(invalid).collect();
    let ready = match wrong.first() {
        None => Fact::new("Ready", "True", "Ready", "the tier is in force"),
        Some((reason, _)) => {
            let messages: Vec<_> = wrong.iter().map(|(_, message)| message.as_str()).collect();
            Fact::new("Ready", "False", *reason, messages.join("; "))
        }
    };
    let old = tier.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    WebhookTierStatus {
        observed_generation: tier.metadata.generation,
        conditions: vec![ready.condition(old, tier.metadata.generation, now)],
        namespaces: used.namespaces,
        schedules: used.schedules,
    }
}

/// When each tier's status was written last, and over which version of the tier.
#[derive(Default)]
pub(crate) struct Written(Mutex<HashMap<String, (Option<String>, Instant)>>);

impl Written {
    /// Notes what was written over a version. What the API server found to be no change, no watch will tell of.
    fn note(&self, replaced: &WebhookTier, by: &WebhookTier) {
        let version = replaced.resource_version().filter(|_| replaced.resource_version() != by.resource_version());
        self.0.lock().insert(replaced.name_any(), (version, Instant::now()));
    }

    /// How long to wait before a tier is looked at: while the last write is too fresh, or the cache doesn't show it yet.
    fn wait(&self, cached: &WebhookTier) -> Option<Duration> {
        let last = self.0.lock();
        let (version, at) = last.get(&cached.name_any())?;
        if version.is_some() && *version == cached.resource_version() {
            return Some(PACE);
        }
        PACE.checked_sub(at.elapsed()).filter(|rest| !rest.is_zero())
    }

    fn has(&self, tier: &str) -> bool {
        self.0.lock().contains_key(tier)
    }
}

#[cfg(test)]
mod tests;

//! The controller of tiers: it writes into a tier's status how many schedules and namespaces use it, and whether it is in
//! force.
//!
//! Each reconcile counts over the caches. A tier is reconciled when its spec, its member namespaces or their schedules change;
//! a reconcile that finds nothing new writes nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::egress_rules::problem_of;
use super::membership::Membership;
use crate::api::{WebhookSchedule, WebhookTier, WebhookTierStatus};
use crate::operator::cache::caches::Caches;
use crate::operator::kubernetes::condition::ConditionUpdate;
use crate::operator::kubernetes::consistency::ConsistencyStore;
use crate::operator::kubernetes::controller::{Action, Reconcile};
use crate::operator::kubernetes::text::named;
use crate::operator::settings::Settings;

/// The least time between two writes of one tier's status, which limits their rate: of a thousand schedules that are made at
/// once, the first is counted at once, and the others together. A debounce wouldn't work: kube's restarts with each event, so a
/// tenant who makes and deletes schedules without end would keep the status from ever being written.
const PACE: Duration = Duration::from_secs(2);

/// What every reconcile of tiers shares.
pub(crate) struct TierReconciler {
    client: Client,
    settings: Settings,
    caches: Arc<Caches>,
    membership: Membership,
    consistency: Arc<ConsistencyStore>,
    /// When each tier's status was last written.
    last_written: Mutex<HashMap<String, Instant>>,
    /// The tiers whose users this operator has counted.
    counted: Mutex<HashSet<String>>,
}

/// A tier's status can't be written.
#[derive(Debug, thiserror::Error)]
#[error("status of the WebhookTier {tier}: {source}")]
pub(crate) struct TierStatusError {
    tier: String,
    source: kube::Error,
}

impl Reconcile for TierReconciler {
    type Kind = WebhookTier;
    type Error = TierStatusError;
    const NAME: &'static str = "tier";

    /// Writes a tier's status, if it changed.
    async fn reconcile(&self, tier: Arc<WebhookTier>) -> Result<Action, TierStatusError> {
        let name = tier.name_any();
        if self.consistency.ensure_ready(&*tier, Some(&*tier)).is_err() {
            return Ok(Action::requeue(PACE));
        }
        let since = self.last_written.lock().get(&name).map(Instant::elapsed);
        if let Some(rest) = since.and_then(|since| PACE.checked_sub(since)).filter(|rest| !rest.is_zero()) {
            return Ok(Action::requeue(rest));
        }
        let Some(used) = self.used(&tier) else { return Ok(Action::await_change()) };
        let rivals = self.membership.rivals(&tier);
        let in_force = in_force(&tier, self.settings.makes_early_jobs);
        let new = tier_status(&tier, &rivals, problem_of(&tier, &self.settings), in_force, used, Timestamp::now());
        if tier.status.as_ref() != Some(&new) {
            let whole = WebhookTier { status: Some(new), ..(*tier).clone() };
            let api: Api<WebhookTier> = Api::all(self.client.clone());
            match api.replace_status(&name, &PostParams::default(), &whole).await {
                Ok(by) => {
                    self.consistency.wrote_at(&*tier, Some(&*tier), &by);
                    self.last_written.lock().insert(name, Instant::now());
                }
                // The watch is about to show another version, which may not trigger a reconcile.
                Err(kube::Error::Api(status)) if status.code == 409 => return Ok(Action::requeue(PACE)),
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(source) => return Err(TierStatusError { tier: name, source }),
            }
        }
        Ok(Action::await_change())
    }

    /// Forgets a deleted tier.
    fn forget(&self, tier: &ObjectRef<WebhookTier>) {
        self.last_written.lock().remove(&tier.name);
        self.counted.lock().remove(&tier.name);
        self.consistency.clear("", &tier.name);
    }
}

impl TierReconciler {
    pub(crate) fn new(
        client: Client,
        settings: Settings,
        caches: Arc<Caches>,
        membership: Membership,
        consistency: Arc<ConsistencyStore>,
    ) -> Self {
        Self {
            client,
            settings,
            caches,
            membership,
            consistency,
            last_written: Mutex::default(),
            counted: Mutex::default(),
        }
    }

    /// How many use a tier, by the status that is to be written; `None` when another operator may know more, and this one has
    /// nothing to say.
    fn used(&self, tier: &WebhookTier) -> Option<Used> {
        let name = tier.name_any();
        if self.counts(tier) {
            self.counted.lock().insert(name.clone());
            return Some(Used::of(&self.membership.schedules(&name, &self.caches.schedules)));
        }
        let status = tier.status.as_ref().filter(|status| status.observed_generation == tier.metadata.generation);
        status.is_none().then(|| Used::written(tier))
    }

    /// Whether this operator counts who uses a tier. An operator that is limited to some namespaces doesn't, if none of them is
    /// or was in the tier: each would overwrite what the other counted.
    fn counts(&self, tier: &WebhookTier) -> bool {
        let (name, watched) = (tier.name_any(), &self.settings.watch_namespaces);
        watched.is_empty()
            || self.counted.lock().contains(&name)
            || watched.iter().any(|namespace| self.membership.names(namespace, &name, tier.spec.default))
    }
}

/// How many use a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Used {
    namespaces: u32,
    schedules: u32,
}

impl Used {
    /// What the status says already.
    fn written(tier: &WebhookTier) -> Self {
        let of = |count: fn(&WebhookTierStatus) -> u32| tier.status.as_ref().map_or(0, count);
        Self { namespaces: of(|status| status.namespaces), schedules: of(|status| status.schedules) }
    }

    fn of(schedules: &[ObjectRef<WebhookSchedule>]) -> Self {
        let namespaces: HashSet<_> = schedules.iter().map(|schedule| schedule.namespace.as_deref()).collect();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self { namespaces: number(namespaces.len()), schedules: number(schedules.len()) }
    }
}

/// What a tier says that nothing is wrong with.
fn in_force(tier: &WebhookTier, makes_early_jobs: bool) -> &'static str {
    if tier.spec.lead.as_secs() == 0 || makes_early_jobs {
        "the tier is in force"
    } else {
        "the tier is in force, but spec.lead has no effect: it needs Kubernetes 1.37 or later, and a delivery.maxEarly of the \
         installation that isn't 0"
    }
}

/// The status of a tier with these users, these other tiers that claim to be the default, and this problem; without either, with
/// this message.
fn tier_status(
    tier: &WebhookTier,
    rivals: &[String],
    problem: Option<String>,
    in_force: &str,
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
    let facts = match wrong.first() {
        None => vec![ConditionUpdate::new("Ready", "True", "Ready", in_force)],
        Some((reason, _)) => {
            let messages: Vec<_> = wrong.iter().map(|(_, message)| message.as_str()).collect();
            let fact = |kind, status| ConditionUpdate::new(kind, status, *reason, messages.join("; "));
            // In the sense of kstatus: only an admin can change it.
            vec![fact("Ready", "False"), fact("Stalled", "True")]
        }
    };
    let old = tier.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    WebhookTierStatus {
        observed_generation: tier.metadata.generation,
        conditions: facts.into_iter().map(|fact| fact.condition(old, tier.metadata.generation, now)).collect(),
        namespaces: used.namespaces,
        schedules: used.schedules,
    }
}

#[cfg(test)]
mod tests;

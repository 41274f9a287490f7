//! Which tier a namespace is in, and which objects a change of a tier affects. It reads only caches.
//!
//! A namespace is in the tier that its label names, or in the default tier when it has no label.

use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use crate::api::{TIER_LABEL, WebhookSchedule, WebhookTier};
use crate::operator::cache::caches::NamespaceMetadata;
use crate::operator::cache::indexed::Indexed;
use crate::operator::cache::watches::Change;
use crate::operator::kubernetes::text::named;

/// Why a namespace is in no usable tier. For its schedules, each variant is a reason and a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TierError {
    /// The namespace's tier doesn't exist.
    #[error(
        "the label postern.dev/tier of this namespace names the tier {0:?}, and there is no such WebhookTier: ask your admin"
    )]
    NotFound(String),
    /// The namespace names no tier, and there is no default.
    #[error("this namespace has no label postern.dev/tier, and no WebhookTier is the default: ask your admin")]
    NoDefault,
    /// The namespace names no tier, and several tiers claim to be the default.
    #[error(
        "this namespace has no label postern.dev/tier, and the WebhookTiers {0} all are the default: ask your admin"
    )]
    SeveralDefaults(String),
    /// The tier holds something that can't be parsed.
    #[error("the WebhookTier {tier} has a mistake, so nothing is sent: {problem}; ask your admin")]
    Invalid {
        /// The tier's name.
        tier: String,
        /// What is wrong, with the field's path.
        problem: String,
    },
}

impl TierError {
    /// The reason of the schedule's condition.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "TierNotFound",
            Self::NoDefault => "NoDefaultTier",
            Self::SeveralDefaults(_) => "SeveralDefaultTiers",
            Self::Invalid { .. } => "TierInvalid",
        }
    }
}

/// The caches of tiers and namespaces.
#[derive(Clone)]
pub(crate) struct Membership {
    pub(crate) tiers: Indexed<WebhookTier>,
    pub(crate) namespaces: Indexed<NamespaceMetadata>,
}

impl Membership {
    /// The tier that a namespace is in.
    ///
    /// # Errors
    /// When the named tier doesn't exist, or when there is no default or more than one.
    pub(crate) fn tier(&self, namespace: &str) -> Result<Arc<WebhookTier>, TierError> {
        let namespace = self.namespaces.get("", namespace);
        match namespace.as_deref().and_then(label) {
            Some(name) => self.tiers.get("", name).ok_or_else(|| TierError::NotFound(name.into())),
            None => self.default_tier(),
        }
    }

    fn default_tier(&self) -> Result<Arc<WebhookTier>, TierError> {
        let mut defaults = self.defaults();
        match defaults.len() {
            0 | 1 => defaults.pop().ok_or(TierError::NoDefault),
            _ => Err(TierError::SeveralDefaults(named(&names(&defaults)))),
        }
    }

    /// The tiers that claim to be the default, sorted by name.
    fn defaults(&self) -> Vec<Arc<WebhookTier>> {
        let mut defaults: Vec<_> = self.tiers.all().filter(|tier| tier.spec.default).collect();
        defaults.sort_by_key(|tier| tier.name_any());
        defaults
    }

    /// The other tiers that claim to be the default, when this one does.
    pub(crate) fn rivals(&self, tier: &WebhookTier) -> Vec<String> {
        let own = tier.name_any();
        let defaults = if tier.spec.default { self.defaults() } else { Vec::new() };
        names(&defaults).into_iter().filter(|name| *name != own).collect()
    }

    /// The schedules in a tier.
    pub(crate) fn schedules(&self, tier: &str, all: &Indexed<WebhookSchedule>) -> Vec<ObjectRef<WebhookSchedule>> {
        let is_default = self.default_tier().is_ok_and(|default| default.name_any() == tier);
        self.schedules_of(tier, is_default, all)
    }

    /// Whether a namespace names a tier; for one that names none, the answer is `unlabelled`.
    pub(crate) fn names(&self, namespace: &str, tier: &str, unlabelled: bool) -> bool {
        let namespace = self.namespaces.get("", namespace);
        namespace.as_deref().and_then(label).map_or(unlabelled, |name| name == tier)
    }

    fn schedules_of(
        &self,
        tier: &str,
        unlabelled: bool,
        all: &Indexed<WebhookSchedule>,
    ) -> Vec<ObjectRef<WebhookSchedule>> {
        let mut namespaces = all.namespaces();
        namespaces.retain(|namespace| self.names(namespace, tier, unlabelled));
        namespaces.iter().flat_map(|namespace| all.refs_in_namespace(namespace)).collect()
    }

    /// The schedules that a change of a tier affects: those in namespaces that name it and, when it is or was a default, those
    /// in namespaces that name none. A change of only its status affects none.
    pub(crate) fn concerned(
        &self,
        tier: &WebhookTier,
        change: &Change<WebhookTier>,
        all: &Indexed<WebhookSchedule>,
    ) -> Vec<ObjectRef<WebhookSchedule>> {
        let before = change.before();
        if before.is_some_and(|before| before.spec == tier.spec) {
            return Vec::new();
        }
        self.schedules_of(&tier.name_any(), is_or_was_default(tier, before), all)
    }

    /// The tiers whose status a change of a tier may affect: itself, and the defaults when it is or was one of them. A change
    /// of only its status or annotations affects none.
    pub(crate) fn tiers_by_tier(&self, tier: &WebhookTier, change: &Change<WebhookTier>) -> Vec<String> {
        let before = change.before();
        let is_same = |before: &WebhookTier| {
            (&before.metadata.uid, before.metadata.generation) == (&tier.metadata.uid, tier.metadata.generation)
        };
        if before.is_some_and(is_same) {
            return Vec::new();
        }
        let rivals = if is_or_was_default(tier, before) { names(&self.defaults()) } else { Vec::new() };
        rivals.into_iter().chain([tier.name_any()]).collect()
    }

    /// The tiers that lose or gain a namespace when it changes. A namespace that isn't known counts as one without a label.
    pub(crate) fn tiers_by_namespace(
        &self,
        namespace: &NamespaceMetadata,
        change: &Change<NamespaceMetadata>,
    ) -> Vec<String> {
        let before = change.before().and_then(label);
        self.named(label(namespace)).into_iter().chain(self.named(before)).collect()
    }

    /// The tier that gains or loses a schedule when one in this namespace is created or deleted.
    pub(crate) fn tiers_by_schedule(&self, namespace: &str) -> Vec<String> {
        let namespace = self.namespaces.get("", namespace);
        self.named(namespace.as_deref().and_then(label))
    }

    fn named(&self, label: Option<&str>) -> Vec<String> {
        label.map_or_else(|| names(&self.defaults()), |name| vec![name.into()])
    }
}

/// Whether the change affects a namespace's tier, or the namespace appears, terminates or is deleted.
pub(crate) fn is_news(namespace: &NamespaceMetadata, change: &Change<NamespaceMetadata>) -> bool {
    change.before().is_none_or(|before| {
        let is_ending = |namespace: &NamespaceMetadata| namespace.metadata.deletion_timestamp.is_some();
        (label(before), is_ending(before)) != (label(namespace), is_ending(namespace))
    })
}

fn label(namespace: &NamespaceMetadata) -> Option<&str> {
    namespace.labels().get(TIER_LABEL).map(String::as_str)
}

fn is_or_was_default(tier: &WebhookTier, before: Option<&WebhookTier>) -> bool {
    tier.spec.default || before.is_some_and(|before| before.spec.default)
}

fn names(tiers: &[Arc<WebhookTier>]) -> Vec<String> {
    tiers.iter().map(|tier| tier.name_any()).collect()
}

#[cfg(test)]
mod tests;

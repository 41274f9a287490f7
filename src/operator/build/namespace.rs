//! What a namespace with schedules has once: an account without permissions, and the policy that applies to its senders.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::network_policy::network_policy;
use crate::egress::Rules;
use crate::operator::names;
use crate::operator::settings::Settings;

/// The children of a namespace.
#[derive(Debug, Clone)]
pub struct NamespaceChildren {
    /// The senders' account. It has no permissions, and its token isn't mounted.
    pub service_account: ServiceAccount,
    /// The senders' policy. It opens name servers and the world, except everything internal.
    pub network_policy: NetworkPolicy,
}

/// The children of a namespace whose tier has these rules.
#[must_use]
pub fn namespace_children(namespace: &str, rules: &Rules, settings: &Settings) -> NamespaceChildren {
    let metadata = ObjectMeta {
        name: Some(names::SENDER_CHILDREN.into()),
        namespace: Some(namespace.into()),
        labels: Some(names::common_labels()),
        ..ObjectMeta::default()
    };
    let service_account = ServiceAccount {
        metadata: metadata.clone(),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    };
    let network_policy = NetworkPolicy { metadata, spec: Some(network_policy(rules, settings)) };
    NamespaceChildren { service_account, network_policy }
}

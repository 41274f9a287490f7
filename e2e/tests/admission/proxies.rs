//! The API server's proxy for pods and Services, which accepts a scheme and a port beside the name.

use postern_e2e::Cluster;
use serde_json::json;

use super::children::PODS;
use super::lock::NAMES;
use super::people::{ALICE, Answer, As, CAROL, refused_by};

const SERVICES: &str = "/api/v1/namespaces/team/services";

async fn proxy(cluster: &Cluster, who: As, path: &str) -> Answer {
    who.create(cluster, &format!("{path}/proxy/metrics"), &json!({})).await
}

pub(super) async fn no_tenant_has_the_api_server_call_what_is_postern_s(cluster: &Cluster, pod: &str) {
    for name in [pod, "postern-operator-metrics"] {
        for form in [
            name.to_owned(),
            format!("{name}:443"),
            format!("{name}:https"),
            format!("https:{name}:443"),
            format!("http:{name}:"),
            format!(":{name}:443"),
        ] {
            for path in [format!("{SERVICES}/{form}"), format!("{PODS}/{form}")] {
                assert_eq!(
                    refused_by(NAMES, proxy(cluster, ALICE, &path).await),
                    format!(
                        "proxy of {form} is not allowed: names that begin with postern- are reserved for Postern. Choose \
                         other names for your pods, Services and ServiceAccounts"
                    ),
                    "{path}"
                );
            }
        }
    }
    // These objects don't exist; the failure doesn't come from a policy.
    for (who, path) in [
        (CAROL, format!("{SERVICES}/https:postern-operator-metrics:443")),
        (CAROL, format!("{PODS}/https:postern-x:443")),
        (ALICE, format!("{SERVICES}/https:mine:443")),
        (ALICE, format!("{PODS}/https:mine:443")),
        (ALICE, format!("{PODS}/mine:postern-port")),
        (ALICE, format!("{PODS}/https:mine:postern-port")),
    ] {
        let refusal = proxy(cluster, who, &path).await.unwrap_err();
        assert!(refusal.contains("not found"), "{path}: {refusal}");
    }
}

//! What schedules' status says about the policies.

use postern_e2e::{Cluster, OPERATOR, Request, eventually};

use super::children::SCHEDULES;
use super::{make, policies};

const BINDINGS: &str = "validatingadmissionpolicybindings.admissionregistration.k8s.io";
const NEXT: &str = "Ask an admin of the cluster to set admissionPolicies.enabled, or to restore the chart's policies";

pub(super) async fn all(cluster: &Cluster) {
    is_protected(cluster, "True", "PoliciesInForce", "Postern's admission policies are in force").await;
    let since = cluster.audit_log_length();
    schedules_say_which_policy_is_off_and_that_it_is_back(cluster).await;
    // Apart from this, nothing changes for that schedule. The status is written once for each change that is seen by itself; the
    // two policies that come back may be seen together. The log may have the last write after its effect is seen.
    eventually("three or four writes of the status", async || {
        let requests = cluster.requests_of(OPERATOR, since).into_iter();
        let of_it = |request: &Request| request.resource == "webhookschedules/status" && request.name == "now";
        let written: Vec<_> = requests.filter(|request| of_it(request) && request.writes()).collect();
        assert!(written.len() <= 4, "{written:?}");
        if written.len() >= 3 { Ok(()) } else { Err(written) }
    })
    .await;
}

async fn schedules_say_which_policy_is_off_and_that_it_is_back(cluster: &Cluster) {
    let secrets = "anyone who may create WebhookSchedules can send any Secret of this namespace anywhere";
    cluster.run(&["kubectl", "delete", BINDINGS, "postern-readable-secrets"], "").unwrap();
    let missing = format!("not in force: postern-readable-secrets (no binding names it), so that {secrets}. {NEXT}");
    is_protected(cluster, "False", "PoliciesOff", &missing).await;

    // A change that doesn't affect this causes no write.
    let policy = "validatingadmissionpolicies.admissionregistration.k8s.io/postern-lock-names";
    cluster.run(&["kubectl", "annotate", policy, "a=b"], "").unwrap();
    let audit = r#"{"spec":{"validationActions":["Audit"]}}"#;
    cluster
        .run(&["kubectl", "patch", BINDINGS, "postern-lock-children", "--type=merge", "--patch", audit], "")
        .unwrap();
    let both = format!(
        "not in force: postern-readable-secrets (no binding names it), so that {secrets}; postern-lock-children (none \
         of its bindings has the action Deny), so that tenants can change, imitate, enter or orphan the objects that \
         Postern makes. {NEXT}"
    );
    is_protected(cluster, "False", "PoliciesOff", &both).await;

    make(cluster, &policies());
    is_protected(cluster, "True", "PoliciesInForce", "Postern's admission policies are in force").await;
}

/// Waits until both schedules have this condition.
async fn is_protected(cluster: &Cluster, status: &str, reason: &str, message: &str) {
    for name in ["report", "now"] {
        eventually(&format!("{name} to say: {message}"), async || {
            let said = cluster.get(&format!("{SCHEDULES}/{name}")).await.unwrap()["status"]["conditions"].take();
            let find = |kind: &str| said.as_array()?.iter().find(|condition| condition["type"] == kind);
            let (Some(protected), Some(ready)) = (find("Protected"), find("Ready")) else {
                return Err(said);
            };
            assert_eq!(ready["status"], "True", "{said}");
            let told = ["status", "reason", "message"].map(|field| &protected[field]);
            if told == [status, reason, message] { Ok(()) } else { Err(said) }
        })
        .await;
    }
}

//! The admission policies as the chart makes them. They act on all of a cluster, as does a tier that is the default, so they
//! have one of their own.

mod tier_label;
mod tier_rules;

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::harness::{Cluster, Own, eventually, install_own_crds, on};
use crate::install::objects::chart;

#[test]
fn schedules_are_held_to_their_tier_and_namespaces_to_theirs() {
    let own = Own::new("admission");
    own.up();
    on(own.name.clone(), |cluster, namespace| async move {
        install_own_crds(&cluster).await;
        install_policies(&cluster).await;
        tier_rules::all(&cluster, &namespace).await;
        // The API server that acts on the one policy knows the other, which was made before it.
        tier_label::all(&cluster).await;
    });
}

async fn install_policies(cluster: &Cluster) {
    let policies = chart(&[]).into_values().filter(|object| object["kind"].as_str().unwrap().contains("Admission"));
    make(cluster, &policies.collect::<Vec<_>>());
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(cluster.client.clone());
    // The API server compares what the expressions name with the fields that there are, and tells of it here alone.
    eventually("the policies to be checked", async || {
        let all = policies.list(&ListParams::default()).await.unwrap().items;
        assert_eq!(all.len(), 2);
        let checked = |policy: &ValidatingAdmissionPolicy| policy.status.as_ref()?.type_checking.clone();
        let checked: Vec<_> = all.iter().filter_map(checked).collect();
        assert!(checked.iter().all(|check| check.expression_warnings.is_none()), "{checked:?}");
        if checked.len() == all.len() { Ok(()) } else { Err(checked) }
    })
    .await;
}

/// Makes objects, or changes them.
fn make(cluster: &Cluster, objects: &[Value]) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    cluster.run(&["kubectl", "apply", "--server-side", "-f-"], &list.to_string()).unwrap();
}

/// What a policy said, or else what the API server did.
fn words(refusal: kube::Error) -> String {
    match refusal {
        kube::Error::Api(status) => said(&status.message).to_owned(),
        other => panic!("{other}"),
    }
}

/// What a policy said, of the whole that the API server says.
fn said(refusal: &str) -> &str {
    refusal.split_once(" denied request: ").map_or(refusal, |(_, words)| words)
}

//! The admission policies as the chart makes them. They affect the whole cluster, as a default tier does, so everything that they
//! refuse is tried on one dedicated cluster.

mod children;
mod confine_egress;
mod confine_fields;
mod confine_operator;
mod confine_senders;
mod going_on;
mod internal_blocks;
mod lock;
mod no_orphans;
mod people;
mod protection;
mod proxies;
mod readable_secrets;
mod schedule_size;
mod tier_label;
mod tier_rules;
mod ways_round;
mod without_policies;

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use kube::Api;
use kube::api::ListParams;
use postern_e2e::{Cluster, DedicatedCluster, eventually, install_crds};
use serde_json::{Value, json};

use crate::install::objects::chart;

#[test]
fn every_policy_refuses_what_it_says_and_holds_up_nothing_else() {
    DedicatedCluster::with_node("admission").run(|cluster, namespace| async move {
        install_crds(&cluster).await;
        install_policies(&cluster).await;
        tier_rules::all(&cluster, &namespace).await;
        // If the API server enforces this policy, it also enforces the other, which was made before it.
        tier_label::all(&cluster).await;

        people::admit(&cluster).await;
        readable_secrets::all(&cluster).await;
        no_orphans::all(&cluster).await;
        schedule_size::all(&cluster).await;
        let operator = children::operator_that_made_them(&cluster).await;
        protection::all(&cluster).await;
        let children = children::made_by(operator, &cluster).await;
        // This takes longest; the steps below run meanwhile.
        going_on::lose_a_pod(&cluster, &children).await;
        confine_operator::all(&cluster, &children).await;
        confine_fields::all(&cluster, &children).await;
        confine_senders::all(&cluster, &children).await;
        confine_egress::all(&cluster, &children).await;
        lock::all(&cluster, &children).await;
        going_on::all(&cluster, &children).await;
    });
}

/// The policies and their bindings, as the chart makes them.
fn policies() -> Vec<Value> {
    let (repository, tag) = children::IMAGE.split_once(':').unwrap();
    let image = [format!("sender.image.repository={repository}"), format!("sender.image.tag={tag}")];
    let objects = chart(&["--set", &image[0], "--set", &image[1]]);
    objects.into_values().filter(|object| object["kind"].as_str().unwrap().contains("Admission")).collect()
}

async fn install_policies(cluster: &Cluster) {
    let made = policies();
    make(cluster, &made);
    let count = made.iter().filter(|object| object["kind"] == "ValidatingAdmissionPolicy").count();
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(cluster.client.clone());
    // The API server compares the expressions' fields with the fields that exist, and reports the result only here.
    eventually("the policies to be checked", async || {
        let all = policies.list(&ListParams::default()).await.unwrap().items;
        assert_eq!(all.len(), count);
        let checked = |policy: &ValidatingAdmissionPolicy| policy.status.as_ref()?.type_checking.clone();
        let checked: Vec<_> = all.iter().filter_map(checked).collect();
        assert!(checked.iter().all(|check| check.expression_warnings.is_none()), "{checked:?}");
        if checked.len() == all.len() { Ok(()) } else { Err(checked) }
    })
    .await;
}

/// Creates objects, or changes them.
fn make(cluster: &Cluster, objects: &[Value]) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    cluster.run(&["kubectl", "apply", "--server-side", "-f-"], &list.to_string()).unwrap();
}

/// A policy's message, or else the API server's.
fn words(refusal: kube::Error) -> String {
    match refusal {
        kube::Error::Api(status) => said(&status.message).to_owned(),
        other => panic!("{other}"),
    }
}

/// The policy's own message, out of the API server's whole message.
fn said(refusal: &str) -> &str {
    refusal.split_once(" denied request: ").map_or(refusal, |(_, words)| words)
}

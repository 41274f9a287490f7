//! What an operator does on a cluster whose CRDs are missing or older than it is.

use std::process::ExitStatus;

use postern::api::Crd;
use postern_e2e::{DedicatedCluster, LEADS, OperatorProcess, apply_crd, install_crds};
use serde_json::json;

#[test]
fn an_operator_that_is_newer_than_its_crds_ends_and_says_what_to_apply() {
    DedicatedCluster::control_plane("crds").run(|cluster, namespace| async move {
        let kubeconfig = cluster.dir.join("admin.kubeconfig");
        let start = || OperatorProcess::start_as(&kubeconfig, &namespace, "operator", &json!({}));
        let refusal = async |message: &str| {
            let (ended, log): (ExitStatus, String) = start().ended().await;
            assert_eq!(ended.code(), Some(1), "{log}");
            assert!(
                log.contains(message) && log.contains("kubectl apply --server-side --force-conflicts -f crds/"),
                "{log}"
            );
        };
        refusal("there is no CRD webhookschedules.postern.dev").await;

        install_crds(&cluster).await;
        let mut older = json!(Crd::WebhookSchedules.definition());
        let spec = older.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties").unwrap();
        spec.as_object_mut().unwrap().remove("timeZone").unwrap();
        apply_crd(&cluster, &serde_json::from_value(older).unwrap()).await;
        refusal("the CRD webhookschedules.postern.dev is older than this operator: it lacks spec.timeZone").await;

        let operator = start();
        apply_crd(&cluster, &Crd::WebhookSchedules.definition()).await;
        operator.is(LEADS).await;
    });
}

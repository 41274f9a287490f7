//! The chart, as Helm and the API server see it.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use postern::operator::settings::{Isolation, Settings};
use postern_e2e::{install_crds, on_cluster};
use serde_json::json;

use super::objects::{chart, kustomize, run, template, text};

/// Changes every value that affects what is rendered.
const EVERYTHING: &str = "
image: {digest: 'sha256:0000000000000000000000000000000000000000000000000000000000000000', pullPolicy: Always}
imagePullSecrets: [{name: pull}]
replicas: 1
logLevel: debug
resources: {limits: {memory: 1Gi}}
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{key: infra, operator: Exists}]
priorityClassName: system-cluster-critical
sender:
  image: {repository: registry.example/postern-sender, tag: v9, pullPolicy: Never}
  imagePullSecrets: [{name: pull}]
  resources: {requests: {memory: 16Mi}}
  nodeSelector: {pool: senders}
  tolerations: [{key: senders, operator: Exists}]
  priorityClassName: senders
clusterCIDRs: [198.51.100.0/24, 'fd00:244::/48']
clusterDomain: corp.example
nameServers: [169.254.20.10, 'fd00::a']
nameServerPods: []
spreadSeconds: 59
concurrency: 1
preflight: {enabled: false, concurrency: 3}
egress: {isolation: Require}
metrics:
  tlsSecretName: metrics-tls
  from: [{namespaceSelector: {matchLabels: {team: monitoring}}}, {ipBlock: {cidr: 192.0.2.0/24}}]
networkPolicy: {apiServer: {cidrs: [192.0.2.10/32], ports: [6443]}}
admissionPolicies: {enabled: false}
tiers: {premium: {allowedHosts: ['*.example.com'], allowedPorts: [8443], allowedCIDRs: [10.1.0.0/28]}}
";

/// The operator's own file, as a kubelet writes it.
const RESOLV_CONF: &str = "search postern-system.svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n";

fn values_file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), EVERYTHING).unwrap();
    file
}

#[test]
fn helm_has_nothing_to_complain_of() {
    let said = run("helm", &["lint", "--strict", "charts/postern"]).unwrap();
    assert!(said.contains("1 chart(s) linted, 0 chart(s) failed"), "{said}");
}

#[test]
fn a_wrong_value_is_refused_and_named() {
    for (set, place) in [
        ("replicas=two", "at '/replicas': got string, want integer"),
        ("replica=2", "additional properties 'replica' not allowed"),
        ("sender.imagePullPolicy=Never", "at '/sender': additional properties 'imagePullPolicy' not allowed"),
        ("sender.image.digest=latest", "at '/sender/image/digest'"),
        ("spreadSeconds=60", "at '/spreadSeconds': maximum: got 60, want 59"),
        ("concurrency=0", "at '/concurrency': minimum: got 0, want 1"),
        ("preflight.concurrency=0", "at '/preflight/concurrency': minimum: got 0, want 1"),
        ("preflight.on=true", "at '/preflight': additional properties 'on' not allowed"),
        ("egress.isolation=Maybe", "at '/egress/isolation': value must be one of 'Warn', 'Require', 'Unchecked'"),
        ("logLevel=loud", "at '/logLevel'"),
        ("metrics.from[0].podSelectors.a=b", "at '/metrics/from/0': additional properties 'podSelectors' not allowed"),
        ("clusterCIDRs={10.0.0.1}", "at '/clusterCIDRs/0'"),
        ("watchNamespaces={Team}", "at '/watchNamespaces/0'"),
        ("admissionPolicies.enabled=yes", "at '/admissionPolicies/enabled': got string, want boolean"),
        ("tiers.free.minIntervall=5m", "at '/tiers/free': additional properties 'minIntervall' not allowed"),
    ] {
        let refusal = template(&["--set", set]).unwrap_err();
        assert!(refusal.contains(place), "{set}: {refusal}");
    }
}

#[test]
fn the_operator_can_read_the_configuration_that_it_is_given() {
    let everything = values_file();
    let everything = ["--values", everything.path().to_str().unwrap()];
    let rendered =
        [chart(&[]), chart(&everything), chart(&["--set", "watchNamespaces={team-a}"]), kustomize("operator")];
    for objects in rendered {
        let map = &objects["ConfigMap postern-system postern-operator"];
        let config = text(map, "/data/config.yaml");
        Settings::read(config, RESOLV_CONF).unwrap_or_else(|problem| panic!("{problem}\n{config}"));
    }
    let changed = &chart(&everything)["ConfigMap postern-system postern-operator"];
    let settings = Settings::read(text(changed, "/data/config.yaml"), RESOLV_CONF).unwrap();
    assert_eq!(settings.sender.image, "registry.example/postern-sender:v9");
    assert_eq!(settings.sender.priority_class_name.as_deref(), Some("senders"));
    assert_eq!(settings.name_servers.len(), 2);
    assert_eq!(settings.spread_seconds, 59);
    assert_eq!(settings.isolation, Isolation::Require);
    assert_eq!((settings.preflight.enabled, settings.preflight.concurrency), (false, 3));
}

#[test]
fn those_who_may_reach_the_metrics_can_be_named_and_nobody_is_let_to_the_probes() {
    let everything = values_file();
    let changed = chart(&["--values", everything.path().to_str().unwrap()]);
    let metrics = json!([{"port": 8443, "protocol": "TCP"}]);
    let peers =
        json!([{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}, {"ipBlock": {"cidr": "192.0.2.0/24"}}]);
    for (objects, metrics) in
        [(chart(&[]), json!({"ports": metrics})), (changed, json!({"ports": metrics, "from": peers}))]
    {
        let policy = &objects["NetworkPolicy postern-system postern-operator"];
        assert_eq!(policy["spec"]["ingress"], json!([metrics]));
    }
}

#[test]
fn the_admission_policies_are_there_unless_switched_off() {
    let mut objects = chart(&[]);
    let policies: Vec<String> = objects.keys().filter(|key| key.contains("Admission")).cloned().collect();
    let names = [
        "confine-egress",
        "confine-operator",
        "confine-senders",
        "lock-children",
        "lock-names",
        "lock-status",
        "no-orphans",
        "readable-secrets",
        "schedule-size",
        "tier-label",
        "tier-rules",
    ];
    let expected: Vec<String> = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
        .iter()
        .flat_map(|kind| names.map(|name| format!("{kind}  postern-{name}")))
        .collect();
    assert_eq!(policies, expected);
    // These objects are deleted together with the operator.
    let operator = kustomize("operator");
    assert!(expected.iter().all(|policy| operator.contains_key(policy)), "{:?}", operator.keys());

    let [image, priority] = ["sender.image.repository=mine", "sender.priorityClassName=low"];
    let confined = &chart(&["--set", image, "--set", priority])["ValidatingAdmissionPolicy  postern-confine-senders"];
    assert_eq!(text(confined, "/spec/variables/0/expression"), "'mine:0.1.0'");
    assert_eq!(text(confined, "/spec/variables/1/expression"), "'low'");

    objects.retain(|key, _| !expected.contains(key));
    assert_eq!(chart(&["--set", "admissionPolicies.enabled=false"]), objects);
}

#[test]
fn what_the_operator_makes_can_be_told_from_what_makes_the_operator() {
    for objects in [chart(&[]), kustomize("default")] {
        for (key, object) in objects {
            assert_ne!(text(&object, "/metadata/labels/app.kubernetes.io~1managed-by"), "postern", "{key}");
        }
    }
}

/// The API server reports breaches of the `restricted` standard as warnings, and refuses unknown fields.
#[test]
fn the_api_server_takes_every_object_and_warns_of_none() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let label = Patch::Merge(json!({"metadata": {"labels": {"pod-security.kubernetes.io/warn": "restricted"}}}));
        let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
        namespaces.patch(&namespace, &PatchParams::default(), &label).await.unwrap();
        // Once this succeeds, the label above is known, too.
        cluster.restrict(&namespace).await;
        let everything = values_file();
        let watched = format!("watchNamespaces={{{namespace}}}");
        for args in [&[][..], &["--values", everything.path().to_str().unwrap()], &["--set", &watched]] {
            let objects = template(&[args, &["--namespace", &namespace]].concat()).unwrap();
            let script = "kubectl apply --server-side --force-conflicts --dry-run=server --validate=strict -f- 2>&1";
            let said = cluster.run(&["sh", "-c", script], &objects).unwrap();
            assert!(said.lines().count() > 15, "{said}");
            assert!(said.lines().all(|line| line.ends_with("serverside-applied (server dry run)")), "{said}");
        }
    });
}

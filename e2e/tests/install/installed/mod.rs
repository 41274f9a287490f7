//! Postern as the chart installs it: the images, the rights and the policies that it gives, on a cluster of each test's own.

mod cluster_wide;
mod namespaced;

use postern_e2e::{
    Certificates, Cluster, DedicatedCluster, DnsAnswer, KEY, OK, OPERATOR, Receiver, Request, eventually, on,
    schedule_path,
};
use serde_json::Value;

const HOST: &str = "hooks.example.com";

/// Runs a test on a cluster of its own, on which the images are and nothing of Postern.
pub(crate) fn on_own_cluster<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Admin) -> F + Send + 'static) {
    let own = DedicatedCluster::new(name);
    own.up_with_images();
    on(&own.name, |cluster, _| async move { test(Admin { cluster }).await });
}

/// The admin of a cluster, with kubectl and helm.
pub(crate) struct Admin {
    pub(crate) cluster: Cluster,
}

impl Admin {
    /// Runs a command that must succeed, and returns what it prints.
    pub(crate) fn does(&self, command: &str) -> String {
        self.tries(command).unwrap_or_else(|problem| panic!("{command}: {problem}"))
    }

    /// Runs a command.
    pub(crate) fn tries(&self, command: &str) -> Result<String, String> {
        self.cluster.run(&command.split_whitespace().collect::<Vec<_>>(), "")
    }

    /// Creates objects as a user.
    fn creates(&self, user: &str, namespace: &str, objects: &Value) {
        let command = ["kubectl", "--as", user, "--namespace", namespace, "create", "-f-"];
        self.cluster.run(&command, &objects.to_string()).unwrap();
    }

    /// Creates objects as the admin.
    pub(crate) fn makes(&self, namespace: &str, objects: &Value) {
        self.cluster.run(&["kubectl", "--namespace", namespace, "create", "-f-"], &objects.to_string()).unwrap();
    }

    fn gets(&self, command: &str) -> Value {
        serde_json::from_str(&self.does(&format!("kubectl get {command} -o json"))).unwrap()
    }

    /// Waits until what the API server has at a path is as wanted.
    pub(crate) async fn sees(&self, what: &str, path: &str, met: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || match self.cluster.get(path).await {
            Ok(value) if met(&value) => Ok(value),
            other => Err(other.map(|value| value.to_string())),
        })
        .await
    }

    pub(crate) fn installs(&self, values: &str) {
        if self.tries("kubectl create namespace postern-system").is_ok() {
            self.does("kubectl label namespace postern-system pod-security.kubernetes.io/enforce=restricted");
        }
        self.helm("install", values);
    }

    /// What is left of the operator, in its namespace and for the whole cluster.
    fn left(&self) -> Vec<String> {
        let kinds = "all,configmaps,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets";
        let own = self.does(&format!("kubectl get {kinds} --namespace postern-system --output name"));
        let kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings";
        let whole = self.does(&format!("kubectl get {kinds} --output name"));
        let kubernetes = |name: &str| name.ends_with("/default") || name.ends_with("/kube-root-ca.crt");
        let ours = whole.lines().filter(|name| name.contains("postern"));
        own.lines().filter(|name| !kubernetes(name)).chain(ours).map(String::from).collect()
    }

    fn helm(&self, verb: &str, values: &str) {
        self.does(&format!(
            "helm {verb} postern charts/postern --namespace postern-system \
             --values e2e/demo/values.yaml {values} --wait --timeout 5m"
        ));
    }

    /// Makes a namespace of the premium tier that a user may edit.
    pub(crate) fn admits(&self, user: &str, namespace: &str) {
        self.does(&format!("kubectl create namespace {namespace}"));
        self.does(&format!(
            "kubectl label namespace {namespace} postern.dev/tier=premium pod-security.kubernetes.io/enforce=restricted"
        ));
        self.does(&format!(
            "kubectl create rolebinding {user} --clusterrole=edit --user={user} --namespace {namespace}"
        ));
    }

    /// Makes, as a user, a Secret for a receiver and a schedule that isn't due for months.
    fn schedules(&self, user: &str, namespace: &str, receiver: &Receiver) {
        let url = format!("https://{HOST}/hook?token=a-canary");
        let secret = serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hook"},
            "stringData": {"url": url, "key": KEY, "ca": receiver.certificates.ca_pem},
        });
        self.creates(user, namespace, &secret);
        self.makes_schedule(user, namespace, "report", &serde_json::json!({"keysFrom": [hook("key")]}));
    }

    /// Makes, as a user, a schedule for the receiver of that Secret that isn't due for months.
    fn makes_schedule(&self, user: &str, namespace: &str, name: &str, signing: &Value) {
        let schedule = serde_json::json!({
            "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookSchedule", "metadata": {"name": name},
            "spec": {
                "schedule": "@yearly",
                "target": {"urlFrom": hook("url"), "tls": {"caBundleFrom": hook("ca")}},
                "signing": signing,
            },
        });
        self.creates(user, namespace, &schedule);
    }

    fn receiver(&self) -> Receiver {
        self.cluster.set_dns(HOST, &[DnsAnswer::addresses(["203.0.113.10"])]);
        let listener = self.cluster.listen_on_the_internet("203.0.113.10", 443);
        Receiver::on(listener, Certificates::good(HOST), false, Receiver::by_turns([OK]))
    }

    /// Triggers a delivery as a user, and waits until it is in the status.
    async fn delivers(&self, user: &str, namespace: &str, value: &str) {
        self.does(&format!(
            "kubectl --as {user} --namespace {namespace} annotate whs report --overwrite postern.dev/trigger={value}"
        ));
        let is_delivered = |schedule: &Value| {
            let (trigger, last) = (&schedule["status"]["lastTrigger"], &schedule["status"]["lastDelivery"]);
            trigger["value"] == value && last["id"] == trigger["id"] && last["outcome"] == "Delivered"
        };
        self.sees("the delivery", &schedule_path(namespace, "report"), is_delivered).await;
    }

    /// That the operator never asked for what a Secret holds, and never for what it may not.
    fn finds_the_operator_innocent(&self) {
        let requests = self.cluster.requests_of(OPERATOR, 0);
        assert!(requests.len() > 20, "{requests:?}");
        let is_of_key = |request: &Request| {
            matches!(request.verb.as_str(), "create" | "delete") && request.name.starts_with("postern-signed-k")
        };
        let is_bad =
            |request: &Request| request.resource.contains("secret") && !is_of_key(request) || request.code == 403;
        let bad: Vec<_> = requests.iter().filter(|request| is_bad(request)).collect();
        assert!(bad.is_empty(), "{bad:?}");
    }
}

fn hook(key: &str) -> Value {
    serde_json::json!({"secretKeyRef": {"name": "hook", "key": key}})
}

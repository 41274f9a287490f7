//! Argo CD's own components, beside a cluster.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;

use postern_e2e::{Cluster, eventually, program, repository};
use serde_json::{Value, json};

/// Where argocd-server listens.
const SERVER: &str = "127.0.0.1:8090";

/// An Argo CD that syncs to the cluster beside which it runs. Its processes are in the cluster's network and PID namespace, so they
/// end when the cluster does. Their logs are with the cluster's.
pub struct ArgoCd {
    cluster: Cluster,
}

impl ArgoCd {
    /// Starts Redis, the repo server, the application controller, and the API server without authentication.
    pub async fn start(cluster: &Cluster) -> Self {
        assert!(program("argocd").exists(), "`make argocd` builds Argo CD");
        cluster.must_run("kubectl create namespace argocd");
        cluster.must_run("kubectl apply --server-side --kustomize e2e/.work/argocd/crds");
        cluster.must_run("kubectl apply --server-side --namespace argocd --kustomize e2e/.work/argocd/config");
        cluster.must_run("kubectl create secret generic argocd-redis --namespace argocd --from-literal auth=");
        // The account and the rights of an ordinary installation, for projects that name it.
        cluster.must_run("kubectl create serviceaccount argocd-application-controller --namespace argocd");
        let (role, account) = ("cluster-admin", "argocd:argocd-application-controller");
        cluster.must_run(&format!(
            "kubectl create clusterrolebinding argocd --clusterrole {role} --serviceaccount {account}"
        ));
        let argo_cd = Self { cluster: cluster.clone() };
        let admin = fs::read_to_string(cluster.dir.join("admin.kubeconfig")).unwrap();
        let admin: Value = serde_json::from_str(&admin).unwrap();
        cluster.write_kubeconfig("argocd", admin["users"][0]["user"].clone(), "argocd");
        for folder in ["tls", "ssh", "tmp"] {
            fs::create_dir_all(cluster.dir.join("argocd").join(folder)).unwrap();
        }

        let dir = cluster.dir.join("argocd/tmp");
        argo_cd.spawn("redis-server", &format!("--appendonly no --dir {}", dir.display()));
        // By address, since gRPC would ask a name server about a name, and wait for it: the node has none.
        let redis = "--redis 127.0.0.1:6379";
        argo_cd.spawn("argocd-repo-server", &format!("{redis} --port 8081 --disable-tls --client-ca-path="));
        let both = format!("{redis} --repo-server 127.0.0.1:8081 --repo-server-plaintext");
        argo_cd.spawn("argocd-application-controller", &format!("{both} --app-resync 30"));
        argo_cd.spawn("argocd-server", &format!("{both} --port 8090 --insecure --disable-auth"));
        eventually("argocd-server", async || argo_cd.cli("app list")).await;
        argo_cd
    }

    /// Starts a component in the cluster's network. It ends with the cluster's first process, whose PID namespace it is in. Argo CD
    /// writes credentials to `/dev/shm`, and they would stay there, so the component has one of its own.
    fn spawn(&self, component: &str, args: &str) {
        let folder = self.cluster.dir.join("argocd");
        let log = fs::File::create(self.cluster.dir.join("log").join(format!("{component}.log"))).unwrap();
        let binary = if component == "redis-server" { component } else { "argocd" };
        let bin = program("");
        let mut process = Command::new("nsenter")
            .arg(format!("--target={}", self.cluster.pid))
            .args(["--net", "--pid", "unshare", "--mount"])
            .args(["sh", "-c", r#"mount -t tmpfs argocd /dev/shm && exec "$@""#, "sh"])
            .arg(bin.join(binary))
            .args(args.split_whitespace())
            .current_dir(repository())
            .env("ARGOCD_BINARY_NAME", component)
            .env("ARGOCD_FAKE_IN_CLUSTER", "true")
            .env("ARGOCD_GPG_ENABLED", "false")
            .env("ARGOCD_TLS_DATA_PATH", folder.join("tls"))
            .env("ARGOCD_SSH_DATA_PATH", folder.join("ssh"))
            .env("HOME", &folder)
            .env("TMPDIR", folder.join("tmp"))
            .env("KUBECONFIG", self.cluster.dir.join("argocd.kubeconfig"))
            .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        thread::spawn(move || process.wait());
    }

    /// Runs a command of the program `argocd` through the API server.
    ///
    /// # Errors
    /// What the command complains about.
    pub fn cli(&self, command: &str) -> Result<String, String> {
        let config = self.cluster.dir.join("argocd/config");
        self.cluster.run_line(&format!("argocd --config {} --server {SERVER} --plaintext {command}", config.display()))
    }

    /// Tells it about the health and the actions of schedules and tiers, as docs/install.md says.
    pub fn knows_postern(&self) {
        self.patch_config(&fs::read_to_string(repository().join("config/argocd/argocd-cm.yaml")).unwrap());
    }

    /// Whether it syncs with the rights of the accounts that projects name.
    pub fn impersonates(&self, enabled: bool) {
        let setting = json!({"application.sync.impersonation.enabled": enabled.to_string()});
        self.patch_config(&json!({"data": setting}).to_string());
    }

    fn patch_config(&self, patch: &str) {
        let command = ["kubectl", "--namespace", "argocd", "patch", "configmap", "argocd-cm", "--type", "merge"];
        self.cluster.run(&[&command[..], &["--patch-file", "/dev/stdin"]].concat(), patch).unwrap();
    }

    /// Makes projects, Applications and what belongs to them.
    pub fn apply(&self, objects: &str) {
        self.cluster.run(&["kubectl", "apply", "--server-side", "-f-"], objects).unwrap();
    }

    /// Has it look at an Application's repository, as a webhook does after a push.
    pub fn refresh(&self, application: &str) {
        self.cli(&format!("app get {application} --refresh")).unwrap();
    }

    /// An Application.
    pub async fn application(&self, name: &str) -> Value {
        self.cluster.get(&path(name)).await.unwrap()
    }

    /// Waits until an Application is as `what` says.
    pub async fn wait_for(&self, name: &str, what: &str, met: impl Fn(&Value) -> bool) -> Value {
        self.cluster.wait_for(&format!("{name}: {what}"), &path(name), met).await
    }

    /// Waits until what the repository has now is synced.
    pub async fn is_synced(&self, name: &str) -> Value {
        self.wait_for(name, "Synced", is_synced).await
    }

    /// Waits until what the repository has now is synced, and healthy.
    pub async fn is_healthy(&self, name: &str) -> Value {
        let met =
            |application: &Value| is_synced(application) && application["status"]["health"]["status"] == "Healthy";
        self.wait_for(name, "Synced and Healthy", met).await
    }

    /// Syncs another revision of its repository, and waits until all of it is healthy.
    pub async fn upgrade(&self, name: &str, tag: &str) {
        let before = self.application(name).await["status"]["sync"]["revision"].clone();
        self.cli(&format!("app set {name} --revision {tag}")).unwrap();
        self.wait_for(name, "another revision", |application| application["status"]["sync"]["revision"] != before)
            .await;
        self.is_healthy(name).await;
    }

    /// Runs an action of a schedule.
    pub fn action(&self, application: &str, action: &str, schedule: &str) {
        let of = format!("--group postern.dev --kind WebhookSchedule --resource-name {schedule}");
        self.cli(&format!("app actions run {application} {action} {of}")).unwrap();
    }

    /// How often an Application was found to be out of sync.
    pub async fn drifts(&self, name: &str) -> usize {
        let events = self.cluster.get("/api/v1/namespaces/argocd/events").await.unwrap();
        let is_drift = |event: &&Value| {
            event["involvedObject"]["name"] == name
                && event["message"].as_str().is_some_and(|said| said.contains("-> OutOfSync"))
        };
        events["items"].as_array().unwrap().iter().filter(is_drift).count()
    }

    /// Deletes an Application, and waits until it is gone.
    pub fn delete(&self, name: &str) {
        self.cluster.must_run(&format!("kubectl delete application {name} --namespace argocd --timeout 10m"));
    }
}

fn path(application: &str) -> String {
    format!("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{application}")
}

/// Whether the revision that was compared last is the one that was synced last, without an error and without a difference.
fn is_synced(application: &Value) -> bool {
    let (sync, operation) = (&application["status"]["sync"], &application["status"]["operationState"]);
    sync["status"] == "Synced"
        && operation["phase"] == "Succeeded"
        && operation["syncResult"]["revision"] == sync["revision"]
}

//! A pod in which a test runs commands.

use std::net::SocketAddr;

use k8s_openapi::api::core::v1::Pod as PodObject;
use kube::api::{AttachParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::eventually;

/// A pod that runs `e2e/cluster/components/toolbox`.
pub struct Pod {
    api: Api<PodObject>,
    name: String,
}

impl Pod {
    /// Starts the pod and waits until it runs.
    pub async fn start(client: Client, namespace: &str, name: &str) -> Self {
        let api: Api<PodObject> = Api::namespaced(client, namespace);
        let pod = json!({
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{
                    "name": "toolbox",
                    "image": "postern.dev/e2e/toolbox:latest",
                    "imagePullPolicy": "Never",
                    "args": ["wait"],
                }],
            },
        });
        api.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
        eventually(&format!("pod {name} to run"), async || {
            let status = api.get(name).await.unwrap().status.unwrap_or_default();
            if status.phase.as_deref() == Some("Running") { Ok(()) } else { Err(status) }
        })
        .await;
        Self { api, name: name.into() }
    }

    /// Runs the toolbox in the pod. Returns its output when it succeeds, else its error message.
    async fn run(&self, args: [&str; 2]) -> Result<String, String> {
        let command = [&["/toolbox"], &args[..]].concat();
        let attach = AttachParams::default().stdout(true).stderr(true);
        let mut process = self.api.exec(&self.name, command, &attach).await.map_err(|e| e.to_string())?;
        let (mut stdout, mut stderr) = (process.stdout().unwrap(), process.stderr().unwrap());
        let status = process.take_status().unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        let (read_out, read_err, status) =
            tokio::join!(stdout.read_to_string(&mut out), stderr.read_to_string(&mut err), status);
        read_out.and(read_err).map_err(|e| e.to_string())?;
        match status.and_then(|s| s.status) {
            Some(success) if success == "Success" => Ok(out),
            other => Err(format!("{other:?}: {out}{err}")),
        }
    }

    /// Fetches a URL.
    ///
    /// # Errors
    /// The toolbox's error message.
    pub async fn fetch(&self, url: &str) -> Result<String, String> {
        self.run(["fetch", url]).await
    }

    /// Opens a TCP connection and closes it.
    ///
    /// # Errors
    /// The toolbox's error message.
    pub async fn connect(&self, address: SocketAddr) -> Result<(), String> {
        self.run(["connect", &address.to_string()]).await.map(drop)
    }

    /// The IPv4 addresses of a name, in order.
    ///
    /// # Errors
    /// The toolbox's error message.
    pub async fn look_up(&self, name: &str) -> Result<Vec<String>, String> {
        let printed = self.run(["lookup", name]).await?;
        let mut addresses: Vec<_> = printed.lines().map(String::from).collect();
        addresses.sort();
        Ok(addresses)
    }
}

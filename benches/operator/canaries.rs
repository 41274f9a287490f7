//! Ends canaries on a cluster without nodes, as if each had found its network closed.

use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use postern::delivery::Findings;
use serde_json::json;

use crate::schedules::CONCURRENCY;

/// How long a canary takes, about.
const TAKES: Duration = Duration::from_secs(1);

/// Ends all canaries, for ever.
pub(crate) async fn end_all(client: Client) {
    let pending = ListParams::default().labels("postern.dev/canary=true").fields("status.phase=Pending");
    loop {
        tokio::time::sleep(TAKES).await;
        let pods = Api::<Pod>::all(client.clone()).list(&pending).await.unwrap();
        let ended = stream::iter(pods).map(|pod| end(&client, pod));
        ended.buffer_unordered(CONCURRENCY).for_each(|()| std::future::ready(())).await;
    }
}

async fn end(client: &Client, pod: Pod) {
    let found = serde_json::to_string(&Findings::new(true, Vec::new(), None)).unwrap();
    let container = json!({
        "name": "sender", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": 0, "message": found}},
    });
    let status = json!({"status": {"phase": "Succeeded", "containerStatuses": [container]}});
    let api: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap());
    // It may have been deleted meanwhile.
    let _ = api.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(status)).await;
}

//! No secret is visible to a tenant, to another tenant, to a reader of logs, or to somebody who looks at processes on a node.
//!
//! Postern is installed with the chart, at its most detailed log level. A tenant plants a canary in every secret input of some
//! fifty schedules, which end in every possible way, and receivers plant canaries in their answers. Then everything that can be
//! seen is searched for all of them, unchanged and encoded. The places where the secrets belong aren't searched: the data of the
//! tenant's own Secrets, and their files where the kubelet mounts them.

mod api;
mod canaries;
mod haystack;
mod ids;
mod node;
mod planted;
mod play;
mod receivers;
mod scenarios;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use postern_e2e::{Cluster, DedicatedCluster, Scraper, Tenant};
use serde_json::json;

use canaries::Canaries;
use haystack::{Haystack, Place};
use play::{NAMESPACE, Played, USER};
use receivers::{DENIED_HOST, Receivers};
use scenarios::Scenario;

/// How many schedules are made, checked and delivered at the same time.
const AT_ONCE: usize = 8;

#[test]
fn no_secret_shows_anywhere_however_deliveries_end_and_a_planted_one_is_found_everywhere() {
    DedicatedCluster::with_images("leaks").run(|cluster, _| async move {
        let mut canaries = Canaries::default();
        let receivers = Receivers::start(&cluster, &mut canaries);
        let scenarios = scenarios::all(&mut canaries, &receivers);
        let scraper = install(&cluster, &receivers).await;

        let mut seen = play_all(&cluster, &scenarios, &receivers, &mut canaries).await;
        look_everywhere(&cluster, &scraper, &mut seen).await;
        eprintln!("{} schedules, {} needles in\n{seen}", scenarios.len(), canaries.count());
        planted::are_where_they_belong(&receivers, &scenarios);
        everything_was_seen(&seen, &scenarios);
        let audited = cluster.audit_log();
        assert!(
            audited.iter().all(|line| line["level"] == "Metadata"),
            "Secrets are in the log by the policy, not by a leak"
        );
        let found: Vec<_> = seen.find(&canaries).iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{found:#?}");
        ids::stay_inside(&seen, &receivers);

        planted::is_found_everywhere(&cluster, &scraper).await;
    });
}

/// Installs Postern at its most detailed log level, and admits a tenant. Returns a reader of the metrics.
async fn install(cluster: &Cluster, receivers: &Receivers) -> Scraper {
    let scraper = Scraper::generate();
    cluster.must_run("kubectl create namespace postern-system");
    let tls = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "metrics-tls"}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": scraper.certificate, "tls.key": scraper.key},
    });
    cluster.create("postern-system", &tls);
    let ports: Vec<_> = receivers.ports().iter().map(ToString::to_string).collect();
    cluster.install_postern(&format!(
        "--set logLevel=trace,spreadSeconds=0,metrics.tlsSecretName=metrics-tls \
         --set tiers.premium.allowedPorts={{{}}},tiers.premium.deniedHosts={{{DENIED_HOST}}} \
         --set tiers.premium.allowedCIDRs={{198.51.100.0/24}},tiers.premium.maxBodyBytes=4096",
        ports.join(",")
    ));
    cluster.must_run("kubectl create serviceaccount scraper --namespace postern-system");
    cluster.must_run(
        "kubectl create clusterrolebinding scraper --clusterrole=postern-metrics-reader \
         --serviceaccount=postern-system:scraper",
    );
    cluster.admit(USER, NAMESPACE).await;
    scraper
}

/// Plays all scenarios, and looks at pods and processes while they exist.
async fn play_all(
    cluster: &Cluster,
    scenarios: &[Scenario],
    receivers: &Receivers,
    canaries: &mut Canaries,
) -> Haystack {
    let tenant = Tenant::of_user(cluster, NAMESPACE, USER).await;
    let node = node::root(cluster);
    let (mut seen, mut of_processes) = (Haystack::default(), Haystack::default());
    let played = stream::iter(scenarios).map(|scenario| play::play(&tenant, &node, scenario)).buffer_unordered(AT_ONCE);
    let interrupt = play::interrupt(cluster, &receivers.holding, &mut seen);
    let playing = async { tokio::join!(played.collect::<Vec<_>>(), interrupt).0 };
    let watch = async {
        loop {
            node::look_at_processes(&node, &mut of_processes);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let played = tokio::select! { played = playing => played, () = watch => unreachable!() };
    for Played { seen: of_pods, keys } in played {
        seen.extend(of_pods);
        for (secret, key) in keys {
            canaries.known_key(&format!("the key in {secret}"), &key);
        }
    }
    assert_eq!(node::programs(&of_processes), BTreeSet::from(["check", "operator", "sender"]));
    seen.extend(of_processes);
    seen
}

/// Looks at everything that exists now.
async fn look_everywhere(cluster: &Cluster, scraper: &Scraper, seen: &mut Haystack) {
    api::look_at_objects(cluster, seen).await;
    api::look_at_descriptions(cluster, seen);
    api::look_at_logs(cluster, seen).await;
    api::look_at_metrics(cluster, scraper, seen).await;
    node::look_around(cluster, seen);
    node::look_at_processes(&node::root(cluster), seen);
}

/// Asserts that the search was complete: every place was searched, and every schedule was seen wherever it must have left
/// something.
fn everything_was_seen(seen: &Haystack, scenarios: &[Scenario]) {
    for place in Place::ALL {
        let (count, bytes) = seen.size(place);
        assert!(count > 0 && bytes > 100, "{place:?}: {count} things, {bytes} bytes");
    }
    for Scenario { name, .. } in scenarios {
        let of_it = |place, part: &str| seen.at(place).filter(|(name, _)| name.contains(part)).count();
        for job in [format!("team-a/postern-{name}-c"), format!("team-a/postern-{name}-t")] {
            let (objects, logs) = (of_it(Place::Objects, &format!("pods {job}")), of_it(Place::PodLogs, &job));
            assert!(objects > 0 && logs > 0, "{job}: {objects}, {logs}");
        }
    }
    assert!(
        seen.at(Place::OperatorLogs).any(|(_, log)| log.contains(r#""level":"DEBUG""#)),
        "the level isn't in force"
    );
}

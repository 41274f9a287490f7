//! No secret shows to a tenant, to another tenant, to a reader of logs, or to whoever looks at processes on a node.
//!
//! Postern is installed as the chart does it, with its finest logs. A tenant plants a canary in every secret input of some fifty
//! schedules, which end in every way that there is; receivers plant theirs in what they answer. Then everything that can be
//! seen is searched for all of them, as they are and encoded. What lies where it should isn't searched: the data of the
//! tenant's own Secrets, and their files where the kubelet mounts them.

mod api;
mod canaries;
mod haystack;
mod ids;
mod node;
mod planted;
mod receivers;
mod scenarios;
mod tenant;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use postern_e2e::Scraper;
use serde_json::json;

use crate::install::installed::{Admin, on_own_cluster};
use canaries::Canaries;
use haystack::{Haystack, Place};
use receivers::{DENIED_HOST, Receivers};
use scenarios::Scenario;
use tenant::{NAMESPACE, Played, Tenant, USER};

/// How many schedules are made, checked and delivered at the same time.
const AT_ONCE: usize = 8;

#[test]
fn no_secret_shows_anywhere_however_deliveries_end_and_a_planted_one_is_found_everywhere() {
    on_own_cluster("leaks", |admin| async move {
        let mut canaries = Canaries::default();
        let receivers = Receivers::start(&admin.cluster, &mut canaries);
        let scenarios = scenarios::all(&mut canaries, &receivers);
        let scraper = install(&admin, &receivers);

        let mut seen = play_all(&admin, &scenarios, &receivers, &mut canaries).await;
        look_everywhere(&admin, &scraper, &mut seen).await;
        eprintln!("{} schedules, {} needles in\n{seen}", scenarios.len(), canaries.count());
        planted::are_where_they_belong(&receivers, &scenarios);
        everything_was_seen(&seen, &scenarios);
        let audited = admin.cluster.audit_log();
        assert!(
            audited.iter().all(|line| line["level"] == "Metadata"),
            "Secrets are in the log by the policy, not by a leak"
        );
        let found: Vec<_> = seen.find(&canaries).iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{found:#?}");
        ids::stay_inside(&seen, &receivers);

        planted::is_found_everywhere(&admin, &scraper).await;
    });
}

/// Installs Postern with its finest logs, and lets a tenant in. Returns who may read the metrics.
fn install(admin: &Admin, receivers: &Receivers) -> Scraper {
    let scraper = Scraper::generate();
    admin.does("kubectl create namespace postern-system");
    let tls = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "metrics-tls"}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": scraper.certificate, "tls.key": scraper.key},
    });
    admin.makes("postern-system", &tls);
    let ports: Vec<_> = receivers.ports().iter().map(ToString::to_string).collect();
    admin.installs(&format!(
        "--set logLevel=trace,spreadSeconds=0,metrics.tlsSecretName=metrics-tls \
         --set tiers.premium.allowedPorts={{{}}},tiers.premium.deniedHosts={{{DENIED_HOST}}} \
         --set tiers.premium.allowedCIDRs={{198.51.100.0/24}},tiers.premium.maxBodyBytes=4096",
        ports.join(",")
    ));
    admin.does("kubectl create serviceaccount scraper --namespace postern-system");
    admin.does(
        "kubectl create clusterrolebinding scraper --clusterrole=postern-metrics-reader \
         --serviceaccount=postern-system:scraper",
    );
    admin.admits(USER, NAMESPACE);
    scraper
}

/// Plays all scenarios, and looks at pods and processes while they are there.
async fn play_all(admin: &Admin, scenarios: &[Scenario], receivers: &Receivers, canaries: &mut Canaries) -> Haystack {
    let tenant = Tenant::new(&admin.cluster).await;
    let (mut seen, mut of_processes) = (Haystack::default(), Haystack::default());
    let played = stream::iter(scenarios).map(|scenario| tenant.play(scenario)).buffer_unordered(AT_ONCE);
    let interrupt = tenant::interrupt(&admin.cluster, &receivers.holding, &mut seen);
    let play = async { tokio::join!(played.collect::<Vec<_>>(), interrupt).0 };
    let watch = async {
        loop {
            node::look_at_processes(&node::root(&admin.cluster), &mut of_processes);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let played = tokio::select! { played = play => played, () = watch => unreachable!() };
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

/// Looks at all that is there now.
async fn look_everywhere(admin: &Admin, scraper: &Scraper, seen: &mut Haystack) {
    api::look_at_objects(admin, seen).await;
    api::look_at_descriptions(admin, seen);
    api::look_at_logs(admin, seen).await;
    api::look_at_metrics(admin, scraper, seen).await;
    node::look_around(&admin.cluster, seen);
    node::look_at_processes(&node::root(&admin.cluster), seen);
}

/// That the search was one: of every place, and of every schedule wherever it must have left something.
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

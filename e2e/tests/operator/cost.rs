//! How many requests the operator makes, by the API server's audit log. The operator has its own user, with exactly the rights
//! that it is installed with. Each step counts from its own beginning.

use std::collections::BTreeMap;
use std::env;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use postern::api::{ROTATE_ANNOTATION, WebhookSchedule, WebhookTier};
use postern_e2e::{
    Cluster, DedicatedCluster, OPERATOR, OperatorProcess, Request, Tenant, count, eventually, install_crds,
};
use serde_json::json;

/// The fewest seconds between two writes of a tier's status.
const PACE: i64 = 2;
/// Longer than Kubernetes and the operator work after a change.
const IDLE_SECONDS: u64 = 20;

/// A cluster with an operator and no schedule.
struct Costed {
    cluster: Cluster,
    tenant: Tenant,
    _operator: OperatorProcess,
}

#[test]
fn schedules_and_keys_cost_few_writes_and_at_rest_nothing() {
    DedicatedCluster::control_plane("cost").run(|cluster, namespace| async move {
        install_crds(&cluster).await;
        cluster.make_tier("default", json!({"default": true, "maxSchedules": 1000})).await;
        let operator = OperatorProcess::leading(&cluster).await;
        let tenant = Tenant::without_operator(&cluster, &namespace);
        let costed = Costed { cluster, tenant, _operator: operator };
        // With this schedule, the namespace already has its children.
        costed.tenant.make_schedule("first", "{}").await;
        costed.all_ready().await;

        a_new_schedule_costs_two_writes_and_no_secret_is_ever_asked_for(&costed).await;
        a_managed_key_costs_four_writes_more_and_secrets_are_made_and_deleted_and_nothing_else(&costed).await;
        at_rest_nothing_is_written_or_listed(&costed).await;
    });
}

impl Costed {
    /// Makes this many schedules and one more, waits until the operator is done with them, and returns their names.
    async fn make_many(&self, prefix: &str, count: usize) -> Vec<String> {
        let names: Vec<_> = (0..=count).map(|index| format!("{prefix}-{index}")).collect();
        for name in &names[..count] {
            self.tenant.make_schedule(name, "{}").await;
        }
        self.all_ready().await;
        // The last change is reported last: an operator that has handled it has heard of all earlier ones.
        self.tenant.make_schedule(&names[count], "{}").await;
        self.all_ready().await;
        let tiers: Api<WebhookTier> = Api::all(self.cluster.client.clone());
        eventually("the tier to count all schedules", async || {
            let all = self.tenant.schedules.list(&ListParams::default()).await.unwrap().items.len();
            let counted = tiers.get("default").await.unwrap().status.unwrap_or_default().schedules;
            if usize::try_from(counted) == Ok(all) { Ok(()) } else { Err((counted, all)) }
        })
        .await;
        names
    }

    async fn all_ready(&self) {
        eventually("all schedules to be ready", async || {
            let all = self.tenant.schedules.list(&ListParams::default()).await.unwrap().items;
            let waiting: Vec<_> =
                all.iter().filter(|schedule| !is_ready(schedule)).map(ResourceExt::name_any).collect();
            if waiting.is_empty() { Ok(()) } else { Err(waiting) }
        })
        .await;
    }

    /// The operator's writes for single schedules after this place in the log, including refused ones. Not included are writes
    /// for leading, for what people read, and for what a namespace or a tier has once.
    fn writes(&self, since: u64) -> Vec<Request> {
        let not_counted =
            ["leases", "events", "configmaps", "serviceaccounts", "networkpolicies", "webhooktiers/status"];
        let all = self.cluster.requests_of(OPERATOR, since).into_iter();
        all.filter(|request| request.writes() && !not_counted.contains(&request.resource.as_str())).collect()
    }

    /// The tier's status was written after this place in the log, and at its pace however many schedules came: at most one write
    /// per pace, one at the beginning, and one more since the log's clock is not the operator's.
    fn assert_tier_was_written_at_its_pace(&self, since: u64) {
        let all = self.cluster.requests_of(OPERATOR, since);
        let writes: Vec<_> = all.iter().filter(|it| it.writes() && it.resource == "webhooktiers/status").collect();
        let (Some(first), Some(last)) = (writes.first(), writes.last()) else {
            panic!("it was not written");
        };
        let time = |request: &Request| request.answered.parse::<Timestamp>().unwrap();
        let passed = time(last).duration_since(time(first)).as_secs() / PACE;
        assert!(
            i64::try_from(writes.len()).unwrap() <= passed + 2,
            "{} writes, with time for {passed} after the first",
            writes.len()
        );
    }

    /// The namespace's use was recorded after this place in the log, at most once a second and once for each of this many
    /// schedules.
    fn assert_use_was_recorded_at_its_pace(&self, since: u64, schedules: usize) {
        let all = self.cluster.requests_of(OPERATOR, since);
        let writes: Vec<_> = all.iter().filter(|it| it.writes() && it.resource == "configmaps").collect();
        let (Some(first), Some(last)) = (writes.first(), writes.last()) else {
            panic!("it was not recorded");
        };
        let time = |request: &Request| request.answered.parse::<Timestamp>().unwrap();
        let passed = usize::try_from(time(last).duration_since(time(first)).as_secs()).unwrap();
        assert!(writes.len() <= (passed + 2).min(schedules), "{} writes in {passed} s", writes.len());
        assert!(writes.iter().all(|it| it.name.starts_with("postern-usage-")), "{writes:#?}");
    }

    /// Everything that the operator ever asked for was allowed, and after this place in the log its requests about Secrets had
    /// only these verbs.
    fn assert_modest(&self, since: u64, verbs: &[&str]) {
        let all = self.cluster.requests_of(OPERATOR, 0);
        assert!(
            all.iter().any(|request| request.verb == "watch" && request.resource == "pods"),
            "it is not in the log"
        );
        for request in &all {
            assert!(!matches!(request.code, 401 | 403), "{request}");
        }
        for request in self.cluster.requests_of(OPERATOR, since) {
            let is_of_secrets = request.resource.split('/').next() == Some("secrets");
            assert!(!is_of_secrets || verbs.contains(&request.verb.as_str()), "{request}");
        }
    }
}

fn is_ready(schedule: &WebhookSchedule) -> bool {
    let mut conditions = schedule.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

async fn a_new_schedule_costs_two_writes_and_no_secret_is_ever_asked_for(costed: &Costed) {
    let since = costed.cluster.audit_log_length();
    let names = costed.make_many("new", 20).await;

    let writes = costed.writes(since);
    for name in &names {
        let of_it = writes.iter().filter(|write| write.name == *name || write.name == format!("postern-{name}"));
        let of_it: Vec<_> = of_it.map(ToString::to_string).collect();
        assert!(matches!(of_it.len(), 1..=2), "{name}: {of_it:#?}");
    }
    assert!(writes.len() <= 2 * names.len(), "{:#?}", count(&writes));
    costed.assert_tier_was_written_at_its_pace(since);
    costed.assert_use_was_recorded_at_its_pace(since, names.len());
    costed.assert_modest(0, &[]);
}

async fn a_managed_key_costs_four_writes_more_and_secrets_are_made_and_deleted_and_nothing_else(costed: &Costed) {
    let since = costed.cluster.audit_log_length();
    costed.tenant.make_schedule_with("signed", json!({"signing": {"managed": {}}})).await;
    costed.all_ready().await;
    // The status is written when the schedule is accepted, when its key is begun, when the key signs, and when the CronJob is in
    // place.
    let expected: BTreeMap<_, _> =
        [("create cronjobs 201", 1), ("create secrets 201", 1), ("update webhookschedules/status 200", 4)]
            .map(|(request, count)| (request.to_owned(), count))
            .into();
    // Effects can be seen before the log has their requests.
    eventually(&format!("the writes to be {expected:?}"), async || {
        let writes = count(&costed.writes(since));
        if writes == expected { Ok(()) } else { Err(writes) }
    })
    .await;

    let keys = async || costed.tenant.status("signed").await.signing_keys;
    let old = keys().await.remove(0).secret_name.unwrap();
    costed.tenant.annotate("signed", ROTATE_ANNOTATION, "revoke").await;
    eventually("the old key to be gone", async || {
        let keys = keys().await;
        let is_gone = keys.iter().all(|key| key.secret_name.as_ref() != Some(&old));
        if is_gone { Ok(()) } else { Err(keys) }
    })
    .await;
    let new = keys().await.remove(0).secret_name.unwrap();
    let expected =
        [("create", &old), ("create", &new), ("delete", &old)].map(|(verb, name)| (verb.to_owned(), name.clone()));
    // The last write is a status without the old key.
    eventually(&format!("the requests about Secrets to be {expected:?}"), async || {
        let all = costed.cluster.requests_of(OPERATOR, since);
        let is_last = costed.writes(since).last().is_some_and(|it| it.resource == "webhookschedules/status");
        let of_secrets: Vec<_> = all.into_iter().filter(|it| it.resource == "secrets").collect();
        let named: Vec<_> = of_secrets.into_iter().map(|request| (request.verb, request.name)).collect();
        if is_last && named == expected { Ok(()) } else { Err((is_last, named)) }
    })
    .await;
    costed.assert_modest(since, &["create", "delete"]);
}

async fn at_rest_nothing_is_written_or_listed(costed: &Costed) {
    let since = costed.cluster.audit_log_length();
    let names = costed.make_many("resting", 200).await;
    let whole = costed.cluster.audit_log_length();
    let seconds = env::var("POSTERN_IDLE_SECONDS").map_or(IDLE_SECONDS, |seconds| seconds.parse().unwrap());
    // This is the only wait for a time and not for a condition: no condition can show that nothing happens.
    tokio::time::sleep(Duration::from_secs(seconds)).await;

    let idle = costed.cluster.requests_of(OPERATOR, whole);
    assert!(idle.iter().any(Request::is_lease), "the operator doesn't lead: {:?}", count(&idle));
    let costly: Vec<_> = idle.into_iter().filter(|it| (it.writes() && !it.is_lease()) || it.verb == "list").collect();
    assert!(costly.is_empty(), "{:#?}", count(&costly));
    // Two writes for each schedule, late ones included.
    let writes = costed.writes(since);
    assert!(writes.len() <= 2 * names.len(), "{:#?}", count(&writes));
    costed.assert_tier_was_written_at_its_pace(since);
    costed.assert_modest(since, &[]);
}

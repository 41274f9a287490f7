//! An operator that dies at any write of a key's life, before it or after it, and the one that goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::runtime::events::{Recorder, Reporter};
use serde_json::{Value, json};

use crate::api::{KeyState, ROTATE_ANNOTATION, WebhookSchedule};
use crate::operator::caches::Queues;
use crate::operator::dereference::Stores;
use crate::operator::fake_api::{self, Asked};
use crate::operator::keys::{SETTLED, Unmade};
use crate::operator::membership::Membership;
use crate::operator::metrics::Metrics;
use crate::operator::preflight::Slots;
use crate::operator::protection::Protected;
use crate::operator::quotas::Quotas;
use crate::operator::reconcile::{Context, reconcile_at};
use crate::operator::retry::Failures;
use crate::operator::running::Running;
use crate::operator::settings::Settings;
use crate::operator::testdata::{self, minute, settings, store, tier};
use crate::operator::unlisted::Unlisted;
use crate::operator::written::Written;

/// A cluster, as far as one schedule with managed keys goes.
struct World {
    schedule: Value,
    cron_job: Option<Value>,
    /// The Secrets of keys, by their names.
    secrets: BTreeMap<String, Value>,
    jobs: Vec<Value>,
    /// Secrets that the API server refuses to make.
    refuses_secrets: bool,
    /// Secrets are made, and nobody is told.
    loses_answers: bool,
    writes: usize,
    /// The operator dies at this write, and whether that is done.
    cut: Option<(usize, bool)>,
    is_dead: bool,
    /// A key that a receiver relies on.
    relied_on: Option<String>,
}

impl World {
    fn new() -> Self {
        let mut schedule = testdata::schedule();
        schedule.metadata.resource_version = Some("1".into());
        schedule.spec.signing = serde_json::from_value(json!({"managed": {"overlap": "1h"}})).unwrap();
        Self {
            schedule: json!(schedule),
            cron_job: None,
            secrets: BTreeMap::new(),
            jobs: Vec::new(),
            refuses_secrets: false,
            loses_answers: false,
            writes: 0,
            cut: None,
            is_dead: false,
            relied_on: None,
        }
    }

    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        let not_counted = ["/events", "/serviceaccounts", "/networkpolicies"];
        let is_write = asked.method != "GET" && !not_counted.iter().any(|what| asked.path.ends_with(what));
        self.writes += usize::from(is_write && !self.is_dead);
        let cut = self.cut.filter(|(at, _)| is_write && *at == self.writes);
        if self.is_dead || cut.is_some_and(|(_, done)| !done) {
            self.is_dead = true;
            return (500, Value::Null);
        }
        let answer = self.handle(asked);
        self.check();
        self.is_dead = cut.is_some();
        if self.is_dead { (500, Value::Null) } else { answer }
    }

    fn handle(&mut self, asked: &Asked) -> (u16, Value) {
        let parts: Vec<&str> = asked.path.rsplit('/').take(3).collect();
        let mut body = asked.body.clone();
        match (asked.method.as_str(), parts[0], parts[1]) {
            ("GET", _, "cronjobs") => self.cron_job.clone().map_or((404, Value::Null), |cron_job| (200, cron_job)),
            ("GET", "jobs", _) => (200, json!({"metadata": {}, "items": self.jobs})),
            ("POST", "secrets", _) if self.refuses_secrets => (403, Value::Null),
            ("POST", "secrets", _) => {
                let name = body["metadata"]["name"].as_str().unwrap().to_owned();
                assert!(self.said(&name), "a Secret before its status");
                let was = self.secrets.insert(name, body);
                assert_eq!(was, None, "a name that is used twice");
                (if self.loses_answers { 504 } else { 201 }, json!({"metadata": {}}))
            }
            ("DELETE", name, "secrets") => {
                assert_eq!(asked.body, json!({"propagationPolicy": "Background"}));
                self.secrets.remove(name).map_or((404, Value::Null), |_| (200, json!({})))
            }
            ("PUT", "status", _) => {
                if body["metadata"]["resourceVersion"] != self.schedule["metadata"]["resourceVersion"] {
                    return (409, Value::Null);
                }
                let version: u64 = body["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
                self.schedule["metadata"]["resourceVersion"] = json!((version + 1).to_string());
                self.schedule["status"] = body["status"].take();
                (200, self.schedule.clone())
            }
            ("POST", "cronjobs", _) | ("PUT", _, "cronjobs") => {
                body["metadata"]["creationTimestamp"] = json!(minute(0));
                body["metadata"]["uid"] = "the-cron-job".into();
                self.cron_job = Some(body.clone());
                (200, body)
            }
            _ => (200, body),
        }
    }

    /// What must hold at every moment.
    fn check(&self) {
        let mounted = self.mounted();
        let runs = self.cron_job.as_ref().is_some_and(|cron_job| cron_job["spec"]["suspend"] == false);
        if runs && self.schedule["spec"]["signing"]["managed"].is_object() {
            assert!(!mounted.is_empty(), "an unsigned delivery");
        }
        for name in mounted.iter().filter(|_| runs) {
            assert!(self.secrets.contains_key(name), "a delivery would lack {name}");
        }
        if let Some(key) = self.relied_on.as_ref().filter(|_| runs) {
            assert!(mounted.contains(key), "the receiver knows {key} alone");
        }
    }

    fn said(&self, name: &str) -> bool {
        let keys = self.schedule["status"]["signingKeys"].as_array();
        keys.into_iter().flatten().any(|key| key["secretName"] == name && key["state"] == "Pending")
    }

    fn mounted(&self) -> BTreeSet<String> {
        let sources = self.cron_job.iter().filter_map(|cron_job| {
            cron_job.pointer("/spec/jobTemplate/spec/template/spec/volumes/0/projected/sources")?.as_array()
        });
        let names = sources.flatten().filter_map(|source| source.pointer("/secret/name")?.as_str());
        names.filter(|name| name.starts_with("postern-")).map(Into::into).collect()
    }

    fn schedule(&self) -> WebhookSchedule {
        serde_json::from_value(self.schedule.clone()).unwrap()
    }

    fn keys(&self) -> Vec<(String, KeyState)> {
        let keys = self.schedule().status.unwrap_or_default().signing_keys;
        keys.into_iter().map(|key| (key.secret_name.unwrap(), key.state)).collect()
    }

    /// Whether all that was begun is done: the status names every Secret, and the CronJob mounts those that sign.
    fn is_whole(&self) -> bool {
        let names: BTreeSet<String> = self.keys().into_iter().map(|(name, _)| name).collect();
        let active = self.keys().iter().filter(|(_, state)| *state == KeyState::Active).count();
        let sign = self.keys().into_iter().filter(|(_, state)| matches!(state, KeyState::Active | KeyState::Retiring));
        let runs = self.cron_job.as_ref().is_some_and(|cron_job| cron_job["spec"]["suspend"] == false);
        names == self.secrets.keys().cloned().collect()
            && active == usize::from(self.schedule["spec"]["signing"]["managed"].is_object())
            && sign.map(|(name, _)| name).collect::<BTreeSet<_>>() == self.mounted()
            && runs
    }
}

/// A cluster, and the time there.
struct Life {
    world: Arc<Mutex<World>>,
    now: Timestamp,
}

impl Life {
    fn new() -> Self {
        Self { world: Arc::new(Mutex::new(World::new())), now: minute(0) }
    }

    fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.world.lock().unwrap())
    }

    /// Runs an operator until it finds nothing to do, or is dead.
    async fn run(&self) {
        let (mut written, mut unmade) = (Written::default(), Unmade::default());
        for _ in 0..12 {
            let (before, schedule) = self.world(|world| (world.writes, world.schedule()));
            let world = Arc::clone(&self.world);
            let client = fake_api::client(move |asked| world.lock().unwrap().answer(&asked));
            let context = Context {
                settings: unchecked(),
                stores: Arc::new(self.stores()),
                recorder: Recorder::new(client.clone(), Reporter { controller: "postern".into(), instance: None }),
                client,
                metrics: Metrics::new(),
                failures: Failures::default(),
                written,
                slots: Slots::new(1),
                queues: Queues::new(Metrics::new()).0,
                unmade,
            };
            let _ = Box::pin(reconcile_at(&schedule, &context, self.now)).await;
            (written, unmade) = (context.written, context.unmade);
            let (writes, is_dead) = self.world(|world| (world.writes, world.is_dead));
            if is_dead || writes == before {
                return;
            }
        }
        panic!("it finds no rest: {:?}", self.world(|world| world.keys()));
    }

    /// What the watches of an operator that has just started show.
    fn stores(&self) -> Stores {
        let read = |object: Value| serde_json::from_value(object).unwrap();
        let cron_jobs = self.world(|world| world.cron_job.clone().into_iter().map(read).collect());
        let mut tier = tier();
        tier.spec.default = true;
        let quotas = Quotas::default();
        quotas.note(&self.world(|world| world.schedule()), self.now.as_second());
        Stores {
            membership: Membership { tiers: store(vec![tier]), namespaces: store(Vec::new()) },
            cron_jobs: store(cron_jobs),
            service_accounts: store(Vec::new()),
            network_policies: store(Vec::new()),
            jobs: store(Vec::new()),
            pods: store(Vec::new()),
            protected: Protected::unknown(),
            running: Running::default(),
            quotas: Arc::new(quotas),
            unlisted: Unlisted::default(),
        }
    }

    fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    /// A cluster with a schedule whose key has signed for a while.
    async fn with_a_key() -> Self {
        let life = Self::new();
        life.run().await;
        assert!(life.world(|world| world.is_whole()));
        life
    }

    fn ask(&self, value: &str) {
        self.world(|world| world.schedule["metadata"]["annotations"] = json!({ROTATE_ANNOTATION: value}));
    }

    fn key(&self) -> String {
        self.world(|world| world.keys()[0].0.clone())
    }
}

/// Tries what `begin` begins with an operator that dies at each write in turn, and then the next operator goes on.
async fn survives<F: Future<Output = Life>>(begin: impl Fn() -> F) {
    let mut cuts = 0;
    for at in 1..20 {
        let mut went_through = false;
        for done in [false, true] {
            let mut life = begin().await;
            life.world(|world| {
                world.writes = 0;
                world.cut = Some((at, done));
            });
            life.run().await;
            went_through = !life.world(|world| std::mem::take(&mut world.is_dead));
            life.world(|world| world.cut = None);
            life.wait(1);
            life.run().await;
            // What may be there and isn't known goes a minute later.
            life.wait(SETTLED);
            life.run().await;
            let keys = life.world(|world| world.keys());
            assert!(life.world(|world| world.is_whole()), "cut at write {at}, done: {done}: {keys:?}");
        }
        if went_through {
            break;
        }
        cuts += 1;
    }
    assert!(cuts >= 2, "{cuts} writes");
}

#[tokio::test]
async fn a_first_key_is_made_however_often_the_operator_dies() {
    survives(async || Life::new()).await;
}

#[tokio::test]
async fn a_rotation_is_finished_and_the_key_that_a_receiver_relies_on_signs_all_the_while() {
    survives(async || {
        let life = Life::with_a_key().await;
        life.world(|world| world.relied_on = Some(world.keys()[0].0.clone()));
        life.ask("now");
        life
    })
    .await;
}

#[tokio::test]
async fn a_revocation_is_finished_and_the_old_key_goes() {
    survives(async || {
        let life = Life::with_a_key().await;
        life.ask("revoke");
        life
    })
    .await;
    let mut life = Life::with_a_key().await;
    let old = life.key();
    life.ask("revoke");
    life.run().await;
    assert!(!life.world(|world| world.mounted().contains(&old)));
    life.wait(SETTLED);
    life.run().await;
    assert!(!life.world(|world| world.secrets.contains_key(&old)));
}

#[tokio::test]
async fn the_end_of_an_overlap_is_finished() {
    let at_the_end = async || {
        let mut life = Life::with_a_key().await;
        life.ask("now");
        life.run().await;
        life.wait(3_600);
        life
    };
    survives(async || {
        let life = at_the_end().await;
        life.run().await;
        Life { now: life.now + SignedDuration::from_secs(SETTLED), ..life }
    })
    .await;
    survives(at_the_end).await;
}

#[tokio::test]
async fn keys_that_the_spec_wants_no_more_go() {
    survives(async || {
        let life = Life::with_a_key().await;
        let spec = testdata::schedule().spec;
        life.world(|world| world.schedule["spec"]["signing"] = json!(spec.signing));
        life
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_a_delivery_under_way_has_mounted_stays_until_that_has_ended() {
    let mut life = Life::with_a_key().await;
    let old = life.key();
    let source = json!({"secret": {"name": old}});
    let job = json!({
        "metadata": {"name": "x"},
        "spec": {"template": {"spec": {"containers": [], "volumes": [{"name": "x", "projected": {"sources": [source]}}]}}},
    });
    life.world(|world| world.jobs.push(job));
    life.ask("revoke");
    life.run().await;
    life.wait(SETTLED);
    life.run().await;
    assert!(life.world(|world| world.secrets.contains_key(&old)));
    life.world(|world| world.jobs[0]["status"] = testdata::over());
    life.run().await;
    assert!(life.world(|world| !world.secrets.contains_key(&old) && world.is_whole()));
}

#[tokio::test]
async fn without_a_key_nothing_is_sent_and_a_rotation_that_fails_goes_on_with_the_old_key() {
    let mut life = Life::new();
    life.world(|world| world.refuses_secrets = true);
    life.run().await;
    let scheduled = |life: &Life| {
        let conditions = life.world(|world| world.schedule().status.unwrap_or_default().conditions);
        conditions.into_iter().find(|condition| condition.type_ == "Scheduled").unwrap()
    };
    assert_eq!(scheduled(&life).reason, "KeyNotMade");
    assert!(scheduled(&life).message.contains("the API server answered 403"), "{}", scheduled(&life).message);
    assert_eq!(life.world(|world| (world.cron_job.clone(), world.keys())), (None, Vec::new()));
    life.world(|world| world.refuses_secrets = false);
    life.wait(60);
    life.run().await;
    assert!(life.world(|world| world.is_whole()));

    let old = life.key();
    life.world(|world| world.refuses_secrets = true);
    life.ask("now");
    life.run().await;
    assert!(life.world(|world| world.is_whole()));
    assert_eq!(life.key(), old);
    life.ask("revoke");
    life.wait(60);
    life.run().await;
    let suspended = life.world(|world| world.cron_job.as_ref().unwrap()["spec"]["suspend"].clone());
    assert_eq!(suspended, true, "a key that was revoked signs nothing more");
}

#[tokio::test]
async fn a_secret_of_which_the_answer_was_lost_signs_nothing_and_goes() {
    let mut life = Life::with_a_key().await;
    let old = life.key();
    life.world(|world| world.loses_answers = true);
    life.ask("now");
    life.run().await;
    assert_eq!(life.world(|world| (world.secrets.len(), world.mounted())), (2, BTreeSet::from([old.clone()])));
    life.world(|world| world.loses_answers = false);
    life.wait(SETTLED);
    life.run().await;
    assert!(life.world(|world| world.is_whole()));
    assert_eq!(life.world(|world| (world.secrets.len(), world.mounted().len())), (2, 2), "the old one and a third");
}

#[tokio::test]
async fn a_new_key_costs_its_secret_and_two_writes_of_the_status_and_rest_costs_none() {
    let life = Life::new();
    life.run().await;
    // The CronJob and the status that says so are any schedule's.
    assert_eq!(life.world(|world| std::mem::take(&mut world.writes)), 2 + 3);
    life.run().await;
    assert_eq!(life.world(|world| world.writes), 0);
}

#[tokio::test]
async fn a_secret_is_immutable_of_its_own_type_and_the_schedule_s() {
    let life = Life::with_a_key().await;
    let (name, secret) = life.world(|world| world.secrets.pop_first().unwrap());
    let schedule = life.world(|world| world.schedule());
    assert!(name.starts_with("postern-nightly-report-k") && name.len() == "postern-nightly-report-k".len() + 9);
    assert_eq!((&secret["type"], &secret["immutable"]), (&json!("postern.dev/signing-key"), &json!(true)));
    assert_eq!(
        secret["metadata"]["labels"],
        json!({"app.kubernetes.io/managed-by": "postern", "postern.dev/schedule": "nightly-report"})
    );
    let owner = json!({
        "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookSchedule", "name": "nightly-report", "uid": schedule.uid(),
        "controller": true,
    });
    assert_eq!(secret["metadata"]["ownerReferences"], json!([owner]));
    assert_eq!(secret["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["key"]);
    assert!(!life.world(|world| world.schedule.to_string()).contains(secret["data"]["key"].as_str().unwrap()));
}

/// Checks are another matter.
fn unchecked() -> Settings {
    let mut settings = settings();
    settings.preflight.enabled = false;
    settings
}

//! Operators on the cluster of the key tests, and its clock.

use std::sync::{Arc, Mutex};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::world::World;
use crate::api::{REVOKE, ROTATE_ANNOTATION, WebhookSchedule};
use crate::operator::cache::caches::Caches;
use crate::operator::cache::indexed::Indexed;
use crate::operator::kubernetes::consistency::ConsistencyStore;
use crate::operator::schedule::context::ScheduleReconciler;
use crate::operator::schedule::reconcile::reconcile_at;
use crate::operator::signing_keys::backoff::RotationBackoff;
use crate::operator::signing_keys::controller::SigningKeyReconciler;
use crate::operator::signing_keys::revocations::FollowedRevocations;
use crate::operator::test_support::fake_api;
use crate::operator::test_support::objects::{self, Controllers, minute, settings};

/// What an operator remembers from one reconcile to the next.
#[derive(Default)]
pub(super) struct Memory {
    consistency: Arc<ConsistencyStore>,
    backoff: Arc<RotationBackoff>,
    revocations: Arc<FollowedRevocations>,
}

/// A cluster, and its clock.
pub(super) struct Scenario {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) now: Timestamp,
}

impl Scenario {
    pub(super) fn new() -> Self {
        Self { world: Arc::new(Mutex::new(World::new())), now: minute(0) }
    }

    pub(super) fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.world.lock().unwrap())
    }

    /// Starts an operator, and runs it until it has nothing to do, or is dead.
    pub(super) async fn run(&self) {
        self.go_on(&mut Memory::default()).await;
    }

    /// Does the same with an operator that has run before: its two controllers take turns.
    pub(super) async fn go_on(&self, memory: &mut Memory) {
        for _ in 0..12 {
            let before = self.world(|world| world.writes);
            let schedules = ScheduleReconciler {
                key_backoff: memory.backoff.clone(),
                revocations: memory.revocations.clone(),
                consistency: memory.consistency.clone(),
                ..self.controllers().schedules
            };
            let _ = Box::pin(reconcile_at(&self.world(|world| world.schedule()), &schedules, self.now)).await;
            let signing_keys = SigningKeyReconciler {
                backoff: memory.backoff.clone(),
                revocations: memory.revocations.clone(),
                consistency: memory.consistency.clone(),
                ..self.controllers().signing_keys
            };
            let schedule = self.world(|world| world.schedule());
            let _ = Box::pin(signing_keys.reconcile_at(&schedule, self.now)).await;
            let (writes, is_dead) = self.world(|world| (world.writes, world.is_dead));
            if is_dead || writes == before {
                return;
            }
        }
        panic!("it finds no rest: {:?}", self.world(|world| world.keys()));
    }

    /// Has the controller of schedules reconcile a version of the schedule.
    pub(super) async fn reconcile(&self, seen: &WebhookSchedule) {
        let _ = Box::pin(reconcile_at(seen, &self.controllers().schedules, self.now)).await;
    }

    /// Has the controller of keys reconcile a version of the schedule.
    pub(super) async fn rotate(&self, seen: &WebhookSchedule) {
        let _ = Box::pin(self.controllers().signing_keys.reconcile_at(seen, self.now)).await;
    }

    /// The controllers of an operator whose watches show the current state. Checks are disabled.
    fn controllers(&self) -> Controllers {
        let world = Arc::clone(&self.world);
        let client = fake_api::client(move |asked| world.lock().unwrap().answer(&asked));
        let read = |object: Value| serde_json::from_value(object).unwrap();
        let cron_jobs = self.world(|world| world.cron_job.clone().into_iter().map(read).collect());
        let schedule = self.world(|world| world.schedule());
        let caches = Caches { cron_jobs: Indexed::of(cron_jobs), ..objects::caches(&schedule) };
        let mut settings = settings();
        settings.preflight.enabled = false;
        Controllers::new(client, caches, &settings, self.now)
    }

    pub(super) fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    /// A cluster with a schedule whose key has signed for a while.
    pub(super) async fn with_a_key() -> Self {
        let scenario = Self::new();
        scenario.run().await;
        assert!(scenario.world(|world| world.is_whole()));
        scenario
    }

    pub(super) fn ask(&self, value: &str) {
        self.world(|world| {
            world.schedule["metadata"]["annotations"] = json!({ROTATE_ANNOTATION: value});
            if value.starts_with(REVOKE) {
                world.revoked = world.keys().first().map(|(name, _)| name.clone());
            }
        });
    }

    pub(super) fn key(&self) -> String {
        self.world(|world| world.keys()[0].0.clone())
    }
}

//! Operators on the cluster of the tests of keys, and the time there.

use std::sync::{Arc, Mutex};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::world::World;
use crate::api::{REVOKE, ROTATE_ANNOTATION};
use crate::operator::kubernetes::consistency::Written;
use crate::operator::schedule::observe::Stores;
use crate::operator::schedule::reconcile::{Context, reconcile_at};
use crate::operator::settings::Settings;
use crate::operator::signing_keys::keeper::Unmade;
use crate::operator::test_support::fake_api;
use crate::operator::test_support::objects::{self, minute, settings, store};

/// What an operator remembers from one reconcile to the next.
#[derive(Default)]
pub(super) struct Memory {
    written: Written,
    unmade: Unmade,
}

/// A cluster, and the time there.
pub(super) struct Life {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) now: Timestamp,
}

impl Life {
    pub(super) fn new() -> Self {
        Self { world: Arc::new(Mutex::new(World::new())), now: minute(0) }
    }

    pub(super) fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.world.lock().unwrap())
    }

    /// Starts an operator, and runs it until it finds nothing to do, or is dead.
    pub(super) async fn run(&self) {
        self.go_on(&mut Memory::default()).await;
    }

    /// The same with one that has run before.
    pub(super) async fn go_on(&self, memory: &mut Memory) {
        for _ in 0..12 {
            let (before, schedule) = self.world(|world| (world.writes, world.schedule()));
            let world = Arc::clone(&self.world);
            let client = fake_api::client(move |asked| world.lock().unwrap().answer(&asked));
            let Memory { written, unmade } = std::mem::take(memory);
            let whole = objects::context(client, self.stores());
            let context = Context { settings: unchecked(), written, unmade, ..whole };
            let _ = Box::pin(reconcile_at(&schedule, &context, self.now)).await;
            *memory = Memory { written: context.written, unmade: context.unmade };
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
        let schedule = self.world(|world| world.schedule());
        Stores { cron_jobs: store(cron_jobs), ..objects::stores(&schedule, self.now) }
    }

    pub(super) fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    /// A cluster with a schedule whose key has signed for a while.
    pub(super) async fn with_a_key() -> Self {
        let life = Self::new();
        life.run().await;
        assert!(life.world(|world| world.is_whole()));
        life
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

/// Checks are another matter.
fn unchecked() -> Settings {
    let mut settings = settings();
    settings.preflight.enabled = false;
    settings
}

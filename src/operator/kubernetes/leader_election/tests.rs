use std::pin::pin;
use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use serde_json::{Value, json};

use super::*;
use crate::operator::test_support::fake_api::{self, Asked};

/// A Lease on an API server that can be made to fail.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lease: Option<Value>,
    version: u64,
    writes: u32,
    is_down: bool,
}

impl State {
    fn answer(&mut self, asked: Asked) -> (u16, Value) {
        if self.is_down {
            return (500, Value::Null);
        }
        match (asked.method.as_str(), &self.lease) {
            ("GET" | "PUT", None) => (404, Value::Null),
            ("GET", Some(lease)) => (200, lease.clone()),
            ("PUT", Some(lease))
                if lease["metadata"]["resourceVersion"] != asked.body["metadata"]["resourceVersion"] =>
            {
                (409, Value::Null)
            }
            ("POST", Some(_)) => (409, Value::Null),
            ("PUT" | "POST", _) => {
                self.writes += 1;
                (200, self.write(asked.body))
            }
            (other, _) => panic!("{other}"),
        }
    }

    fn write(&mut self, mut lease: Value) -> Value {
        self.version += 1;
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.lease = Some(lease.clone());
        lease
    }
}

impl Server {
    fn elector(&self, identity: &str) -> LeaderElector {
        let state = Arc::clone(&self.0);
        let client = fake_api::client(move |asked| state.lock().unwrap().answer(asked));
        LeaderElector { api: Api::namespaced(client, "postern"), name: "postern".into(), identity: identity.into() }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    fn holder(&self) -> Value {
        self.0.lock().unwrap().lease.as_ref().map_or(Value::Null, |lease| lease["spec"]["holderIdentity"].clone())
    }
}

// The paused clock of these tests jumps ahead whenever every task is waiting.

#[tokio::test(start_paused = true)]
async fn a_second_one_leads_once_the_first_has_given_the_lease_back_and_not_before() {
    let server = Server::default();
    let (first, second) = (server.elector("first"), server.elector("second"));
    let mut leader = first.acquire().await;
    tokio::select! {
        lost = leader.renew() => panic!("{lost}"),
        _ = second.acquire() => panic!("two lead"),
        () = sleep(Duration::from_hours(1)) => {}
    }
    first.release().await;
    assert_eq!(server.holder(), Value::Null);
    let released = Instant::now();
    second.acquire().await;
    assert!(released.elapsed() <= RETRY_EVERY);
    assert_eq!(server.holder(), json!("second"));
}

#[tokio::test(start_paused = true)]
async fn renews_every_five_seconds() {
    let server = Server::default();
    let elector = server.elector("me");
    let mut leader = elector.acquire().await;
    let _ = timeout(Duration::from_mins(1), leader.renew()).await;
    assert!((11..=13).contains(&server.0.lock().unwrap().writes), "{}", server.0.lock().unwrap().writes);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_before_another_begins() {
    let server = Server::default();
    let (first, second) = (server.elector("first"), server.elector("second"));
    let mut leader = first.acquire().await;
    // The second operator sees the last renewal of the first as early as possible.
    let begun = Instant::now();
    let lease = second.api.get("postern").await.unwrap();
    server.change(|state| state.is_down = true);
    let take_over = async {
        let mut observed = Observed::default();
        observed.see(lease.spec.as_ref(), begun);
        while !observed.is_free_for("second", Instant::now()) {
            sleep(Duration::from_millis(10)).await;
        }
        begun.elapsed()
    };
    let give_up = async {
        let lost = leader.renew().await;
        assert!(matches!(lost, LeaseLost::NotRenewed), "{lost}");
        begun.elapsed()
    };
    let (taken_after, ended_after) = tokio::join!(take_over, give_up);
    assert!(ended_after + Duration::from_secs(4) < taken_after, "{ended_after:?} {taken_after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_bears_a_short_outage() {
    let server = Server::default();
    let elector = server.elector("me");
    let mut leader = elector.acquire().await;
    let outage = async {
        server.change(|state| state.is_down = true);
        sleep(Duration::from_secs(8)).await;
        server.change(|state| state.is_down = false);
        sleep(Duration::from_mins(1)).await;
    };
    tokio::select! {
        lost = leader.renew() => panic!("{lost}"),
        () = outage => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_ends_when_the_lease_is_deleted_or_has_another_name_in_it() {
    for deleted in [true, false] {
        let server = Server::default();
        let elector = server.elector("me");
        let mut leader = elector.acquire().await;
        server.change(|state| {
            let mut lease = state.lease.take().unwrap();
            if !deleted {
                lease["spec"]["holderIdentity"] = json!("other");
                state.write(lease);
            }
        });
        let lost = leader.renew().await;
        assert!(matches!(lost, LeaseLost::Taken), "{lost}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_leaves_the_holder_alone_does_not_end_its_lead() {
    let server = Server::default();
    let elector = server.elector("me");
    let mut leader = elector.acquire().await;
    server.change(|state| {
        let mut lease = state.lease.clone().unwrap();
        lease["metadata"]["labels"] = json!({"a": "b"});
        state.write(lease);
    });
    assert!(timeout(Duration::from_mins(1), leader.renew()).await.is_err());
    let labels = server.0.lock().unwrap().lease.as_ref().unwrap()["metadata"]["labels"].clone();
    assert_eq!(labels, json!({"a": "b"}));
}

#[tokio::test(start_paused = true)]
async fn gives_back_only_what_is_its_own() {
    let server = Server::default();
    let (first, second) = (server.elector("first"), server.elector("second"));
    first.acquire().await;
    second.release().await;
    assert_eq!(server.holder(), json!("first"));
}

#[tokio::test(start_paused = true)]
async fn another_thread_leads_as_long_as_the_lease_is_renewed_and_no_longer() {
    let server = Server::default();
    let elector = server.elector("me");
    let mut leader = elector.acquire().await;
    let (works, mut is_blocked) = (leader.leadership().lost(), pin!(leader.leadership().lost()));
    assert!(is_blocked.as_mut().now_or_never().is_none());
    tokio::select! {
        lost = leader.renew() => panic!("{lost}"),
        lost = works => panic!("{lost}"),
        () = sleep(Duration::from_hours(1)) => {}
    }
    assert!(is_blocked.as_mut().now_or_never().is_none(), "whoever looks late must not look at what was");
    // As if the renewing thread hung.
    let begun = Instant::now();
    leader.leadership().lost().await;
    assert!(begun.elapsed() <= LEAD_FOR, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn another_thread_leads_no_longer_than_the_leader() {
    let server = Server::default();
    let elector = server.elector("me");
    let leader = elector.acquire().await;
    let leadership = leader.leadership();
    drop(leader);
    let begun = Instant::now();
    leadership.lost().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

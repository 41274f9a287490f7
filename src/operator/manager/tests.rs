//! What a reconcile that blocks its thread holds up, and what it doesn't.
//!
//! The API server of these tests doesn't answer the first write of a reconcile, but blocks its thread, as a long computation
//! would. The clock of the test's thread jumps ahead whenever every task there is waiting.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::yield_now;

use super::*;
use crate::operator::test_support::fake_api::{self, Asked};
use crate::operator::test_support::{crds, objects};

/// How long something may take that should happen at once, in real time.
const PATIENCE: Duration = Duration::from_secs(10);

/// An API server with one schedule.
#[derive(Clone)]
struct Server {
    seen: watch::Sender<Seen>,
    /// Unblocks the first write of a reconcile.
    unblocked: Arc<Mutex<Option<mpsc::Receiver<()>>>>,
}

#[derive(Debug, Default)]
struct Seen {
    listed: HashSet<String>,
    /// The Lease, once it exists.
    lease: Option<Value>,
    renewals: u32,
    reconcile: Reconcile,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Reconcile {
    #[default]
    NotBegun,
    Blocks,
    /// It was told to continue while it blocked.
    GoesOn,
    /// Nobody told it to continue, and it did so after a timeout.
    HeldUpAllOthers,
}

impl Server {
    fn answer(&self, asked: Asked) -> (u16, Value) {
        match asked.method.as_str() {
            _ if asked.path.contains("/leases") => self.lease(asked),
            "GET" if asked.path.starts_with("/openapi/") => (200, crds::document()),
            "GET" => self.list(asked.path),
            _ => {
                self.block();
                (200, asked.body)
            }
        }
    }

    fn lease(&self, asked: Asked) -> (u16, Value) {
        let mut answer = (404, Value::Null);
        self.seen.send_modify(|seen| match (asked.method.as_str(), &mut seen.lease) {
            ("GET", Some(lease)) => answer = (200, lease.clone()),
            ("PUT", Some(lease)) => {
                seen.renewals += u32::from(!asked.body["spec"]["holderIdentity"].is_null());
                *lease = asked.body.clone();
                answer = (200, asked.body);
            }
            ("POST", lease) => {
                *lease = Some(asked.body.clone());
                answer = (201, asked.body);
            }
            _ => {}
        });
        answer
    }

    /// A list at first, and then a watch without events.
    fn list(&self, path: String) -> (u16, Value) {
        let schedules = if path.ends_with("/webhookschedules") { vec![objects::schedule()] } else { Vec::new() };
        if self.seen.send_if_modified(|seen| seen.listed.insert(path)) {
            (200, json!({"metadata": {"resourceVersion": "1"}, "items": schedules}))
        } else {
            (0, Value::Null)
        }
    }

    fn block(&self) {
        let Some(unblocked) = self.unblocked.lock().take() else { return };
        self.seen.send_modify(|seen| seen.reconcile = Reconcile::Blocks);
        let went_on = match unblocked.recv_timeout(PATIENCE) {
            Ok(()) => Reconcile::GoesOn,
            Err(_) => Reconcile::HeldUpAllOthers,
        };
        self.seen.send_modify(|seen| seen.reconcile = went_on);
    }
}

struct Operator {
    server: Server,
    unblock: mpsc::Sender<()>,
    stop: Arc<Notify>,
    health: SocketAddr,
}

impl Operator {
    fn new() -> Self {
        let (unblock, unblocked) = mpsc::channel();
        let unblocked = Arc::new(Mutex::new(Some(unblocked)));
        let server = Server { seen: watch::Sender::default(), unblocked };
        // No other test listens on this address.
        let health = std::net::TcpListener::bind("127.8.0.1:0").unwrap().local_addr().unwrap();
        Self { server, unblock, stop: Arc::default(), health }
    }

    async fn run(&self) -> Result<(), ProcessError> {
        let mut settings = objects::settings();
        settings.health.address = self.health;
        settings.metrics.address = SocketAddr::new(self.health.ip(), 0);
        let (server, stop) = (self.server.clone(), Arc::clone(&self.stop));
        let connect = move || {
            let server = server.clone();
            Ok(fake_api::client(move |asked| server.answer(asked)))
        };
        run(connect, settings, async move { stop.notified().await }).await
    }

    /// Waits until the API server has received such a request. Lease renewals arrive all the time, so it checks again and
    /// again.
    async fn until(&self, is_so: impl Fn(&Seen) -> bool) {
        let begun = Instant::now();
        let mut seen = self.server.seen.subscribe();
        let seen = seen.wait_for(|seen| is_so(seen) || begun.elapsed() > PATIENCE).await.unwrap();
        assert!(is_so(&seen), "{:?}, {} renewals", seen.reconcile, seen.renewals);
    }

    async fn until_a_reconcile_blocks(&self) {
        self.until(|seen| seen.reconcile == Reconcile::Blocks).await;
    }

    /// Waits until the Lease has been renewed twice more.
    async fn until_the_lease_is_renewed(&self) {
        let before = self.server.seen.borrow().renewals;
        self.until(|seen| seen.renewals >= before + 2).await;
    }

    /// Waits until all threads that had a client have ended.
    async fn until_nobody_asks_any_more(&self) {
        let begun = Instant::now();
        while Arc::strong_count(&self.server.unblocked) > 1 {
            assert!(begun.elapsed() < PATIENCE, "a thread goes on");
            yield_now().await;
        }
    }

    async fn probe(&self) -> String {
        let mut stream = TcpStream::connect(self.health).await.unwrap();
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_renewed_and_probes_are_answered_while_a_reconcile_blocks_its_thread() {
    let operator = Operator::new();
    let meanwhile = async {
        operator.until_a_reconcile_blocks().await;
        operator.until_the_lease_is_renewed().await;
        let answer = operator.probe().await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nleads\n"), "{answer}");
        operator.unblock.send(()).unwrap();
        operator.until(|seen| seen.reconcile == Reconcile::GoesOn).await;
    };
    tokio::select! {
        ended = operator.run() => panic!("{ended:?}"),
        () = meanwhile => {}
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_whose_lease_is_lost_ends_although_a_reconcile_blocks_its_thread() {
    let operator = Operator::new();
    let mut run = pin!(operator.run());
    tokio::select! {
        ended = &mut run => panic!("{ended:?}"),
        () = operator.until_a_reconcile_blocks() => {}
    }
    operator.server.seen.send_modify(|seen| seen.lease = None);
    let ended = run.await;
    assert!(matches!(ended, Err(ProcessError::LeaseLost(LeaseLost::Taken))), "{ended:?}");
    assert_eq!(operator.server.seen.borrow().reconcile, Reconcile::Blocks);
    operator.unblock.send(()).unwrap();
    operator.until_nobody_asks_any_more().await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_is_told_to_stop_holds_the_lease_until_the_last_reconcile_has_ended() {
    let operator = Operator::new();
    let mut run = pin!(operator.run());
    let is_told = async {
        operator.until_a_reconcile_blocks().await;
        operator.stop.notify_one();
        operator.until_the_lease_is_renewed().await;
    };
    tokio::select! {
        ended = &mut run => panic!("{ended:?}"),
        () = is_told => {}
    }
    operator.unblock.send(()).unwrap();
    run.await.unwrap();
    operator.until_nobody_asks_any_more().await;
    let seen = operator.server.seen.borrow();
    assert_eq!(seen.reconcile, Reconcile::GoesOn);
    assert_eq!(seen.lease.as_ref().unwrap()["spec"]["holderIdentity"], Value::Null);
}

//! Leader election: of several operators, the one that holds the Lease leads.
//!
//! Every write names the version of the Lease that it is based on, so of two concurrent writers one is refused. How long a
//! holder has been silent is measured by the local clock, from when its last change of the Lease was seen: clocks need not
//! agree. A leader that can't renew stops before anybody else may take over.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::lease::{Observed, claimed, is_held_by, released, renewed};
use crate::operator::settings::LeaseSettings;

/// The time between two renewals.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How long a leader leads without a renewal: shorter than the Lease's duration, so that it has stopped before another begins.
const LEAD_FOR: Duration = Duration::from_secs(10);
/// The time between two checks of a Lease that another operator holds, and between two retries.
const RETRY_EVERY: Duration = Duration::from_secs(2);
/// How long releasing the Lease may take.
const RELEASE_WITHIN: Duration = Duration::from_secs(5);

/// A candidate for leadership.
pub(crate) struct LeaderElector {
    api: Api<Lease>,
    name: String,
    identity: String,
}

/// The current holder of the Lease.
pub(crate) struct Leader<'a> {
    elector: &'a LeaderElector,
    /// The Lease as it was last written.
    lease: Lease,
    /// When that write began.
    since: watch::Sender<Instant>,
}

/// The leadership, for threads that don't renew the Lease themselves.
pub(crate) struct Leadership(watch::Receiver<Instant>);

/// Why the Lease is no longer held.
#[derive(Debug, thiserror::Error)]
pub enum LeaseLost {
    /// Another operator wrote its name into it, or it was deleted.
    #[error("somebody else took the Lease or deleted it")]
    Taken,
    /// The API server didn't accept a renewal in time.
    #[error("the Lease could not be renewed for {} seconds", LEAD_FOR.as_secs())]
    NotRenewed,
}

impl LeaderElector {
    /// A candidate in the operator's own namespace, with the identity in `POD_NAME`, or else a generated one.
    pub(crate) fn new(client: Client, settings: &LeaseSettings) -> Self {
        let namespace = own_namespace(&client);
        let identity = std::env::var("POD_NAME").unwrap_or_else(|_| own_name());
        Self { api: Api::namespaced(client, &namespace), name: settings.name.clone(), identity }
    }

    /// The namespace of the Lease.
    pub(crate) fn namespace(&self) -> &str {
        // The client was made for a namespace.
        self.api.namespace().unwrap_or_default()
    }

    /// Waits until this operator leads.
    pub(crate) async fn acquire(&self) -> Leader<'_> {
        let mut observed = Observed::default();
        let mut problem = None;
        loop {
            let since = Instant::now();
            match self.claim(&mut observed, since).await {
                Ok(Some(lease)) => return Leader { elector: self, lease, since: watch::Sender::new(since) },
                Ok(None) => problem = None,
                Err(error) => {
                    let error = error.to_string();
                    // Log a problem once, not at every retry.
                    if problem.as_ref() != Some(&error) {
                        tracing::warn!(error, "the Lease can't be read or written; trying again");
                        problem = Some(error);
                    }
                }
            }
            sleep(RETRY_EVERY).await;
        }
    }

    /// Takes the Lease if it is free.
    async fn claim(&self, observed: &mut Observed, now: Instant) -> Result<Option<Lease>, kube::Error> {
        let written = match self.api.get_opt(&self.name).await? {
            None => {
                let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
                let lease = Lease { metadata, spec: Some(claimed(None, &self.identity, wall_clock())) };
                self.api.create(&PostParams::default(), &lease).await
            }
            Some(mut lease) => {
                observed.see(lease.spec.as_ref(), now);
                if !observed.is_free_for(&self.identity, now) {
                    return Ok(None);
                }
                lease.spec = Some(claimed(lease.spec.as_ref(), &self.identity, wall_clock()));
                self.api.replace(&self.name, &PostParams::default(), &lease).await
            }
        };
        match written {
            Ok(lease) => Ok(Some(lease)),
            // Another operator was faster.
            Err(error) if is(&error, 409) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Releases the Lease if it is held, so that another operator can lead at once. If that fails, the Lease expires.
    pub(crate) async fn release(&self) {
        match timeout(RELEASE_WITHIN, self.try_to_release()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the Lease could not be released"),
            Err(_) => tracing::warn!("the Lease could not be released in time"),
        }
    }

    async fn try_to_release(&self) -> Result<(), kube::Error> {
        loop {
            let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(()) };
            if !is_held_by(lease.spec.as_ref(), &self.identity) {
                return Ok(());
            }
            lease.spec = lease.spec.as_ref().map(released);
            match self.api.replace(&self.name, &PostParams::default(), &lease).await {
                // A renewal that nobody waited for any more may have arrived in between.
                Err(error) if is(&error, 409) => {}
                other => return other.map(drop),
            }
        }
    }
}

impl Leader<'_> {
    /// The leadership, for another thread.
    pub(crate) fn leadership(&self) -> Leadership {
        Leadership(self.since.subscribe())
    }

    /// Renews for as long as possible, and returns when this operator must no longer lead.
    pub(crate) async fn renew(&mut self) -> LeaseLost {
        loop {
            let since = *self.since.borrow();
            sleep_until(since + RENEW_EVERY).await;
            match timeout_at(since + LEAD_FOR, self.renew_once()).await {
                Ok(Ok(())) => {}
                Ok(Err(lost)) => return lost,
                Err(_) => return LeaseLost::NotRenewed,
            }
        }
    }

    /// Retries until the renewal succeeds or another operator holds the Lease.
    async fn renew_once(&mut self) -> Result<(), LeaseLost> {
        let LeaderElector { api, name, identity } = self.elector;
        loop {
            let since = Instant::now();
            let mut lease = self.lease.clone();
            lease.spec = lease.spec.as_ref().map(|spec| renewed(spec, wall_clock()));
            match api.replace(name, &PostParams::default(), &lease).await {
                Ok(lease) => {
                    self.lease = lease;
                    self.since.send_replace(since);
                    return Ok(());
                }
                Err(error) if is(&error, 404) => return Err(LeaseLost::Taken),
                // Somebody has written it since: another operator, an own renewal whose answer was lost, or somebody who
                // changed its labels.
                Err(error) if is(&error, 409) => match api.get_opt(name).await {
                    Ok(Some(lease)) if is_held_by(lease.spec.as_ref(), identity) => self.lease = lease,
                    Ok(_) => return Err(LeaseLost::Taken),
                    Err(error) => failed(&error).await,
                },
                Err(error) => failed(&error).await,
            }
        }
    }
}

impl Leadership {
    /// Waits until the leader is dropped or has not renewed in time: its thread may hang, and then can't report that itself.
    pub(crate) async fn lost(mut self) -> LeaseLost {
        loop {
            let since = *self.0.borrow_and_update();
            // A renewal counts however late it is seen, so check for a change before the deadline.
            let Ok(Ok(())) = timeout_at(since + LEAD_FOR, self.0.changed()).await else { return LeaseLost::NotRenewed };
        }
    }
}

async fn failed(error: &kube::Error) {
    tracing::warn!(%error, "the Lease could not be renewed; trying again");
    sleep(RETRY_EVERY).await;
}

fn is(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

/// The operator's own namespace: `POD_NAMESPACE`, or else the client's.
pub(crate) fn own_namespace(client: &Client) -> String {
    std::env::var("POD_NAMESPACE").unwrap_or_else(|_| client.default_namespace().into())
}

fn wall_clock() -> MicroTime {
    MicroTime(Timestamp::now())
}

/// The identity of a process that isn't a pod: the host's name, and a random part that tells it from an earlier process on that
/// host.
fn own_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut chance = [0; 8];
    // Without randomness the name is the host's alone, and only one operator on it can lead.
    let _ = getrandom::fill(&mut chance);
    format!("{}-{:016x}", host.trim(), u64::from_be_bytes(chance))
}

#[cfg(test)]
mod tests;

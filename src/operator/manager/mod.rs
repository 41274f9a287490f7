//! The operator as a process, in one screen: what it serves, when it leads, and how it ends.
//!
//! The controllers run on a thread of their own: a reconcile may compute for a long time, and everything else on its thread
//! waits. Probes, metrics and the Lease must not wait. Each thread has its own client, since a client works only as long as the
//! thread that made it.

use std::net::SocketAddr;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use kube::Client;
use tokio::net::TcpListener;

use crate::operator::controllers;
use crate::operator::kubernetes::crd_check::{self, CrdError};
use crate::operator::kubernetes::leader_election::{LeaderElector, LeaseLost};
use crate::operator::metrics::Metrics;
use crate::operator::server::certificate::CertificateError;
use crate::operator::server::metrics::Scrape;
use crate::operator::server::readiness::Readiness;
use crate::operator::server::{health, http, watchdog};
use crate::operator::settings::Settings;

/// Why the operator ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The process can't listen on a port.
    #[error("{field}: the operator can't listen on {address}: {source}")]
    Listen {
        /// The field in the settings.
        field: &'static str,
        /// The address and port.
        address: SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
    /// No client could be made.
    #[error("no connection to the API server: {0}")]
    Client(#[from] kube::Error),
    /// No thread could be started.
    #[error("the controllers' thread can't be started: {0}")]
    Thread(#[source] std::io::Error),
    /// The metrics have no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The API server doesn't serve what this operator needs.
    #[error(transparent)]
    Crds(#[from] CrdError),
    /// Another operator may lead by now, and two must not lead.
    #[error("{0}, so this operator no longer leads; it exits to restart as a standby")]
    LeaseLost(#[from] LeaseLost),
    /// The watches ended by themselves.
    #[error("the controllers ended by themselves; please report it")]
    ControllersEnded,
}

/// Runs until `stop` is done; then lets running reconciles finish, and releases the Lease. `connect` makes a client for the
/// runtime that it is called on.
///
/// When it returns an error, a reconcile may still be running, so the process has to end then.
///
/// # Errors
/// When a port, a certificate or a CRD is not as it should be, and when the Lease is lost.
pub async fn run(
    connect: impl Fn() -> Result<Client, kube::Error> + Send + 'static,
    settings: Settings,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ProcessError> {
    let client = connect()?;
    let (metrics, readiness) = (Metrics::new(), Readiness::default());
    let probes = listen("health.address", settings.health.address)?;
    let scrapes = listen("metrics.address", settings.metrics.address)?;
    let scrape = Scrape::new(client.clone(), metrics.clone(), &settings.metrics)?;
    tokio::select! {
        never = health::serve(probes, readiness.clone()) => match never {},
        never = scrape.serve(scrapes) => match never {},
        ended = work(client, connect, settings, metrics, readiness, stop.boxed().shared()) => ended,
    }
}

fn listen(field: &'static str, address: SocketAddr) -> Result<TcpListener, ProcessError> {
    http::listen(address).map_err(|source| ProcessError::Listen { field, address, source })
}

/// Waits for the Lease, leads, and releases it.
async fn work(
    client: Client,
    connect: impl Fn() -> Result<Client, kube::Error> + Send + 'static,
    settings: Settings,
    metrics: Metrics,
    readiness: Readiness,
    stop: Shared<BoxFuture<'static, ()>>,
) -> Result<(), ProcessError> {
    let elector = LeaderElector::new(client.clone(), &settings.lease);
    let elected = async {
        crd_check::check(&client).await?;
        readiness.connected();
        Ok::<_, CrdError>(elector.acquire().await)
    };
    let ended = tokio::select! {
        leader = elected => {
            let mut leader = leader?;
            tracing::info!("this operator leads");
            metrics.leads(true);
            readiness.elected();
            let (leadership, told) = (leader.leadership(), stop.clone());
            let controllers = watchdog::on_thread("controllers", async move || {
                let client = connect()?;
                tokio::select! {
                    // When the Lease is lost at the same time, don't start the next step.
                    biased;
                    lost = leadership.lost() => Err(lost.into()),
                    () = controllers::run(client, settings, metrics, readiness, told) => Ok(()),
                }
            });
            tokio::select! {
                biased;
                lost = leader.renew() => return Err(lost.into()),
                // The controllers end only after they were asked to stop.
                ended = controllers => ended
                    .map_err(ProcessError::Thread)
                    .flatten()
                    .and_then(|()| stop.now_or_never().ok_or(ProcessError::ControllersEnded)),
            }
        }
        () = stop.clone() => Ok(()),
    };
    // Release it even from a process on standby: it may have taken the Lease without having received the answer.
    elector.release().await;
    ended
}

#[cfg(test)]
mod tests;

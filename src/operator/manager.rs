//! The operator as a process, in one screen: what it serves, when it leads, and how it ends.

use std::net::SocketAddr;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use kube::Client;
use tokio::net::TcpListener;

use crate::operator::controllers;
use crate::operator::kubernetes::crd_check::{self, CrdError};
use crate::operator::kubernetes::leader_election::{Candidate, LeaseLost};
use crate::operator::metrics::Metrics;
use crate::operator::server::certificate::CertificateError;
use crate::operator::server::metrics::Scrape;
use crate::operator::server::readiness::Readiness;
use crate::operator::server::{health, http};
use crate::operator::settings::Settings;

/// Why the operator ended although nobody told it to.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// A port can't be listened on.
    #[error("{field}: {address} can't be listened on: {source}")]
    Listen {
        /// The field of the settings.
        field: &'static str,
        /// The address and port.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is no certificate for the metrics.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The API server doesn't serve what this operator needs.
    #[error(transparent)]
    Crds(#[from] CrdError),
    /// Another may lead by now, and two must not.
    #[error("{0}, so that this operator no longer leads; it ends, to begin anew as a standby")]
    LeaseLost(#[from] LeaseLost),
    /// The watches ended by themselves.
    #[error("the controllers ended by themselves; please report it")]
    ControllersEnded,
}

/// Runs until `stop` is done; finishes then what is under way, and gives the lease back.
///
/// # Errors
/// When a port, a certificate or a CRD is not as it should be, and when the lease is lost.
pub async fn run(
    client: Client,
    settings: Settings,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ProcessError> {
    let (metrics, readiness) = (Metrics::new(), Readiness::default());
    let probes = listen("health.address", settings.health.address)?;
    let scrapes = listen("metrics.address", settings.metrics.address)?;
    let scrape = Scrape::new(client.clone(), metrics.clone(), &settings.metrics)?;
    tokio::select! {
        never = health::serve(probes, readiness.clone()) => match never {},
        never = scrape.serve(scrapes) => match never {},
        ended = work(client, settings, metrics, readiness, stop.boxed().shared()) => ended,
    }
}

fn listen(field: &'static str, address: SocketAddr) -> Result<TcpListener, ProcessError> {
    http::listen(address).map_err(|source| ProcessError::Listen { field, address, source })
}

/// Waits for the lease, leads, and gives it back.
async fn work(
    client: Client,
    settings: Settings,
    metrics: Metrics,
    readiness: Readiness,
    stop: Shared<BoxFuture<'static, ()>>,
) -> Result<(), ProcessError> {
    let candidate = Candidate::new(client.clone(), &settings.lease);
    let elected = async {
        crd_check::check(&client).await?;
        readiness.connected();
        Ok::<_, CrdError>(candidate.elected().await)
    };
    let ended = tokio::select! {
        leader = elected => {
            let mut leader = leader?;
            tracing::info!("this operator leads");
            metrics.leads(true);
            readiness.elected();
            tokio::select! {
                // What is to be done next is not begun when the lease is lost at the same time.
                biased;
                lost = leader.keep() => return Err(lost.into()),
                () = controllers::run(client, settings, metrics, readiness, stop.clone()) => {}
            }
            // It is done when it has been told to stop, and only then.
            stop.now_or_never().ok_or(ProcessError::ControllersEnded)
        }
        () = stop.clone() => Ok(()),
    };
    // Even by a process that only stood by: it may have taken the lease without having heard so yet.
    candidate.release().await;
    ended
}

//! One attempt: look the name up and judge its addresses, connect to one of them, send, and judge the answer. A check ends
//! where this would connect.

use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use hyper::header::RETRY_AFTER;
use rustls::pki_types::ServerName;
use tokio::time::{Instant, timeout_at};

use super::connect::connect;
use super::exchange::{Exchange, Rest};
use super::failure::{Failure, judge_status, reason_of_exchange, reason_of_tls};
use super::prepare::Prepared;
use super::retry_after::retry_after;
use crate::delivery::{AddressFamily, Reason, Timestamp, Timings};
use crate::egress::{self, Checked};

/// What is known of an attempt, also when it is cut short.
#[derive(Default)]
pub(super) struct Trace {
    pub(super) status: Option<StatusCode>,
    pub(super) address_family: Option<AddressFamily>,
    pub(super) timings: Timings,
}

impl Trace {
    /// What an attempt that ran out of time was waiting for.
    fn reason_of_timeout(&self) -> Reason {
        if self.timings.dns_ms.is_none() {
            Reason::NameNotResolved
        } else if self.timings.connect_ms.is_none() {
            Reason::ConnectTimeout
        } else {
            Reason::RequestTimeout
        }
    }
}

/// How an attempt ended, and what is left of the response if there was one.
pub(super) type Ended = (Result<(), Failure>, Option<Rest>);

/// Makes the attempt of this number (from 1); the head of the response must have come by the deadline.
pub(super) async fn attempt(prepared: &Prepared, number: u32, deadline: Instant, trace: &mut Trace) -> Ended {
    let answer = timeout_at(deadline, request(prepared, number, deadline, trace)).await;
    let (exchange, response) = match answer.unwrap_or_else(|_| Err(Failure::of_transport(trace.reason_of_timeout()))) {
        Ok(answer) => answer,
        Err(failure) => return (Err(failure), None),
    };

    let (head, body) = response.into_parts();
    trace.status = Some(head.status);
    let after = head.headers.get(RETRY_AFTER).and_then(|value| retry_after(value.as_bytes(), SystemTime::now()));
    (judge_status(head.status, after), Some(exchange.rest_of(body)))
}

/// As much of an attempt as comes before its connection.
pub(super) async fn check(prepared: &Prepared, deadline: Instant, trace: &mut Trace) -> Result<(), Failure> {
    let aimed = timeout_at(deadline, aim(prepared, trace)).await;
    aimed.unwrap_or_else(|_| Err(Failure::of_transport(trace.reason_of_timeout()))).map(drop)
}

/// Where to connect, and as whom the receiver has to prove itself.
async fn aim(prepared: &Prepared, trace: &mut Trace) -> Result<(Vec<Checked>, ServerName<'static>), Failure> {
    let mut clock = Instant::now();
    let addresses = egress::resolve(&prepared.target, &prepared.rules, &prepared.resolver).await?;
    trace.timings.dns_ms = Some(lap(&mut clock));
    let name = ServerName::try_from(prepared.target.server_name())
        .map_err(|_| Failure::of_transport(Reason::CertificateNameMismatch))?;
    Ok((addresses, name))
}

type Answer = (Exchange, hyper::Response<hyper::body::Incoming>);

async fn request(prepared: &Prepared, number: u32, deadline: Instant, trace: &mut Trace) -> Result<Answer, Failure> {
    let (addresses, name) = aim(prepared, trace).await?;
    let mut clock = Instant::now();

    let (stream, family) = connect(&addresses, deadline).await.map_err(Failure::of_transport)?;
    trace.address_family = Some(family);
    trace.timings.connect_ms = Some(lap(&mut clock));

    let stream =
        prepared.tls.connect(name, stream).await.map_err(|error| Failure::of_transport(reason_of_tls(&error)))?;
    trace.timings.tls_ms = Some(lap(&mut clock));

    let of_exchange = |error: hyper::Error| Failure::of_transport(reason_of_exchange(&error));
    let mut exchange = Exchange::open(stream).await.map_err(of_exchange)?;
    let request = prepared.blueprint.request(number, Timestamp::of(SystemTime::now()))?;
    let response = exchange.send(request).await.map_err(of_exchange)?;
    trace.timings.first_byte_ms = Some(lap(&mut clock));
    Ok((exchange, response))
}

/// The milliseconds since the clock was last looked at.
fn lap(clock: &mut Instant) -> u32 {
    let elapsed = clock.elapsed();
    *clock += elapsed;
    milliseconds(elapsed)
}

/// Whole milliseconds, as the outcome has them.
pub(super) fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

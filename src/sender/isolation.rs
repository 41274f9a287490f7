//! Whether this pod can reach what must be out of reach: canaries report it, and deliveries wait until it can't.
//!
//! Only a completed connection proves anything: a closed port, a rejecting engine and a lost packet all look alike.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::refusal::Refusal;
use crate::delivery::{Findings, Probe, Probes, Reason};

/// How long a connection may take. A lost first packet is sent again after a second.
const CONNECTED_WITHIN: Duration = Duration::from_secs(2);
/// How late a NetworkPolicy engine may be with a new pod.
pub(super) const ENFORCED_WITHIN: Duration = Duration::from_secs(30);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// Tries until everything is as it should be, or until `within` has passed.
pub(super) async fn explore(probes: &Probes, within: Duration) -> Findings {
    let started = Instant::now();
    let mut was_open = false;
    loop {
        let round = Instant::now();
        let closed = probes.closed.iter().map(|probe| probe.address);
        let (reached, open) = tokio::join!(reached(closed), reached(probes.open.iter().copied()));
        let reached: Vec<Probe> = probes.closed.iter().zip(reached).filter(|(_, is)| *is).map(|(p, _)| *p).collect();
        let open = open.contains(&true);
        if (open && reached.is_empty()) || started.elapsed() >= within {
            let late = was_open && reached.is_empty();
            let after = u32::try_from((round - started).as_millis()).unwrap_or(u32::MAX);
            return Findings::new(open, reached, late.then_some(after));
        }
        was_open |= !reached.is_empty();
        sleep(PAUSE).await;
    }
}

/// Waits until none of the addresses can be reached any more. All of them are known to listen.
pub(super) async fn enforced(known_closed: &[SocketAddr], within: Duration) -> Result<(), Refusal> {
    let started = Instant::now();
    loop {
        let reached = reached(known_closed.iter().copied()).await;
        let Some(at) = reached.iter().position(|is| *is) else { return Ok(()) };
        if started.elapsed() >= within {
            let detail = format!(
                "after {} seconds the sender could still reach {}, which its NetworkPolicy closes, so it sent nothing: \
                 ask your admin whether the NetworkPolicy engine works on its node",
                within.as_secs(),
                known_closed[at]
            );
            return Err(Refusal::new(Reason::NotIsolated, detail));
        }
        sleep(PAUSE).await;
    }
}

/// Which of the addresses complete a connection. Nothing is sent over it. All are tried at the same time.
async fn reached(addresses: impl Iterator<Item = SocketAddr>) -> Vec<bool> {
    let tries: Vec<_> = addresses
        .map(|address| {
            tokio::spawn(
                async move { matches!(timeout(CONNECTED_WITHIN, TcpStream::connect(address)).await, Ok(Ok(_))) },
            )
        })
        .collect();
    let mut reached = Vec::with_capacity(tries.len());
    for is in tries {
        reached.push(is.await.unwrap_or(false));
    }
    reached
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::delivery::Place;

    const NOT_LONG: Duration = Duration::from_millis(1);

    async fn listening() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// An address where nothing listens any more.
    async fn closed() -> SocketAddr {
        listening().await.1
    }

    fn probes(closed: &[SocketAddr], open: &[SocketAddr]) -> Probes {
        let closed = closed.iter().map(|address| Probe { place: Place::Kubelet, address: *address }).collect();
        Probes { version: Probes::VERSION, closed, open: open.to_vec() }
    }

    #[tokio::test]
    async fn a_canary_names_what_it_reached_and_not_what_refuses() {
        let (_inside, inside) = listening().await;
        let (_dns, dns) = listening().await;
        let probes = probes(&[closed().await, inside], &[closed().await, dns]);
        let findings = explore(&probes, NOT_LONG).await;
        assert_eq!(findings, Findings::new(true, vec![probes.closed[1]], None));
    }

    #[tokio::test]
    async fn a_canary_that_gets_nowhere_says_that_no_name_server_was_reached() {
        let findings = explore(&probes(&[closed().await], &[closed().await]), NOT_LONG).await;
        assert_eq!(findings, Findings::new(false, Vec::new(), None));
    }

    #[tokio::test]
    async fn a_canary_tells_how_late_an_engine_was() {
        let (inside, address) = listening().await;
        let (_dns, dns) = listening().await;
        // The listener closes once it has been reached.
        let closes = tokio::spawn(async move { inside.accept().await.map(drop) });
        let findings = explore(&probes(&[address], &[dns]), ENFORCED_WITHIN).await;
        closes.await.unwrap().unwrap();
        assert_eq!((findings.open, findings.reached_count), (true, 0));
        assert!(findings.enforced_after_ms.is_some_and(|after| after >= 250), "{findings:?}");
    }

    #[tokio::test]
    async fn a_delivery_waits_until_what_must_be_closed_is() {
        let (inside, address) = listening().await;
        let closes = tokio::spawn(async move { inside.accept().await.map(drop) });
        assert_eq!(enforced(&[address], ENFORCED_WITHIN).await, Ok(()));
        closes.await.unwrap().unwrap();
        assert_eq!(enforced(&[], NOT_LONG).await, Ok(()));
    }

    #[tokio::test]
    async fn a_delivery_is_refused_when_it_stays_open_and_the_refusal_names_it() {
        let (_inside, address) = listening().await;
        let refusal = enforced(&[closed().await, address], NOT_LONG).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::NotIsolated);
        assert!(refusal.detail.contains(&address.to_string()), "{}", refusal.detail);
    }
}

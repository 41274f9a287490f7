//! A TCP connection to one of the addresses that the guard let pass, and to no other.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::failure::reason_of_connect;
use crate::delivery::{AddressFamily, Reason};
use crate::egress::Checked;

/// Tries the addresses in order until the deadline of the attempt; the first one's reason speaks for all.
pub(super) async fn connect(addresses: &[Checked], deadline: Instant) -> Result<(TcpStream, AddressFamily), Reason> {
    let mut first_reason = None;
    for (at, address) in addresses.iter().enumerate() {
        let share = share(deadline.saturating_duration_since(Instant::now()), addresses.len() - at);
        let reason = match timeout(share, TcpStream::connect(address.addr())).await {
            Ok(Ok(stream)) => {
                // A small request should not wait for an acknowledgement; that it might is no reason to fail.
                let _ = stream.set_nodelay(true);
                let family = if address.addr().is_ipv4() { AddressFamily::IPv4 } else { AddressFamily::IPv6 };
                return Ok((stream, family));
            }
            Ok(Err(error)) => reason_of_connect(&error),
            Err(_) => Reason::ConnectTimeout,
        };
        first_reason.get_or_insert(reason);
    }
    Err(first_reason.unwrap_or(Reason::ConnectionFailed))
}

/// How long one address may take, so that each of the rest gets as much, and the request itself too.
fn share(left: Duration, addresses: usize) -> Duration {
    left / u32::try_from(addresses).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_can_use_up_the_time_of_the_others_or_of_the_request() {
        let mut left = Duration::from_secs(12);
        for addresses in (1..=3).rev() {
            assert_eq!(share(left, addresses), Duration::from_secs(3));
            left -= share(left, addresses);
        }
        assert_eq!(left, Duration::from_secs(3));
    }
}

//! A TCP connection to one of the addresses that the guard allowed, and to no other.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::failure::reason_of_connect;
use crate::delivery::{AddressFamily, Reason};
use crate::egress::Checked;

/// The most addresses that an attempt tries. Without a bound, whoever controls a name could cause thousands of connections.
const MAX_TRIED: usize = 8;

/// Tries some of the addresses, one after the other, until the attempt's deadline. If all fail, the first one's reason is
/// reported.
pub(super) async fn connect(addresses: &[Checked], deadline: Instant) -> Result<(TcpStream, AddressFamily), Reason> {
    let addresses = tried(addresses);
    let mut first_reason = None;
    for (at, address) in addresses.iter().enumerate() {
        let share = share(deadline.saturating_duration_since(Instant::now()), addresses.len() - at);
        let reason = match timeout(share, TcpStream::connect(address.addr())).await {
            Ok(Ok(stream)) => {
                // A small request should not wait for an acknowledgement. If this can't be set, the attempt goes on.
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

/// The first addresses of each family, taking turns (RFC 8305, section 4), so that a family that leads nowhere leaves room for
/// the other.
fn tried(addresses: &[Checked]) -> Vec<Checked> {
    let (v4, v6): (Vec<Checked>, Vec<Checked>) = addresses.iter().partition(|address| address.addr().is_ipv4());
    let turns = (0..addresses.len()).flat_map(|turn| [v4.get(turn), v6.get(turn)]);
    turns.flatten().copied().take(MAX_TRIED).collect()
}

/// How long one address may take, so that each remaining address and the request itself get as much.
fn share(left: Duration, addresses: usize) -> Duration {
    left / u32::try_from(addresses).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Rules;

    fn tried_of(v4: u16, v6: u16) -> Vec<String> {
        let v4 = (1..=v4).map(|host| format!("1.1.1.{host}"));
        let v6 = (1..=v6).map(|host| format!("2606:4700::{host}"));
        let checked = |ip: String| Checked::new(ip.parse().unwrap(), 443, &Rules::default()).unwrap();
        tried(&v4.chain(v6).map(checked).collect::<Vec<_>>())
            .iter()
            .map(|tried| tried.addr().ip().to_string())
            .collect()
    }

    #[test]
    fn tries_eight_addresses_at_most_and_both_families_by_turns() {
        assert_eq!(
            tried_of(200, 1),
            ["1.1.1.1", "2606:4700::1", "1.1.1.2", "1.1.1.3", "1.1.1.4", "1.1.1.5", "1.1.1.6", "1.1.1.7",]
        );
        assert_eq!(
            tried_of(2, 9),
            [
                "1.1.1.1",
                "2606:4700::1",
                "1.1.1.2",
                "2606:4700::2",
                "2606:4700::3",
                "2606:4700::4",
                "2606:4700::5",
                "2606:4700::6",
            ]
        );
        assert_eq!(tried_of(2, 0), ["1.1.1.1", "1.1.1.2"]);
        assert_eq!(tried_of(0, 2), ["2606:4700::1", "2606:4700::2"]);
    }

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

//! Which addresses may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use super::reason::{Reason, Refusal};
use super::registry::{self, GLOBAL_UNICAST, NAT64};
use super::rules::Rules;

/// An address and port that the guard has judged and allowed. Only the guard can make one, so a connector that takes nothing else
/// can't connect to an address that was never judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked(SocketAddr);

impl Checked {
    /// Judges an address, but not the port: [`Target`](super::Target) judges that.
    ///
    /// # Errors
    /// `AddressInternal`, as [`judge`].
    pub fn new(ip: IpAddr, port: u16, rules: &Rules) -> Result<Self, Refusal> {
        judge(ip, rules).map(|()| Self(SocketAddr::new(ip, port)))
    }

    /// What to connect to.
    #[must_use]
    pub fn addr(self) -> SocketAddr {
        self.0
    }
}

/// Judges all addresses of a host together. One address that is not allowed refuses them all, since whoever controls the name
/// controls which one is used.
///
/// # Errors
/// `AddressInternal` for the first address that is not allowed, `NameNotResolved` when there is none at all.
pub fn judge_all(ips: &[IpAddr], port: u16, rules: &Rules) -> Result<Vec<Checked>, Refusal> {
    if ips.is_empty() {
        return Err(Refusal::new(Reason::NameNotResolved, "the name has no address"));
    }
    ips.iter().map(|ip| Checked::new(*ip, port, rules)).collect()
}

/// Judges one address: by the cluster's own ranges and load balancers, the special-purpose registries, and for IPv6 also by the
/// IPv4 addresses that it carries. `allowedCIDRs` allows exactly the addresses that it covers: an allowed IPv6 block does not
/// allow the IPv4 address that one of its addresses carries.
///
/// # Errors
/// `AddressInternal`, naming the address, the block and its RFC.
pub fn judge(ip: IpAddr, rules: &Rules) -> Result<(), Refusal> {
    judge_one(ip, rules).map_err(|why| Refusal::new(Reason::AddressInternal, format!("{ip} {why}")))?;
    let IpAddr::V6(v6) = ip else { return Ok(()) };
    for (form, v4) in carried(v6) {
        judge_one(v4.into(), rules).map_err(|why| {
            let detail = format!("{ip} carries {v4} ({form}), which {why}");
            Refusal::new(Reason::AddressInternal, detail)
        })?;
    }
    Ok(())
}

fn judge_one(ip: IpAddr, rules: &Rules) -> Result<(), String> {
    let lifted = most_specific(&rules.allowed_cidrs, ip);
    if let Some(own) = most_specific(&rules.denied_cidrs, ip)
        && lifted.is_none_or(|lifted| lifted.prefix_len() < own.prefix_len())
    {
        return Err(format!("is in {own}, one of the cluster's own ranges"));
    }
    if rules.load_balancers.contains(&ip) && lifted != Some(ip.into()) {
        return Err("is the address of one of the cluster's load balancers".into());
    }
    if lifted.is_some() {
        return Ok(());
    }
    if let IpAddr::V6(v6) = ip
        && NAT64.contains(&v6)
    {
        return Ok(());
    }
    if let Some(block) = registry::special(ip) {
        return Err(format!("is in {} ({}, {})", block.net, block.name, block.spec));
    }
    match ip {
        IpAddr::V6(v6) if !GLOBAL_UNICAST.contains(&v6) => {
            Err(format!("is outside {GLOBAL_UNICAST}, all that is global unicast (RFC 3587)"))
        }
        _ => Ok(()),
    }
}

fn most_specific(nets: &[IpNet], ip: IpAddr) -> Option<IpNet> {
    nets.iter().copied().filter(|net| net.contains(&ip)).max_by_key(IpNet::prefix_len)
}

/// The IPv4 addresses that a translator, a tunnel or a dual-stack socket could take an IPv6 address for.
fn carried(ip: Ipv6Addr) -> Vec<(&'static str, Ipv4Addr)> {
    let segments = ip.segments();
    let v4 = |high: usize| join(segments[high], segments[high + 1]);
    let mut found = Vec::new();
    match segments {
        [0, 0, 0, 0, 0, 0xffff, ..] => found.push(("IPv4-mapped, RFC 4291", v4(6))),
        [0, 0, 0, 0, 0xffff, 0, ..] => found.push(("IPv4-translated, RFC 2765", v4(6))),
        [0, 0, 0, 0, 0, 0, ..] => found.push(("IPv4-compatible, RFC 4291", v4(6))),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => found.push(("NAT64, RFC 6052", v4(6))),
        // In the local-use block, a translator's own prefix can have any length from 48 to 96 (RFC 8215), and RFC 6052 puts the
        // IPv4 address in another place for each length. The length can't be known, so the addresses for both ends of that range
        // have to be allowed.
        [0x64, 0xff9b, 1, ..] => {
            found.push(("NAT64, RFC 8215", v4(6)));
            if segments[3..6] != [0, 0, 0] {
                found.push(("NAT64, RFC 8215", join(segments[3], segments[4] << 8 | segments[5] >> 8)));
            }
        }
        [0x2001, 0, ..] => {
            found.push(("Teredo server, RFC 4380", v4(2)));
            found.push(("Teredo client, RFC 4380", join(!segments[6], !segments[7])));
        }
        [0x2002, ..] => found.push(("6to4, RFC 3056", v4(1))),
        _ => {}
    }
    // ISATAP, under any prefix. The two bits that may differ are "universal" and "group".
    if segments[4] & !0x0300 == 0 && segments[5] == 0x5efe {
        found.push(("ISATAP, RFC 5214", v4(6)));
    }
    found
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests;

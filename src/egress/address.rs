//! Which addresses may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use super::reason::{Reason, Refusal};
use super::registry::{self, GLOBAL_UNICAST, NAT64};
use super::rules::Rules;

/// An address and port that the guard has judged and allowed. There is no other way to make one, and a connector that
/// takes nothing else can't be led to an address that nobody looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked(SocketAddr);

impl Checked {
    /// Judges an address (not the port, which is [`Target`](super::Target)'s to judge).
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

/// Judges all addresses of a host together: one that is not allowed refuses them all, since who controls the name
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

/// Judges one address: by the cluster's own ranges, the special-purpose registries, and for IPv6 also by the IPv4
/// addresses that it carries. `allowedCIDRs` lifts what it covers and nothing else: an allowed IPv6 block does not
/// lift the IPv4 address inside an address of it.
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
        // A translator's own prefix in the local-use block has any length from 48 to 96 (RFC 8215), and RFC 6052 puts
        // the IPv4 address elsewhere for each. We can't know which; both ends of the scale have to be allowed.
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
    // Under any prefix. The two bits that may differ say "universal" and "group".
    if segments[4] & !0x0300 == 0 && segments[5] == 0x5efe {
        found.push(("ISATAP, RFC 5214", v4(6)));
    }
    found
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(ip: &str, rules: &Rules) -> Option<String> {
        judge(ip.parse().unwrap(), rules).err().map(|refusal| {
            assert_eq!(refusal.reason, Reason::AddressInternal);
            refusal.detail
        })
    }

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn allows_public_addresses() {
        for ip in [
            "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "223.255.255.255",
            "100.63.255.255", "100.128.0.0", "168.63.129.15", "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00::1",
            "64:ff9b::808:808", "2606:4700::5efe:808:808", "2001:200::1", "3ffe::1",
        ] {
            assert_eq!(detail(ip, &Rules::default()), None, "{ip}");
        }
    }

    #[test]
    fn says_which_block_and_rfc() {
        assert_eq!(
            detail("10.1.2.3", &Rules::default()).unwrap(),
            "10.1.2.3 is in 10.0.0.0/8 (Private-Use, RFC 1918)"
        );
    }

    #[test]
    fn judges_ipv6_by_the_ipv4_that_it_carries() {
        for ip in [
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "2606:4700::5efe:10.0.0.1",
            "2606:4700::200:5efe:10.0.0.1",
            "2606:4700::100:5efe:10.0.0.1",
            "2606:4700::300:5efe:10.0.0.1",
        ] {
            let detail = detail(ip, &Rules::default()).unwrap();
            assert!(detail.contains(" carries 1"), "{detail}");
        }
    }

    #[test]
    fn lifting_an_ipv6_block_does_not_lift_the_ipv4_inside() {
        let rules = Rules {
            allowed_cidrs: nets(&["::ffff:0:0/96", "::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fc00::/7", "::ffff:0:0:0/96"]),
            ..Rules::default()
        };
        for (inner_private, inner_public) in [
            ("::ffff:10.0.0.1", "::ffff:8.8.8.8"),
            ("::10.0.0.1", "::8.8.8.8"),
            ("::ffff:0:10.0.0.1", "::ffff:0:8.8.8.8"),
            ("64:ff9b:1::10.0.0.1", "64:ff9b:1::8.8.8.8"),
            ("64:ff9b:1:0a00:0:100::", "64:ff9b:1:808:8:800:808:808"),
            ("64:ff9b:1:0a00:0:100:808:808", "64:ff9b:1:808:8:800:808:808"),
            ("2002:a00:1::", "2002:808:808::"),
            ("2001:0:a00:1::f7f7:f7f7", "2001:0:808:808::f7f7:f7f7"),
            ("2001:0:808:808::f5ff:fffe", "2001:0:808:808::f7f7:f7f7"),
            ("fd00::5efe:10.0.0.1", "fd00::5efe:8.8.8.8"),
        ] {
            assert!(detail(inner_private, &rules).is_some(), "{inner_private}");
            assert_eq!(detail(inner_public, &rules), None, "{inner_public}");
        }
    }

    #[test]
    fn only_allowed_cidrs_lift_a_special_block_and_only_what_they_cover() {
        let rules = Rules { allowed_cidrs: nets(&["10.1.0.0/16", "fd12::/16"]), ..Rules::default() };
        assert_eq!(detail("10.1.2.3", &rules), None);
        assert_eq!(detail("fd12::1", &rules), None);
        assert!(detail("10.2.0.1", &rules).is_some());
        assert!(detail("::ffff:10.1.2.3", &rules).is_some());
        assert_eq!(detail("64:ff9b::10.1.2.3", &rules), None);
    }

    #[test]
    fn the_clusters_own_ranges_are_refused_even_when_public() {
        let rules = Rules { denied_cidrs: nets(&["8.8.0.0/16", "2606:4700::/32"]), ..Rules::default() };
        assert!(detail("8.8.8.8", &rules).unwrap().contains("cluster's own ranges"));
        assert!(detail("2606:4700::1", &rules).is_some());
        assert!(detail("64:ff9b::8.8.8.8", &rules).is_some());
        assert_eq!(detail("8.9.0.1", &rules), None);
    }

    #[test]
    fn of_the_allowed_and_the_clusters_ranges_the_more_specific_wins() {
        let denied_cidrs = nets(&["10.96.0.0/12"]);
        for (allowed, lifted) in [("10.0.0.0/8", false), ("0.0.0.0/0", false), ("10.96.0.0/12", true), ("10.96.5.5/32", true)] {
            let rules = Rules { allowed_cidrs: nets(&[allowed]), denied_cidrs: denied_cidrs.clone(), ..Rules::default() };
            assert_eq!(detail("10.96.5.5", &rules).is_none(), lifted, "{allowed}");
        }
    }

    #[test]
    fn one_refused_address_refuses_them_all() {
        let ips: Vec<IpAddr> = ["8.8.8.8", "10.0.0.1", "1.1.1.1"].map(|ip| ip.parse().unwrap()).to_vec();
        assert_eq!(judge_all(&ips, 443, &Rules::default()).unwrap_err().reason, Reason::AddressInternal);
        assert_eq!(judge_all(&[], 443, &Rules::default()).unwrap_err().reason, Reason::NameNotResolved);
        let checked = judge_all(&ips[..1], 8443, &Rules::default()).unwrap();
        assert_eq!(checked[0].addr(), "8.8.8.8:8443".parse().unwrap());
    }
}

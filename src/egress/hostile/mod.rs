//! Makes hostile URLs for the tests: every special block at several addresses, each in every spelling that a URL parser,
//! a translator or a dual-stack socket understands; internal names; and an oracle that shares no code with the guard.
//! [`page`] writes down the results.

mod exceptions;
mod page;
pub(super) mod spellings;
pub(super) mod urls;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::{IpNet, Ipv6Net};

/// Special blocks that are in no registry. They are written out here, not taken from the table under test.
const BEYOND: &[&str] =
    &["224.0.0.0/4", "168.63.129.16/32", "192.80.8.124/32", "::/96", "::ffff:0:0:0/96", "fec0::/10", "ff00::/8"];

/// Everything outside `2000::/3`, as blocks.
const OUTSIDE_GLOBAL_UNICAST: &[&str] = &[
    "::/8", "100::/8", "200::/7", "400::/6", "800::/5", "1000::/4", "4000::/3", "6000::/3", "8000::/3", "a000::/3",
    "c000::/3", "e000::/4", "f000::/5", "f800::/6", "fe00::/9",
];

/// Every block that must be refused: all text that looks like a block in the registries as published, [`BEYOND`], and
/// [`OUTSIDE_GLOBAL_UNICAST`].
pub(super) static SPECIAL_BLOCKS: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let registries = [
        include_str!("../data/iana-ipv4-special-registry.csv"),
        include_str!("../data/iana-ipv6-special-registry.csv"),
    ];
    let published = registries.iter().flat_map(|csv| csv.split(['\n', ',', '"', ' ']));
    let all = published.chain([BEYOND, OUTSIDE_GLOBAL_UNICAST].concat()).filter_map(|word| word.parse().ok());
    all.filter(|net: &IpNet| *net != NAT64).collect()
});

const NAT64: IpNet = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(0x0064_ff9b << 96), 96));

/// Whether an address is public, by arithmetic on its bits.
pub(super) fn is_public(ip: IpAddr) -> bool {
    if SPECIAL_BLOCKS.iter().any(|net| net.contains(&ip)) && !NAT64.contains(&ip) {
        return false;
    }
    let IpAddr::V6(v6) = ip else { return true };
    let bits = v6.to_bits();
    let at = |shift: u32| IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits >> shift & 0xffff_ffff).unwrap()));
    let isatap = bits >> 32 & 0xfcff_ffff == 0x5efe;
    // The other forms that carry an IPv4 address are in blocks that are refused whole.
    (!isatap || is_public(at(0))) && (!NAT64.contains(&ip) || is_public(at(0)))
}

/// Addresses at the start, the end and inside a block.
pub(super) fn samples(net: IpNet) -> Vec<IpAddr> {
    let mut samples: Vec<IpAddr> = match net {
        IpNet::V4(net) => {
            let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
            let inside = first + (last - first) / 3;
            let near = [first.saturating_add(1).min(last), last.saturating_sub(1).max(first)];
            [first, last, inside, near[0], near[1]].map(|bits| Ipv4Addr::from_bits(bits).into()).to_vec()
        }
        IpNet::V6(net) => {
            let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
            let inside = first + (last - first) / 3;
            [first, last, inside].map(|bits| Ipv6Addr::from_bits(bits).into()).to_vec()
        }
    };
    samples.dedup();
    samples
}

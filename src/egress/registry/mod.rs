//! Every address block that is not plainly public.
//!
//! It has the rows of IANA's IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), and after them the blocks that those
//! registries leave out. `data/` holds the registries as IANA publishes them, and a test compares this table with them. To
//! update: put the two new CSV files in `data/`, change [`REGISTRY_DATE`], and the test shows which rows differ.
//!
//! The guard refuses every row, "globally reachable" or not: a webhook has no reason to go to an anycast relay either. The one
//! exception is [`NAT64`], which is judged by the IPv4 address that it carries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The day (UTC) of the published registries that this table matches.
pub const REGISTRY_DATE: &str = "2026-07-18";

/// The well-known prefix of IPv4/IPv6 translators (RFC 6052): an address in it is as public as the IPv4 address in its last 32
/// bits.
pub const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// All that IANA has given out as global unicast (RFC 3587, section 2). Addresses outside it are not on the Internet.
pub const GLOBAL_UNICAST: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// A block of addresses with a special meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The block itself.
    pub net: IpNet,
    /// What the registry (or the specification) calls it.
    pub name: &'static str,
    /// Where the block is specified: RFCs, or the vendor's documentation.
    pub spec: &'static str,
    /// The registry's column "Globally Reachable"; `None` where it says N/A or nothing.
    pub globally_reachable: Option<bool>,
}

/// The most specific special block that contains this address.
#[must_use]
pub fn special(ip: IpAddr) -> Option<&'static Block> {
    blocks().filter(|block| block.net.contains(&ip)).max_by_key(|block| block.net.prefix_len())
}

/// All blocks: both registries, then [`BEYOND`].
pub fn blocks() -> impl Iterator<Item = &'static Block> {
    IANA_V4.iter().chain(IANA_V6).chain(BEYOND)
}

const fn v4(first: [u8; 4], prefix: u8, name: &'static str, spec: &'static str, reachable: Option<bool>) -> Block {
    let net = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from_octets(first), prefix));
    Block { net, name, spec, globally_reachable: reachable }
}

const fn v6(first: [u16; 8], prefix: u8, name: &'static str, spec: &'static str, reachable: Option<bool>) -> Block {
    let net = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_segments(first), prefix));
    Block { net, name, spec, globally_reachable: reachable }
}

/// The IPv4 registry, row by row.
#[rustfmt::skip]
pub const IANA_V4: &[Block] = &[
    v4([0, 0, 0, 0], 8, "This network", "RFC 791", Some(false)),
    v4([0, 0, 0, 0], 32, "This host on this network", "RFC 1122", Some(false)),
    v4([10, 0, 0, 0], 8, "Private-Use", "RFC 1918", Some(false)),
    v4([100, 64, 0, 0], 10, "Shared Address Space", "RFC 6598", Some(false)),
    v4([127, 0, 0, 0], 8, "Loopback", "RFC 1122", Some(false)),
    v4([169, 254, 0, 0], 16, "Link Local", "RFC 3927", Some(false)),
    v4([172, 16, 0, 0], 12, "Private-Use", "RFC 1918", Some(false)),
    v4([192, 0, 0, 0], 24, "IETF Protocol Assignments", "RFC 6890", Some(false)),
    v4([192, 0, 0, 0], 29, "IPv4 Service Continuity Prefix", "RFC 7335", Some(false)),
    v4([192, 0, 0, 8], 32, "IPv4 dummy address", "RFC 7600", Some(false)),
    v4([192, 0, 0, 9], 32, "Port Control Protocol Anycast", "RFC 7723", Some(true)),
    v4([192, 0, 0, 10], 32, "Traversal Using Relays around NAT Anycast", "RFC 8155", Some(true)),
    v4([192, 0, 0, 170], 32, "NAT64/DNS64 Discovery", "RFC 8880, RFC 7050", Some(false)),
    v4([192, 0, 0, 171], 32, "NAT64/DNS64 Discovery", "RFC 8880, RFC 7050", Some(false)),
    v4([192, 0, 2, 0], 24, "Documentation (TEST-NET-1)", "RFC 5737", Some(false)),
    v4([192, 31, 196, 0], 24, "AS112-v4", "RFC 7535", Some(true)),
    v4([192, 52, 193, 0], 24, "AMT", "RFC 7450", Some(true)),
    v4([192, 88, 99, 0], 24, "Deprecated (6to4 Relay Anycast)", "RFC 7526", None),
    v4([192, 88, 99, 2], 32, "6a44-relay anycast address", "RFC 6751", Some(false)),
    v4([192, 168, 0, 0], 16, "Private-Use", "RFC 1918", Some(false)),
    v4([192, 175, 48, 0], 24, "Direct Delegation AS112 Service", "RFC 7534", Some(true)),
    v4([198, 18, 0, 0], 15, "Benchmarking", "RFC 2544", Some(false)),
    v4([198, 51, 100, 0], 24, "Documentation (TEST-NET-2)", "RFC 5737", Some(false)),
    v4([203, 0, 113, 0], 24, "Documentation (TEST-NET-3)", "RFC 5737", Some(false)),
    v4([240, 0, 0, 0], 4, "Reserved", "RFC 1112", Some(false)),
    v4([255, 255, 255, 255], 32, "Limited Broadcast", "RFC 8190, RFC 919", Some(false)),
];

/// The IPv6 registry, row by row.
#[rustfmt::skip]
pub const IANA_V6: &[Block] = &[
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, "Loopback Address", "RFC 4291", Some(false)),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, "Unspecified Address", "RFC 4291", Some(false)),
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "IPv4-mapped Address", "RFC 4291", Some(false)),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, "IPv4-IPv6 Translat.", "RFC 6052", Some(true)),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "IPv4-IPv6 Translat.", "RFC 8215", Some(false)),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "Discard-Only Address Block", "RFC 6666", Some(false)),
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64, "Dummy IPv6 Prefix", "RFC 9780", Some(false)),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "IETF Protocol Assignments", "RFC 2928", Some(false)),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, "TEREDO", "RFC 4380, RFC 8190", None),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128, "Port Control Protocol Anycast", "RFC 7723", Some(true)),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128, "Traversal Using Relays around NAT Anycast", "RFC 8155", Some(true)),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128, "DNS-SD Service Registration Protocol Anycast", "RFC 9665", Some(true)),
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, "Benchmarking", "RFC 5180", Some(false)),
    v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32, "AMT", "RFC 7450", Some(true)),
    v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48, "AS112-v6", "RFC 7535", Some(true)),
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28, "Deprecated (previously ORCHID)", "RFC 4843", None),
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28, "ORCHIDv2", "RFC 7343", Some(true)),
    v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28, "Drone Remote ID Protocol Entity Tags (DETs) Prefix", "RFC 9374", Some(true)),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "Documentation", "RFC 3849", Some(false)),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "6to4", "RFC 3056", None),
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48, "Direct Delegation AS112 Service", "RFC 7534", Some(true)),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "Documentation", "RFC 9637", Some(false)),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, "Segment Routing (SRv6) SIDs", "RFC 9602", Some(false)),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "Unique-Local", "RFC 4193, RFC 8190", Some(false)),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "Link-Local Unicast", "RFC 4291", Some(false)),
];

/// The blocks that the registries leave out. Multicast has registries of its own. The metadata services listed are the two that
/// listen on ordinary public addresses (all the others are link-local, unique-local, or in 100.64.0.0/10 and 192.0.0.0/24).
#[rustfmt::skip]
pub const BEYOND: &[Block] = &[
    v4([224, 0, 0, 0], 4, "Multicast", "RFC 5771", None),
    v4([168, 63, 129, 16], 32, "Azure platform services", "Azure's \"What is IP address 168.63.129.16?\"", None),
    v4([192, 80, 8, 124], 32, "Equinix Metal metadata", "metadata.platformequinix.com", None),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96, "IPv4-compatible (deprecated)", "RFC 4291", None),
    v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, "IPv4-translated (deprecated)", "RFC 2765", None),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "Site-local (deprecated)", "RFC 3879", None),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "Multicast", "RFC 4291", None),
];

#[cfg(test)]
mod tests;

//! Makes hostile URLs for the tests: every special block at several addresses, each in every spelling that a URL parser,
//! a translator or a dual-stack socket understands; and an oracle that shares no code with the guard.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::{IpNet, Ipv6Net};

/// Special blocks that are in no registry: written out here, not taken from the table under test.
const BEYOND: &[&str] = &[
    "224.0.0.0/4",
    "168.63.129.16/32",
    "192.80.8.124/32",
    "::/96",
    "::ffff:0:0:0/96",
    "fec0::/10",
    "ff00::/8",
    // Outside 2000::/3.
    "::/8",
    "100::/8",
    "200::/7",
    "400::/6",
    "800::/5",
    "1000::/4",
    "4000::/3",
    "6000::/3",
    "8000::/3",
    "a000::/3",
    "c000::/3",
    "e000::/4",
    "f000::/5",
    "f800::/6",
    "fe00::/9",
];

/// Every block that must be refused: all that looks like one in the registries as published, and [`BEYOND`].
pub(super) static SPECIAL_BLOCKS: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let registries =
        [include_str!("data/iana-ipv4-special-registry.csv"), include_str!("data/iana-ipv6-special-registry.csv")];
    let published = registries.iter().flat_map(|csv| csv.split(['\n', ',', '"', ' ']));
    let all = published.chain(BEYOND.iter().copied()).filter_map(|word| word.parse().ok());
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

/// Every way to write an address as the host of a URL.
pub(super) fn spellings(ip: IpAddr) -> Vec<String> {
    match ip {
        IpAddr::V4(ip) => v4_spellings(ip).into_iter().chain(carriers(ip).into_iter().flat_map(v6_spellings)).collect(),
        IpAddr::V6(ip) => v6_spellings(ip),
    }
}

fn v4_spellings(ip: Ipv4Addr) -> Vec<String> {
    let (bits, dotted) = (ip.to_bits(), ip.to_string());
    let [first, second, third, fourth] = ip.octets();
    let (low24, low16) = (bits & 0x00ff_ffff, bits & 0xffff);
    vec![
        format!("{dotted}."),
        format!("{bits}"),
        format!("{bits:#x}"),
        format!("0X{bits:08X}"),
        format!("{bits:#x}."),
        format!("0{bits:o}"),
        format!("0000{bits:o}"),
        format!("{first:#x}.{second:#x}.{third:#x}.{fourth:#x}"),
        format!("0{first:o}.0{second:o}.0{third:o}.0{fourth:o}"),
        format!("000{first:o}.{second}.{third:#x}.{fourth}"),
        format!("{first}.{low24}"),
        format!("{first:#x}.{low24:#x}"),
        format!("{first}.{second}.{low16}"),
        format!("0{first:o}.{second}.0{low16:o}"),
        percent_encoded(&dotted),
        percent_encoded(&format!("{bits:#x}")),
        full_width(&dotted),
        percent_encoded(&full_width(&dotted)),
        full_width(&format!("{bits}")),
        dotted.replace('.', "。"),
        dotted.replace('.', "｡"),
        circled(&dotted),
        dotted.replace('.', ".\u{ad}"),
        dotted,
    ]
}

/// IPv6 addresses that stand for an IPv4 address, or could be taken for it.
pub(super) fn carriers(ip: Ipv4Addr) -> Vec<Ipv6Addr> {
    let n = u128::from(ip.to_bits());
    let public: u128 = 0x0808_0808;
    let prefix = |text: &str| text.parse::<Ipv6Addr>().unwrap().to_bits();
    [
        prefix("::ffff:0:0") | n,
        prefix("::") | n,
        prefix("::ffff:0:0:0") | n,
        prefix("64:ff9b::") | n,
        prefix("64:ff9b:1::") | n,
        prefix("64:ff9b:1::") | n >> 16 << 64 | (n & 0xffff) << 40,
        prefix("2002::") | n << 80 | 1,
        prefix("2001::") | n << 64 | !public & 0xffff_ffff,
        prefix("2001::") | public << 64 | !n & 0xffff_ffff,
        prefix("2606:4700::5efe:0:0") | n,
        prefix("2606:4700::200:5efe:0:0") | n,
        prefix("2606:4700::300:5efe:0:0") | n,
    ]
    .map(Ipv6Addr::from_bits)
    .to_vec()
}

fn v6_spellings(ip: Ipv6Addr) -> Vec<String> {
    let full = ip.segments().map(|segment| format!("{segment:04x}")).join(":");
    let [.., a, b, c, d] = ip.octets();
    let dotted_tail = format!("{}:{a}.{b}.{c}.{d}", &full[..29]);
    vec![format!("[{ip}]"), format!("[{full}]"), format!("[{}]", full.to_uppercase()), format!("[{dotted_tail}]")]
}

pub(super) fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat()
}

/// U+FF01 to U+FF5E are the full-width forms of ASCII.
pub(super) fn full_width(text: &str) -> String {
    text.chars().map(|c| char::from_u32(u32::from(c) - 0x21 + 0xff01).unwrap()).collect()
}

fn circled(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '0' => '⓪',
            '1'..='9' => char::from_u32(u32::from(c) - u32::from('1') + u32::from('①')).unwrap(),
            other => other,
        })
        .collect()
}

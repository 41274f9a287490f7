//! Every way to write an address as the host of a URL.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One way to write an address.
#[derive(Clone)]
pub(in super::super) struct Spelling {
    /// What sort of spelling it is.
    pub(in super::super) class: &'static str,
    /// The address in that spelling.
    pub(in super::super) host: String,
}

/// Every spelling of an address; an IPv4 address is also written as the IPv6 addresses that stand for it.
pub(in super::super) fn spellings(ip: IpAddr) -> Vec<Spelling> {
    let written_so = |class, hosts: Vec<String>| hosts.into_iter().map(move |host| Spelling { class, host });
    match ip {
        IpAddr::V4(ip) => {
            let carriers = carriers(ip).into_iter().map(|(form, ip)| (form, v6_spellings(ip)));
            v4_spellings(ip).into_iter().chain(carriers).flat_map(|(class, hosts)| written_so(class, hosts)).collect()
        }
        IpAddr::V6(ip) => {
            written_so("IPv6: short, in full, in upper case, with a dotted tail", v6_spellings(ip)).collect()
        }
    }
}

fn v4_spellings(ip: Ipv4Addr) -> Vec<(&'static str, Vec<String>)> {
    let (bits, dotted) = (ip.to_bits(), ip.to_string());
    let [first, second, third, fourth] = ip.octets();
    let (low24, low16) = (bits & 0x00ff_ffff, bits & 0xffff);
    vec![
        ("four decimal parts", vec![dotted.clone()]),
        ("a full stop at the end", vec![format!("{dotted}."), format!("{bits:#x}.")]),
        (
            "one number: decimal, hexadecimal, octal, with leading zeros",
            vec![
                format!("{bits}"),
                format!("{bits:#x}"),
                format!("0X{bits:08X}"),
                format!("0{bits:o}"),
                format!("0000{bits:o}"),
            ],
        ),
        (
            "four parts: hexadecimal, octal, mixed",
            vec![
                format!("{first:#x}.{second:#x}.{third:#x}.{fourth:#x}"),
                format!("0{first:o}.0{second:o}.0{third:o}.0{fourth:o}"),
                format!("000{first:o}.{second}.{third:#x}.{fourth}"),
            ],
        ),
        (
            "two or three parts",
            vec![
                format!("{first}.{low24}"),
                format!("{first:#x}.{low24:#x}"),
                format!("{first}.{second}.{low16}"),
                format!("0{first:o}.{second}.0{low16:o}"),
            ],
        ),
        ("percent-encoded", vec![percent_encoded(&dotted), percent_encoded(&format!("{bits:#x}"))]),
        (
            "full-width digits, also percent-encoded",
            vec![full_width(&dotted), percent_encoded(&full_width(&dotted)), full_width(&format!("{bits}"))],
        ),
        ("ideographic full stops", vec![dotted.replace('.', "。"), dotted.replace('.', "｡")]),
        ("circled digits", vec![circled(&dotted)]),
        ("soft hyphens", vec![dotted.replace('.', ".%C2%AD")]),
    ]
}

/// IPv6 addresses that stand for an IPv4 address, or that something could take for it.
pub(in super::super) fn carriers(ip: Ipv4Addr) -> Vec<(&'static str, Ipv6Addr)> {
    let n = u128::from(ip.to_bits());
    let public: u128 = 0x0808_0808;
    let prefix = |text: &str| text.parse::<Ipv6Addr>().unwrap().to_bits();
    [
        ("inside IPv6: IPv4-mapped", prefix("::ffff:0:0") | n),
        ("inside IPv6: IPv4-compatible", prefix("::") | n),
        ("inside IPv6: IPv4-translated", prefix("::ffff:0:0:0") | n),
        ("inside IPv6: NAT64", prefix("64:ff9b::") | n),
        ("inside IPv6: NAT64 for local use, /96", prefix("64:ff9b:1::") | n),
        ("inside IPv6: NAT64 for local use, /48", prefix("64:ff9b:1::") | n >> 16 << 64 | (n & 0xffff) << 40),
        ("inside IPv6: 6to4", prefix("2002::") | n << 80 | 1),
        ("inside IPv6: Teredo, as its server", prefix("2001::") | n << 64 | !public & 0xffff_ffff),
        ("inside IPv6: Teredo, as its client", prefix("2001::") | public << 64 | !n & 0xffff_ffff),
        ("inside IPv6: ISATAP, of each kind", prefix("2606:4700::5efe:0:0") | n),
        ("inside IPv6: ISATAP, of each kind", prefix("2606:4700::200:5efe:0:0") | n),
        ("inside IPv6: ISATAP, of each kind", prefix("2606:4700::300:5efe:0:0") | n),
    ]
    .map(|(form, bits)| (form, Ipv6Addr::from_bits(bits)))
    .to_vec()
}

fn v6_spellings(ip: Ipv6Addr) -> Vec<String> {
    let full = ip.segments().map(|segment| format!("{segment:04x}")).join(":");
    let [.., a, b, c, d] = ip.octets();
    let dotted_tail = format!("{}:{a}.{b}.{c}.{d}", &full[..29]);
    vec![format!("[{ip}]"), format!("[{full}]"), format!("[{}]", full.to_uppercase()), format!("[{dotted_tail}]")]
}

pub(in super::super) fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat()
}

/// U+FF01 to U+FF5E are the full-width forms of ASCII.
pub(in super::super) fn full_width(text: &str) -> String {
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

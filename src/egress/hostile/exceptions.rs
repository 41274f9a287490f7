//! What is allowed by default, or can be allowed by a tier: URLs beside the hostile ones.

/// URLs that the default allows, and why.
pub(super) const ALLOWED: &[(&str, &str)] = &[
    ("https://hooks.example.com/", "a public name, on port 443"),
    ("https://hooks.example.com./", "the same with the root's full stop"),
    ("https://bücher.example/", "a name in any script: it is judged, looked up and proved in its ASCII form"),
    ("https://localhost.example.com/", "an internal word in front of a public domain"),
    (
        "https://internal.example.com/",
        "as above; so are company networks with public names, if their addresses are public",
    ),
    ("https://mylocal.org/", "ends like an internal name, and not in a label of its own"),
    ("https://1.1.1.1/", "a public address, if the receiver's certificate is for it"),
    ("https://0x01010101/", "the same in another spelling: what was read is what is connected to"),
    ("https://168.63.129.15/", "next to a special address"),
    ("https://[2606:4700:4700::1111]/", "a public IPv6 address"),
    ("https://[64:ff9b::808:808]/", "a public IPv4 address behind NAT64, as IPv6-only clusters have them"),
    ("https://[2606:4700::5efe:808:808]/", "looks like ISATAP, and the IPv4 address inside is public"),
];

/// A tier's `egress`, field by field in JSON; a URL; and why it is allowed or refused.
pub(super) const TIERS: &[(&[Field], &str, &str)] = &[
    (&[("allowedPorts", "[8443]")], "https://hooks.example.com:8443/", "the port is named"),
    (&[("allowedPorts", "[8443]")], "https://hooks.example.com:6443/", "another port"),
    (&[("allowedHosts", r#"["*.example.com"]"#)], "https://hooks.example.org/", "a list of hosts narrows"),
    (
        &[("allowedHosts", r#"["receiver.team.svc"]"#)],
        "https://receiver.team.svc/",
        "an internal name that is named exactly",
    ),
    (&[("allowedHosts", r#"["*.team.svc"]"#)], "https://receiver.team.svc/", "a pattern opens no internal name"),
    (&[("allowedHosts", r#"["10.1.2.3"]"#)], "https://10.1.2.3/", "a host that is named opens no address"),
    (&[TEN], "https://10.1.2.3/", "the block is named"),
    (&[TEN], "https://10.96.0.1/", "the cluster's own block is the more specific one"),
    (&[("allowedCIDRs", r#"["0.0.0.0/0"]"#)], "https://10.96.0.1/", "as above, however much is opened"),
    (
        &[("allowedCIDRs", r#"["10.96.5.0/24"]"#)],
        "https://10.96.5.5/",
        "the tier's block is the more specific one: the admin says so",
    ),
    (&[TEN], "https://[::ffff:10.1.2.3]/", "IPv4 inside IPv6 is a block of its own"),
    (
        &[("allowedCIDRs", r#"["::ffff:0:0/96"]"#)],
        "https://[::ffff:10.1.2.3]/",
        "opening IPv6 doesn't open the IPv4 address inside",
    ),
    (&[TEN, ("deniedHosts", r#"["10.1.2.3"]"#)], "https://10.1.2.3/", "what is denied stays denied"),
];

/// A field's name and value.
type Field = (&'static str, &'static str);

const TEN: Field = ("allowedCIDRs", r#"["10.0.0.0/8"]"#);

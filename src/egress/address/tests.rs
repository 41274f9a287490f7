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
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "223.255.255.255",
        "100.63.255.255",
        "100.128.0.0",
        "168.63.129.15",
        "2606:4700:4700::1111",
        "2001:4860:4860::8888",
        "2a00::1",
        "64:ff9b::808:808",
        "2606:4700::5efe:808:808",
        "2001:200::1",
        "3ffe::1",
    ] {
        assert_eq!(detail(ip, &Rules::default()), None, "{ip}");
    }
}

#[test]
fn a_load_balancer_of_the_cluster_is_refused_unless_the_tier_opens_that_very_address() {
    let rules = |allowed: &[&str]| Rules {
        load_balancers: vec!["8.8.4.4".parse().unwrap(), "2001:4860:4860::8844".parse().unwrap()],
        allowed_cidrs: nets(allowed),
        ..Rules::default()
    };
    assert_eq!(
        detail("8.8.4.4", &rules(&[])).unwrap(),
        "8.8.4.4 is the address of one of the cluster's load balancers"
    );
    for ip in ["2001:4860:4860::8844", "64:ff9b::808:404"] {
        assert!(detail(ip, &rules(&[])).unwrap().contains("load balancers"), "{ip}");
    }
    assert!(detail("8.8.4.4", &rules(&["8.8.0.0/16"])).is_some());
    assert_eq!(detail("8.8.4.4", &rules(&["8.8.4.4/32"])), None);
    assert_eq!(detail("8.8.8.8", &rules(&[])), None);
}

#[test]
fn says_which_block_and_rfc() {
    assert_eq!(detail("10.1.2.3", &Rules::default()).unwrap(), "10.1.2.3 is in 10.0.0.0/8 (Private-Use, RFC 1918)");
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
        allowed_cidrs: nets(&[
            "::ffff:0:0/96",
            "::/96",
            "64:ff9b:1::/48",
            "2001::/32",
            "2002::/16",
            "fc00::/7",
            "::ffff:0:0:0/96",
        ]),
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
    for (allowed, lifted) in
        [("10.0.0.0/8", false), ("0.0.0.0/0", false), ("10.96.0.0/12", true), ("10.96.5.5/32", true)]
    {
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

//! Judges arbitrary bytes as a URL: it must never panic, and what it allows must hold when it is looked at again.
//!
//! `cargo +nightly fuzz run url -- -max_total_time=60`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use postern::egress::{Host, Rules, Target, judge, masked};

/// The public Internet, and a tier that allows and denies a bit of everything.
static RULES: LazyLock<[Rules; 2]> = LazyLock::new(|| {
    let tier = Rules {
        allowed_hosts: ["*.example.com", "receiver", "a.svc"]
            .map(|host| host.parse().unwrap())
            .to_vec(),
        denied_hosts: vec!["bad.example.com".parse().unwrap()],
        allowed_ports: vec![8443],
        allowed_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
        denied_cidrs: vec!["10.96.0.0/12".parse().unwrap()],
        load_balancers: vec!["8.8.4.4".parse().unwrap()],
        cluster_domain: Some("cluster.local".to_owned()),
    };
    [Rules::default(), tier]
});

fuzz_target!(|bytes: &[u8]| {
    let shown = masked(bytes);
    for rules in RULES.iter() {
        let Ok(target) = Target::parse(bytes, rules) else {
            continue;
        };
        assert_eq!(target.masked(), shown);
        assert!(target.port() == 443 || rules.allowed_ports.contains(&target.port()));
        match target.host() {
            Host::Ip(ip) => judge(*ip, rules).unwrap(),
            Host::Name(name) => {
                assert!(name.len() <= 253 && name.is_ascii());
                assert!(name.contains('.') || !rules.allowed_hosts.is_empty());
            }
        }
        // What was judged is what is used: writing it out and reading it again changes nothing.
        let path_and_query = target.path_and_query().expose_secret();
        assert!(
            path_and_query.starts_with('/')
                && path_and_query.bytes().all(|byte| byte.is_ascii_graphic())
        );
        let written = format!("https://{}{path_and_query}", target.authority());
        if written.len() <= postern::egress::MAX_URL_BYTES {
            assert_eq!(
                Target::parse(written.as_bytes(), rules).as_ref(),
                Ok(&target)
            );
        }
    }
});

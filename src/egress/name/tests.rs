use super::*;

fn verdict(name: &str, rules: &Rules) -> Option<Reason> {
    judge_host(&Host::Name(name.to_owned()), rules).err().map(|refusal| refusal.reason)
}

fn patterns(texts: &[&str]) -> Vec<super::super::HostPattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn refuses_internal_names_and_all_below_them() {
    for name in [
        "localhost",
        "a.localhost",
        "localhost.localdomain",
        "a.localhost.localdomain",
        "web1.localdomain",
        "localhost6.localdomain6",
        "printer.local",
        "a.b.local",
        "metadata.google.internal",
        "x.internal",
        "api.default.svc",
        "10-0-0-1.default.pod",
        "kubernetes.default.svc.cluster.local",
        "home.arpa",
        "nas.home.arpa",
        "abc.onion",
        "a.test",
        "a.invalid",
        "metadata",
        "instance-data",
        "instance-data.ec2.internal",
        "metadata.goog",
        "a.metadata.goog",
        "metadata.azure.com",
        "metadata.tencentyun.com",
        "api.metadata.cloud.ibm.com",
        "metadata.cloud.ibm.com",
        "metadata.packet.net",
        "metadata.platformequinix.com",
        "v1.metadata.platformequinix.com",
        "intranet",
    ] {
        assert_eq!(verdict(name, &Rules::default()), Some(Reason::HostInternal), "{name}");
    }
}

#[test]
fn allows_names_that_only_look_like_internal_ones() {
    for name in [
        "localhost.example.com",
        "notlocalhost.com",
        "mylocal.org",
        "local.example",
        "internal.example.com",
        "svc.io",
        "arpa.net",
        "xhome.arpa",
        "test.com",
        "invalid.org",
        "onion.example.com",
        "goog.metadata.com",
        "xmetadata.goog",
        "cloud.ibm.com",
        "localdomain.example",
        "example.com",
    ] {
        assert_eq!(verdict(name, &Rules::default()), None, "{name}");
    }
}

#[test]
fn refuses_the_clusters_own_domain_however_it_is_written() {
    for domain in ["k8s.example.org", "K8s.Example.ORG."] {
        let rules = Rules { cluster_domain: Some(domain.to_owned()), ..Rules::default() };
        assert_eq!(verdict("api.default.svc.k8s.example.org", &rules), Some(Reason::HostInternal));
        assert_eq!(verdict("k8s.example.org", &rules), Some(Reason::HostInternal));
        assert_eq!(verdict("xk8s.example.org", &rules), None);
    }
    let rules = Rules { cluster_domain: Some(String::new()), ..Rules::default() };
    assert_eq!(verdict("example.com", &rules), None);
}

#[test]
fn allowed_hosts_narrow() {
    let rules = Rules { allowed_hosts: patterns(&["hooks.example.com", "*.example.org"]), ..Rules::default() };
    assert_eq!(verdict("hooks.example.com", &rules), None);
    assert_eq!(verdict("a.example.org", &rules), None);
    assert_eq!(verdict("a.b.example.org", &rules), None);
    assert_eq!(verdict("example.org", &rules), Some(Reason::HostNotAllowed));
    assert_eq!(verdict("aexample.org", &rules), Some(Reason::HostNotAllowed));
    assert_eq!(verdict("other.com", &rules), Some(Reason::HostNotAllowed));
    let literal = Host::Ip("1.1.1.1".parse().unwrap());
    assert_eq!(judge_host(&literal, &rules).unwrap_err().reason, Reason::HostNotAllowed);
}

#[test]
fn only_an_exact_entry_lifts_the_refusal_of_an_internal_name() {
    let exact = Rules { allowed_hosts: patterns(&["receiver.team.svc", "receiver"]), ..Rules::default() };
    assert_eq!(verdict("receiver.team.svc", &exact), None);
    assert_eq!(verdict("receiver", &exact), None);
    let wild = Rules { allowed_hosts: patterns(&["*.team.svc"]), ..Rules::default() };
    assert_eq!(verdict("receiver.team.svc", &wild), Some(Reason::HostInternal));
}

#[test]
fn a_denied_host_stays_denied_when_it_is_also_allowed() {
    let rules = Rules {
        allowed_hosts: patterns(&["a.example.com"]),
        denied_hosts: patterns(&["*.example.com"]),
        ..Rules::default()
    };
    assert_eq!(verdict("a.example.com", &rules), Some(Reason::HostNotAllowed));
}

//! What an admin writes, and which errors they get.

use super::*;

#[test]
fn says_which_field_is_out_of_its_range() {
    let half = "metrics.certificate, metrics.key: set both, or neither for a certificate that is made at the start";
    for (change, message) in [
        (
            "nameServers: []",
            "nameServers: it is empty, and the operator's own resolv.conf names none either: name at least one",
        ),
        ("nameServers: [10.0.0.1]\nspreadSeconds: 60", "spreadSeconds: 60 is not from 0 to 59"),
        ("nameServers: [10.0.0.1]\nconcurrency: 0", "concurrency: it is 0; the least is 1"),
        (
            "nameServers: [10.0.0.1]\npreflight: {concurrency: 0}",
            "preflight.concurrency: it is 0; the least is 1. To have no checks, set preflight.enabled to false",
        ),
        ("nameServers: [10.0.0.1]\ndelivery: {maxEarly: 1001}", "delivery.maxEarly: 1001 is not from 0 to 1000"),
        (
            "nameServers: [10.0.0.1]\nhealth: {address: '0.0.0.0:8443'}",
            "metrics.address: 0.0.0.0:8443 is health.address too; give one of them another port",
        ),
        ("nameServers: [10.0.0.1]\nmetrics: {certificate: /tls.crt}", half),
        ("nameServers: [10.0.0.1]\nmetrics: {key: /tls.key}", half),
        (
            "nameServers: [10.0.0.1]\nlease: {name: Postern}",
            "lease.name: \"Postern\" is not a name that a Lease can have: \
             a-z, 0-9, - and ., beginning and ending with one of a-z, 0-9",
        ),
    ] {
        let refusal = Settings::read(&format!("sender: {{image: x}}\n{change}\n"), "").unwrap_err();
        assert_eq!(refusal.to_string(), message);
    }
    let unknown = Settings::read("sender: {image: x}\nnameServers: [10.0.0.1]\nspread: 1\n", "").unwrap_err();
    assert!(unknown.to_string().contains("spread"), "{unknown}");
    let portless = "sender: {image: x}\nnameServers: [10.0.0.1]\nhealth: {address: 0.0.0.0}\n";
    let portless = Settings::read(portless, "").unwrap_err();
    assert!(portless.to_string().contains("health"), "{portless}");
}

#[test]
fn holds_the_resources_of_senders_as_the_api_server_keeps_them() {
    let read = |resources: &str| {
        Settings::read(&format!("sender: {{image: x, resources: {resources}}}\nnameServers: [10.0.0.1]\n"), "")
    };
    let settings = read("{limits: {cpu: 1000m, memory: 1024Mi}, requests: {cpu: 2000}}").unwrap();
    let resources = serde_json::to_value(settings.sender.resources).unwrap();
    let canonical = serde_json::json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "2k"}});
    assert_eq!(resources, canonical);
    let refusal = read("{requests: {cpu: 0.5}}").unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "sender.resources.requests.cpu: \"0.5\" is not a whole number with one of the suffixes m, k, M, G, T, P, E, \
         Ki, Mi, Gi, Ti, Pi, Ei or none: write 500m"
    );
}

#[test]
fn listens_on_every_address_and_leads_by_a_lease_when_nothing_is_said() {
    let settings = Settings::read("sender: {image: x}\nnameServers: [10.0.0.1]\nmetrics: {}\n", "").unwrap();
    assert_eq!(settings.health.address.to_string(), "0.0.0.0:8081");
    assert_eq!(settings.metrics.address.to_string(), "0.0.0.0:8443");
    assert_eq!(settings.metrics.files(), None);
    assert_eq!(settings.lease.name, "postern-operator");
}

#[test]
fn takes_the_name_servers_that_the_operator_itself_asks_unless_told_otherwise() {
    let resolv_conf = "search svc.cluster.local\nnameserver 169.254.20.10\nnameserver fd00::a\n#nameserver 1.1.1.1\n";
    let own = Settings::read("sender: {image: x}\n", resolv_conf).unwrap();
    assert_eq!(own.name_servers, ["169.254.20.10".parse::<IpAddr>().unwrap(), "fd00::a".parse().unwrap()]);
    let told = Settings::read("sender: {image: x}\nnameServers: [10.96.0.10]\n", resolv_conf).unwrap();
    assert_eq!(told.name_servers, ["10.96.0.10".parse::<IpAddr>().unwrap()]);
}

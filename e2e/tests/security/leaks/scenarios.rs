//! Every way in which a delivery ends, with a canary in every secret input of each.

use std::collections::BTreeMap;

use postern_e2e::Receiver;
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::canaries::Canaries;
use super::receivers::{DENIED_HOST, HOST, Receivers, SILENT_HOST};

/// A schedule with its Secrets, the expected result of its check, and the expected end of its delivery.
pub struct Scenario {
    /// The name of the schedule and its Secret.
    pub name: &'static str,
    /// The Secret's data.
    pub secret: BTreeMap<&'static str, String>,
    /// The data of the Secret with the client certificate, if there is one.
    pub client: Option<[String; 2]>,
    /// How its spec differs from the usual one (RFC 7386).
    pub change: Value,
    pub checked: &'static str,
    pub delivered: &'static str,
}

impl Scenario {
    /// A delivery to this port of the receivers' host, with a canary in each input.
    fn to(canaries: &mut Canaries, name: &'static str, receiver: &Receiver) -> Self {
        let mut word = |input: &str| canaries.word(&format!("the {input} of {name}"));
        let (path, query) = (word("path"), word("query"));
        let mut secret: BTreeMap<_, _> = [
            ("url", format!("https://{HOST}:{}/{path}?token={query}", receiver.port)),
            ("header", format!("Bearer {}", word("header"))),
            ("body", format!(r#"{{"token":"{}"}}"#, word("body"))),
        ]
        .into();
        secret.insert("key", canaries.key::<24>(&format!("the key of {name}"), "whsec"));
        // A bundle with a key in it is a mistake that people do make.
        let ca_key = canaries.pem(&format!("the CA's key of {name}"), KeyPair::generate().unwrap().serialize_pem());
        secret.insert("ca", receiver.certificates.ca_pem.clone() + &ca_key);
        Self { name, secret, client: None, change: json!({}), checked: "Allowed", delivered: "Delivered" }
    }

    /// Whether Postern makes its keys.
    pub fn is_managed(&self) -> bool {
        self.change["signing"]["managed"].is_object()
    }

    fn with(mut self, key: &'static str, value: String) -> Self {
        self.secret.insert(key, value);
        self
    }

    /// The delivery ends with this reason, after a check that finds nothing wrong.
    fn ends(mut self, reason: &'static str) -> Self {
        self.delivered = reason;
        self
    }

    /// The delivery and its check both end with this reason.
    fn refused(mut self, reason: &'static str) -> Self {
        self.checked = reason;
        self.ends(reason)
    }
}

/// All scenarios.
pub fn all(canaries: &mut Canaries, receivers: &Receivers) -> Vec<Scenario> {
    let mut all = failed(canaries, receivers);
    all.extend(delivered(canaries, receivers));
    all.extend(refused_for_the_url(canaries, receivers));
    all.extend(refused_for_another_input(canaries, receivers));
    all
}

fn delivered(canaries: &mut Canaries, receivers: &Receivers) -> Vec<Scenario> {
    let ok = &receivers.ok;
    let asymmetric = canaries.key::<32>("the v1a key of asymmetric", "whsk");
    let classic = canaries.word("the classic key of classic");
    let mutual = &receivers.mutual;
    let client_key = canaries.pem("the client's key of mutual", mutual.certificates.client_key_pem.clone());
    let mut scenarios = vec![
        Scenario::to(canaries, "delivered", ok),
        Scenario::to(canaries, "asymmetric", ok).with("key", asymmetric),
        Scenario::to(canaries, "classic", ok).with("key", classic),
        Scenario::to(canaries, "mutual", mutual),
        // Their keys are known only after Postern has made them.
        Scenario::to(canaries, "managed", ok),
        Scenario::to(canaries, "managed-asymmetric", ok),
    ];
    scenarios[2].change = json!({"signing": {"scheme": "HmacSha256Hex", "classic": {"header": "X-Signature"}}});
    scenarios[3].client = Some([mutual.certificates.client_certificate_pem.clone(), client_key]);
    scenarios[4].change = json!({"signing": {"keysFrom": null, "managed": {}}});
    scenarios[5].change = json!({"signing": {"keysFrom": null, "managed": {"keyType": "v1a"}}});
    scenarios
}

fn failed(canaries: &mut Canaries, receivers: &Receivers) -> Vec<Scenario> {
    let mut scenarios: Vec<_> = receivers
        .failing
        .iter()
        .map(|(name, receiver)| Scenario::to(canaries, name, receiver).ends(reason(name)))
        .collect();
    // A delivery that is tried again.
    let error = scenarios.iter_mut().find(|scenario| scenario.name == "error").unwrap();
    error.change = json!({"delivery": {"attempts": 2}});
    let mut interrupted = Scenario::to(canaries, "interrupted", &receivers.holding).ends("Interrupted");
    interrupted.change = json!({"delivery": {"timeoutSeconds": 60}});
    // The test waits for this delivery.
    scenarios.insert(0, interrupted);
    scenarios.push(Scenario::to(canaries, "without-certificate", &receivers.mutual).ends("TlsHandshakeFailed"));
    for (name, port, reason) in
        [("plain", receivers.plain, "TlsHandshakeFailed"), ("closed", receivers.closed, "ConnectionRefused")]
    {
        let url = format!("https://{HOST}:{port}/{}", canaries.word(&format!("the other path of {name}")));
        scenarios.push(Scenario::to(canaries, name, &receivers.ok).with("url", url).ends(reason));
    }
    let url = format!("https://{SILENT_HOST}/{}", canaries.word("the other path of silent"));
    scenarios.push(Scenario::to(canaries, "silent", &receivers.ok).with("url", url).refused("NameNotResolved"));
    scenarios
}

/// The reason for which each failing receiver makes a delivery fail.
fn reason(scenario: &str) -> &'static str {
    match scenario {
        "redirected" => "RedirectNotFollowed",
        "rejected" => "RequestRejected",
        "gone" => "ReceiverGone",
        "busy" => "ReceiverBusy",
        "error" => "ReceiverError",
        "unexpected" => "StatusUnexpected",
        "garbled" => "ResponseMalformed",
        "cut-off" => "ConnectionReset",
        "timed-out" => "RequestTimeout",
        "misnamed" => "CertificateNameMismatch",
        "self-signed" => "CertificateUnknownIssuer",
        other => panic!("{other}"),
    }
}

fn refused_for_the_url(canaries: &mut Canaries, receivers: &Receivers) -> Vec<Scenario> {
    let mut refused = |name, reason, url: &dyn Fn(&str) -> String| {
        let word = canaries.word(&format!("the refused URL of {name}"));
        Scenario::to(canaries, name, &receivers.ok).with("url", url(&word)).refused(reason)
    };
    vec![
        refused("user", "UserinfoInUrl", &|word| format!("https://{word}@{HOST}/")),
        refused("password", "UserinfoInUrl", &|word| format!("https://user:{word}@{HOST}/")),
        refused("not-https", "SchemeNotHttps", &|word| format!("http://{HOST}/{word}")),
        refused("no-url", "UrlMalformed", &|word| word.into()),
        refused("blank", "UrlMalformed", &|word| format!(" https://{HOST}/{word}")),
        refused("bad-host", "UrlMalformed", &|word| format!("https://{word}^/")),
        refused("bad-port", "UrlMalformed", &|word| format!("https://{HOST}:{word}/")),
        refused("too-long", "UrlTooLong", &|word| format!("https://{HOST}/{word}{}", "x".repeat(2_048))),
        refused("other-port", "PortNotAllowed", &|word| format!("https://{HOST}:1/{word}")),
        refused("denied", "HostNotAllowed", &|word| format!("https://{DENIED_HOST}/{word}")),
        refused("internal-host", "HostInternal", &|word| format!("https://kubernetes.default.svc/{word}")),
        refused("internal-address", "AddressInternal", &|word| format!("https://10.96.0.1/{word}")),
    ]
}

fn refused_for_another_input(canaries: &mut Canaries, receivers: &Receivers) -> Vec<Scenario> {
    let mut refused = |name, reason, key, value: &dyn Fn(&str) -> String| {
        let word = canaries.word(&format!("the refused {key} of {name}"));
        Scenario::to(canaries, name, &receivers.ok).with(key, value(&word)).refused(reason)
    };
    let mut scenarios = vec![
        refused("no-prefix", "SigningKeyInvalid", "key", &str::to_owned),
        refused("other-prefix", "SigningKeyInvalid", "key", &|word| format!("whpk_{word}")),
        refused("no-base64", "SigningKeyInvalid", "key", &|word| format!("whsec_{word}!")),
        refused("short", "SigningKeyInvalid", "key", &|word| format!("whsec_{word}")),
        refused("no-seed", "SigningKeyInvalid", "key", &|word| format!("whsk_{word}")),
        refused("two-lines", "HeaderValueInvalid", "header", &|word| format!("{word}\r\nx: {word}")),
        refused("no-ascii", "HeaderValueInvalid", "header", &|word| format!("é{word}")),
        refused("placeholder", "PlaceholderUnknown", "body", &|word| format!("{{{{{word}}}}}")),
        refused("large", "BodyTooLarge", "body", &|word| format!("{word}{}", "x".repeat(4_096))),
        refused("no-pem", "CaBundleInvalid", "ca", &str::to_owned),
        refused("bad-pem", "CaBundleInvalid", "ca", &|word| pem("CERTIFICATE", word)),
    ];
    for (name, key) in
        [("client-no-key", str::to_owned as fn(&str) -> String), ("client-bad-key", |word| pem("PRIVATE KEY", word))]
    {
        let word = canaries.word(&format!("the refused client's key of {name}"));
        let mut scenario = Scenario::to(canaries, name, &receivers.mutual).refused("ClientCertificateInvalid");
        scenario.client = Some([receivers.mutual.certificates.client_certificate_pem.clone(), key(&word)]);
        scenarios.push(scenario);
    }
    let mut missing = Scenario::to(canaries, "missing", &receivers.ok).refused("ReferenceMissing");
    missing.secret.remove("key");
    scenarios.push(missing);
    let empty = Scenario::to(canaries, "empty", &receivers.ok).with("header", "\n".into());
    scenarios.push(empty.refused("ReferenceEmpty"));
    scenarios
}

/// A PEM section that is well-formed but has no valid content of its kind.
fn pem(kind: &str, word: &str) -> String {
    format!("-----BEGIN {kind}-----\n{word}\n-----END {kind}-----\n")
}

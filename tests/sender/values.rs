//! URLs, keys and certificates as people create them: the messages name what doesn't belong to them, and it is never sent.

use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{Certificates, OK, Receiver};
use serde_json::json;

use crate::folder::{Folder, Ran, secret};

/// How a URL is changed, and what the message names; empty where the change is harmless.
type Case = (&'static str, fn(&str) -> Vec<u8>, &'static str);

const URLS: [Case; 25] = [
    ("as it is", |url| url.into(), ""),
    ("a line end", |url| format!("{url}\n").into(), ""),
    ("a line end of Windows", |url| format!("{url}\r\n").into(), ""),
    ("a byte order mark", |url| format!("\u{feff}{url}").into(), "byte order mark (U+FEFF)"),
    ("UTF-16", |url| format!("\u{feff}{url}\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect(), "UTF-16"),
    ("double quotes", |url| format!("\"{url}\"\n").into(), "quotation mark"),
    ("single quotes", |url| format!("'{url}'").into(), "quotation mark"),
    ("half a quote", |url| format!("{url}\"").into(), "quotation mark"),
    ("quotes in pairs", |url| format!("{url}&of=o'brien&q=\"a\"").into(), ""),
    ("base64", |url| base64(url).into(), "base64 twice"),
    ("base64 in lines", |url| base64(url).replacen('a', "a\n", 1).into(), "base64 twice"),
    ("a zero-width space", |url| format!("{url}\u{200b}").into(), "U+200B (zero-width space)"),
    ("a zero-width joiner", |url| url.replace("hook", "ho\u{200d}ok").into(), "U+200D (zero-width joiner)"),
    ("a zero-width non-joiner", |url| url.replace("hook", "ho\u{200c}ok").into(), "U+200C (zero-width non-joiner)"),
    ("a word joiner", |url| url.replace("hook", "ho\u{2060}ok").into(), "U+2060 (word joiner)"),
    ("a soft hyphen in the host", |url| url.replace("127.", "127\u{ad}.").into(), "U+00AD (soft hyphen)"),
    ("a no-break space", |url| format!("{url}\u{a0}").into(), "U+00A0 (no-break space)"),
    ("a mark of direction", |url| format!("{url}\u{202e}").into(), "U+202E (mark of direction)"),
    ("a blank behind", |url| format!("{url} \n").into(), "a blank or a line break"),
    ("a blank before", |url| format!(" {url}").into(), "a blank or a line break"),
    ("two line ends", |url| format!("{url}\r\n\r\n").into(), "a blank or a line break"),
    ("two lines", |url| format!("{url}\n{url}").into(), "a line break in it"),
    ("a placeholder of Helm", |url| format!("{url}{{{{ .Values.token }}}}").into(), "placeholder ({{...}})"),
    ("a variable", |url| format!("{url}${{TOKEN}}").into(), "placeholder (${...})"),
    ("nothing but a blank", |_| b" ".into(), "a blank or a line break"),
];

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn url(receiver: &Receiver) -> String {
    format!("https://127.0.0.1:{}/hook?c4n4ry", receiver.port)
}

#[track_caller]
fn assert_named(ran: &Ran, reason: &str, named: &str, what: &str) {
    ran.assert(OutcomeClass::Refused, reason);
    assert!(ran.outcome.detail.contains(named), "{what}: {}", ran.outcome.detail);
    assert!(!ran.output.contains("c4n4ry"), "{what}: {}", ran.output);
}

#[test]
fn what_does_not_belong_to_a_url_is_named_and_nothing_is_sent() {
    for (what, make, named) in URLS {
        let receiver = Receiver::answering([OK]);
        let folder = Folder::to(&receiver);
        folder.write("url", make(&url(&receiver)));
        let ran = folder.run();
        if named.is_empty() {
            ran.assert(OutcomeClass::Delivered, "Delivered");
            assert_eq!(receiver.requests().len(), 1, "{what}");
        } else {
            assert_named(&ran, "UrlMalformed", named, what);
            assert!(receiver.requests().is_empty(), "{what}");
        }
    }
}

/// Both read the same bytes: the sender from a mounted file, and the command from an argument or a line.
#[cfg(feature = "operator")]
#[test]
fn the_command_that_checks_urls_says_of_each_what_the_sender_says() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::process::Command;

    let receiver = Receiver::answering([OK]);
    let port = receiver.port.to_string();
    let guarded: [Case; 6] = [
        ("another scheme", |url| url.replace("https", "http").into(), ""),
        ("a password", |url| url.replace("//", "//user:c4n4ry@").into(), ""),
        ("an address inside", |_| b"https://10.0.0.1/c4n4ry".into(), ""),
        ("a name inside", |_| b"https://localhost/c4n4ry".into(), ""),
        ("a port", |_| b"https://127.0.0.1:1/c4n4ry".into(), ""),
        ("its length", |url| format!("{url:x<2049}").into(), ""),
    ];
    for (what, make, _) in URLS.into_iter().chain(guarded) {
        let bytes = make(&url(&receiver));
        if bytes.contains(&0) {
            continue; // no argument can have it
        }
        let folder = Folder::to(&receiver);
        folder.write("url", &bytes);
        let outcome = folder.check().outcome;
        let output = Command::new(env!("CARGO_BIN_EXE_postern"))
            .args(["check", "--no-dns", "--allow-cidr", "127.0.0.0/8", "--allow-port", &port, "--"])
            .arg(OsStr::from_bytes(&bytes))
            .output()
            .unwrap();
        let finding: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        if outcome.outcome == OutcomeClass::Checked {
            assert_eq!(finding["verdict"], "allowed", "{what}: {finding}");
        } else {
            let expected = (outcome.reason.as_str(), outcome.detail.as_str());
            let said = (finding["reason"].as_str().unwrap(), finding["detail"].as_str().unwrap());
            assert_eq!((said, &finding["verdict"]), (expected, &json!("refused")), "{what}");
        }
        assert!(!finding.to_string().contains("c4n4ry"), "{what}: {finding}");
    }
}

#[test]
fn what_does_not_belong_to_a_key_is_named_and_nothing_is_signed_with_it() {
    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const RAW: &str = "c4n4ry0123456789";
    let cases: [Case; 9] = [
        ("a byte order mark", |key| format!("\u{feff}{key}").into(), "byte order mark (U+FEFF)"),
        ("UTF-16", |key| key.encode_utf16().flat_map(u16::to_be_bytes).collect(), "UTF-16"),
        ("quotes", |key| format!("\"{key}\"\n").into(), "quotation mark"),
        ("a zero-width space", |key| format!("{key}\u{200b}").into(), "U+200B (zero-width space)"),
        ("a blank", |key| format!("{key} \n").into(), "a blank or a line break"),
        ("two line ends", |key| format!("{key}\r\n\r\n").into(), "a blank or a line break"),
        ("two lines", |key| format!("{key}\r\n{key}").into(), "a line break in it"),
        ("a variable", |_| b"${SIGNING_KEY}".into(), "placeholder (${...})"),
        ("base64", |_| base64(KEY).into(), "base64 twice"),
    ];
    for (what, make, named) in cases {
        for (signing, key) in [
            (json!({"scheme": "StandardWebhooks"}), KEY),
            (json!({"scheme": "HmacSha256Hex", "classic": {"header": "X-Signature"}}), KEY),
            (json!({"scheme": "HmacSha256Hex", "classic": {"header": "X-Signature"}}), RAW),
        ] {
            let receiver = Receiver::answering([OK]);
            let mut folder = Folder::to(&receiver);
            folder.delivery["signing"] = signing;
            folder.delivery["signing"]["keys"] = json!([secret("keys/0", "signing-key")]);
            folder.write("keys/0", make(key));
            let ran = folder.run();
            assert_named(&ran, "SigningKeyInvalid", named, what);
            let place = "Secret report-hook, key signing-key: the key ";
            assert!(ran.outcome.detail.starts_with(place), "{what}: {}", ran.outcome.detail);
            assert!(receiver.requests().is_empty(), "{what}");
        }
    }
}

/// A bundle's certificate that can't be read.
const UNREADABLE: &str = "-----BEGIN CERTIFICATE-----\nc4n4ry\u{a0}\n-----END CERTIFICATE-----\n";

#[test]
fn a_certificate_that_cannot_be_read_is_named_by_its_place_and_refuses_no_other() {
    let receiver = Receiver::answering([OK, OK]);
    let folder = Folder::to(&receiver);
    let (good, other) = (&receiver.certificates.ca_pem, Certificates::good("127.0.0.1").ca_pem);
    folder.write("tls/ca.crt", format!("{other}{UNREADABLE}{good}"));
    let named = "the CA bundle in ConfigMap our-ca, key ca.crt: certificate 2 of 3 can't be read; the others are used";
    for ran in [folder.run(), folder.check()] {
        assert!([OutcomeClass::Delivered, OutcomeClass::Checked].contains(&ran.outcome.outcome), "{:?}", ran.outcome);
        assert_eq!(ran.outcome.detail, named);
        assert!(!ran.output.contains("c4n4ry"), "{}", ran.output);
    }
    assert_eq!(receiver.requests().len(), 1);

    folder.write("tls/ca.crt", format!("{UNREADABLE}{other}"));
    let ran = folder.run();
    // The two authorities have the same name, so that the wrong one is found, and doesn't fit.
    ran.assert(OutcomeClass::FailedPermanently, "CertificateInvalid");
    assert!(ran.outcome.detail.contains("certificate 1 of 2 can't be read"), "{}", ran.outcome.detail);
}

#[test]
fn what_stands_around_the_certificates_of_a_bundle_is_harmless() {
    for make in [
        |pem: &str| format!("\u{feff}{pem}"),
        |pem: &str| pem.replace('\n', "\r\n"),
        |pem: &str| format!("\"{}\"", pem.trim_end()),
        |pem: &str| format!("our authority\n\u{200b}\n {pem}\n\n  "),
    ] {
        let receiver = Receiver::answering([OK]);
        let folder = Folder::to(&receiver);
        folder.write("tls/ca.crt", make(&receiver.certificates.ca_pem));
        let ran = folder.run();
        ran.assert(OutcomeClass::Delivered, "Delivered");
        assert_eq!(ran.outcome.detail, "");
    }
}

#[test]
fn a_bundle_of_which_nothing_can_be_read_is_refused_and_told_why() {
    let cases: [Case; 5] = [
        ("base64", |pem| base64(pem).into(), "is encoded in base64 twice"),
        ("line breaks written out", |pem| pem.replace('\n', "\\n").into(), "has \\n written out"),
        ("UTF-16", |pem| pem.encode_utf16().flat_map(u16::to_le_bytes).collect(), "is UTF-16"),
        ("an unreadable one", |_| UNREADABLE.into(), "has no certificate that can be read, of 1"),
        ("none", |_| b"c4n4ry".into(), "(-----BEGIN CERTIFICATE-----)"),
    ];
    for (what, make, named) in cases {
        let receiver = Receiver::answering([OK]);
        let folder = Folder::to(&receiver);
        folder.write("tls/ca.crt", make(&receiver.certificates.ca_pem));
        let ran = folder.run();
        assert_named(&ran, "CaBundleInvalid", named, what);
        assert!(
            ran.outcome.detail.starts_with("the CA bundle in ConfigMap our-ca, key ca.crt "),
            "{}",
            ran.outcome.detail
        );
    }
}

#[test]
fn a_client_certificate_is_taken_whole_or_not_at_all() {
    let receiver = Receiver::with(Certificates::good("127.0.0.1"), true, Receiver::by_turns([OK]));
    let Certificates { client_certificate_pem, client_key_pem, .. } = &*receiver.certificates;
    let mut folder = Folder::to(&receiver);
    folder.delivery["tls"]["clientCertificate"] =
        json!({"certificate": secret("tls/tls.crt", "tls.crt"), "key": secret("tls/tls.key", "tls.key")});
    folder.write("tls/tls.key", client_key_pem);
    folder.write("tls/tls.crt", format!("{client_certificate_pem}{UNREADABLE}"));
    assert_named(
        &folder.run(),
        "ClientCertificateInvalid",
        "certificate 2 of 2 can't be read (key tls.crt)",
        "a chain",
    );
    folder.write("tls/tls.crt", base64(client_certificate_pem));
    assert_named(&folder.run(), "ClientCertificateInvalid", "base64 twice", "a chain");
    folder.write("tls/tls.crt", client_certificate_pem);
    folder.write("tls/tls.key", client_key_pem.replace('\n', "\\n"));
    assert_named(&folder.run(), "ClientCertificateInvalid", "has \\n written out", "a key");
    for encrypted in [
        client_key_pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
        client_key_pem.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", 1),
    ] {
        folder.write("tls/tls.key", encrypted);
        let named = "has an encrypted key: store it without a passphrase (openssl pkey -in FILE) (key tls.key)";
        assert_named(&folder.run(), "ClientCertificateInvalid", named, "a key");
    }
    assert!(receiver.requests().is_empty());
}

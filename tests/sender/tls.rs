use std::io::Read as _;
use std::net::TcpListener;
use std::thread;

use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{Certificates, OK, Receiver};
use serde_json::json;

use crate::folder::{Folder, secret};

#[track_caller]
fn refuses_the_certificate(certificates: Certificates, reason: &str) {
    let receiver = Receiver::with(certificates, false, Receiver::by_turns([OK]));
    let ran = Folder::to(&receiver).run();
    ran.assert(OutcomeClass::FailedPermanently, reason);
    assert_eq!(ran.outcome.attempts.len(), 1);
    assert!(receiver.requests().is_empty());
}

#[test]
fn refuses_a_wrong_name_and_a_wrong_time_and_a_receiver_that_vouches_for_itself_for_good() {
    refuses_the_certificate(Certificates::good("hooks.example.com"), "CertificateNameMismatch");
    refuses_the_certificate(Certificates::expired("127.0.0.1"), "CertificateExpired");
    refuses_the_certificate(Certificates::not_yet_valid("127.0.0.1"), "CertificateNotYetValid");
    refuses_the_certificate(Certificates::self_signed("127.0.0.1"), "CertificateUnknownIssuer");
}

#[test]
fn trusts_nobody_without_the_bundle() {
    let receiver = Receiver::answering([OK]);
    let mut folder = Folder::to(&receiver);
    folder.delivery["tls"] = json!({});
    let ran = folder.run();
    ran.assert(OutcomeClass::FailedPermanently, "CertificateUnknownIssuer");
    assert!(receiver.requests().is_empty());
}

#[test]
fn shows_its_client_certificate_where_one_is_asked_for() {
    let receiver = Receiver::with(Certificates::good("127.0.0.1"), true, Receiver::by_turns([OK]));
    let mut folder = Folder::to(&receiver);
    folder.delivery["tls"]["clientCertificate"] =
        json!({"certificate": secret("tls/tls.crt", "tls.crt"), "key": secret("tls/tls.key", "tls.key")});
    folder.write("tls/tls.crt", &receiver.certificates.client_certificate_pem);
    folder.write("tls/tls.key", &receiver.certificates.client_key_pem);
    folder.run().assert(OutcomeClass::Delivered, "Delivered");
}

#[test]
fn fails_where_a_client_certificate_is_asked_for_and_it_has_none() {
    let receiver = Receiver::with(Certificates::good("127.0.0.1"), true, Receiver::by_turns([OK]));
    let ran = Folder::to(&receiver).run();
    assert_eq!(ran.outcome.outcome, OutcomeClass::Failed);
    assert!(["TlsHandshakeFailed", "ConnectionReset"].contains(&ran.outcome.reason.as_str()), "{:?}", ran.outcome);
    assert!(receiver.requests().is_empty());
}

#[test]
fn retries_where_something_else_than_tls_is_spoken() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    let mut folder = Folder::to(&Receiver::answering([OK]));
    folder.delivery["egress"]["allowedPorts"] = json!([port]);
    folder.write("url", format!("https://127.0.0.1:{port}/"));
    let ran = folder.run();
    ran.assert(OutcomeClass::Failed, "TlsHandshakeFailed");
    assert_eq!(ran.outcome.attempts.len(), 3);
}

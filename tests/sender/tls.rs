use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::thread;

use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{Certificates, OK, Receiver};
use serde_json::json;

use crate::folder::{Folder, Ran, secret};

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
    with_client_certificate(&receiver, &receiver.certificates).run().assert(OutcomeClass::Delivered, "Delivered");
}

#[test]
fn says_that_a_client_certificate_is_asked_for() {
    let receiver = Receiver::with(Certificates::good("127.0.0.1"), true, Receiver::by_turns([OK]));
    let ran = Folder::to(&receiver).run();
    ran.assert(OutcomeClass::Failed, "TlsHandshakeFailed");
    assert!(ran.outcome.detail.contains("set tls.clientCertificateFrom"), "{:?}", ran.outcome);
    assert!(receiver.requests().is_empty());
}

/// A folder for a delivery to the receiver, with a client certificate of this authority.
fn with_client_certificate(receiver: &Receiver, certificates: &Certificates) -> Folder {
    let mut folder = Folder::to(receiver);
    folder.delivery["tls"]["clientCertificate"] =
        json!({"certificate": secret("tls/tls.crt", "tls.crt"), "key": secret("tls/tls.key", "tls.key")});
    folder.write("tls/tls.crt", &certificates.client_certificate_pem);
    folder.write("tls/tls.key", &certificates.client_key_pem);
    folder
}

#[test]
fn says_which_client_certificate_the_receiver_does_not_accept() {
    let receiver = Receiver::with(Certificates::good("127.0.0.1"), true, Receiver::by_turns([OK]));
    let ran = with_client_certificate(&receiver, &Certificates::good("127.0.0.1")).run();
    ran.assert(OutcomeClass::Failed, "TlsHandshakeFailed");
    assert!(
        ran.outcome.detail.contains("doesn't accept the client certificate of Secret report-hook"),
        "{:?}",
        ran.outcome
    );
}

#[test]
fn says_what_is_wrong_with_a_client_key() {
    let receiver = Receiver::answering([OK]);
    let folder = with_client_certificate(&receiver, &receiver.certificates);
    folder.write("tls/tls.key", Certificates::good("127.0.0.1").client_key_pem);
    let ran = folder.run();
    ran.assert(OutcomeClass::Refused, "ClientCertificateInvalid");
    assert!(ran.outcome.detail.contains("has another key in tls.key"), "{:?}", ran.outcome);

    folder.write("tls/tls.key", P_521_KEY);
    let ran = folder.run();
    ran.assert(OutcomeClass::Refused, "ClientCertificateInvalid");
    assert!(ran.outcome.detail.contains("and not P-521"), "{:?}", ran.outcome);
}

/// A PKCS #8 structure that names the curve P-521 and has no key.
const P_521_KEY: &str = "-----BEGIN PRIVATE KEY-----
MBcCAQAwEAYHKoZIzj0CAQYFK4EEACMEAA==
-----END PRIVATE KEY-----
";

#[test]
fn says_why_a_certificate_is_refused_that_others_accept() {
    for (certificates, reason, detail) in [
        (Certificates::self_signed_authority("127.0.0.1"), "CertificateInvalid", "CA:TRUE"),
        (Certificates::signed_with_sha_512("127.0.0.1"), "CertificateInvalid", "ECDSA and SHA-512"),
        (Certificates::for_clients_alone("127.0.0.1"), "CertificateInvalid", "serverAuth"),
        (Certificates::with_common_name_alone("127.0.0.1"), "CertificateNameMismatch", "subjectAltName"),
    ] {
        let ran = Folder::to(&Receiver::with(certificates, false, Receiver::by_turns([OK]))).run();
        ran.assert(OutcomeClass::FailedPermanently, reason);
        assert!(ran.outcome.detail.contains(detail), "{:?}", ran.outcome);
    }
}

#[test]
fn trusts_a_self_signed_certificate_that_is_in_the_bundle_and_no_authority() {
    let receiver = Receiver::with(Certificates::self_signed("127.0.0.1"), false, Receiver::by_turns([OK]));
    let folder = Folder::to(&receiver);
    folder.write("tls/ca.crt", &receiver.certificates.server_pem);
    folder.run().assert(OutcomeClass::Delivered, "Delivered");
}

/// Answers each connection with these bytes, whatever it sends, and reads until the sender has gone.
fn runs_against(bytes: &'static [u8]) -> Ran {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(bytes);
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    Folder::to_port(&Receiver::answering([OK]), port).run()
}

#[test]
fn says_what_a_receiver_lacks_that_refuses_tls() {
    for (bytes, detail) in [
        // Alerts (RFC 8446, 6): handshake_failure, protocol_version, internal_error, unrecognized_name and
        // no_application_protocol.
        (&[21, 3, 3, 0, 2, 2, 40][..], "RSA key exchange, DHE, CBC, P-521 and RSASSA-PSS keys"),
        (&[21, 3, 3, 0, 2, 2, 70], "neither TLS 1.2 nor TLS 1.3"),
        (&[21, 3, 3, 0, 2, 2, 80], "often it has no certificate for the URL's host"),
        (&[21, 3, 3, 0, 2, 2, 112], "doesn't serve the URL's host name"),
        (&[21, 3, 3, 0, 2, 2, 120], "enable HTTP/1.1"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", "plain HTTP"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "doesn't speak TLS"),
    ] {
        let ran = runs_against(bytes);
        ran.assert(OutcomeClass::Failed, "TlsHandshakeFailed");
        assert_eq!(ran.outcome.attempts.len(), 3);
        assert!(ran.outcome.detail.contains(detail), "{:?}", ran.outcome);
    }
    let ran = runs_against(b"");
    ran.assert(OutcomeClass::Failed, "ConnectionReset");
    assert!(ran.outcome.detail.contains("during the TLS handshake"), "{:?}", ran.outcome);
}

#[test]
fn says_that_a_receiver_speaks_http2_alone() {
    // SETTINGS, as the first bytes of a server that didn't look at what the client offered.
    let receiver = Receiver::before_reading(|stream| {
        stream.write_all(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 128])?;
        stream.conn.send_close_notify();
        stream.flush()
    });
    let ran = Folder::to(&receiver).run();
    ran.assert(OutcomeClass::Failed, "ResponseMalformed");
    assert!(ran.outcome.detail.contains("HTTP/2"), "{:?}", ran.outcome);
}

use std::sync::Arc;

use super::*;

fn of(error: impl Into<rustls::Error>, client: ClientAuth<'_>) -> (Reason, String) {
    of_handshake(&io::Error::new(io::ErrorKind::InvalidData, error.into()), client)
}

#[test]
fn each_fault_of_a_certificate_has_its_reason() {
    for (error, reason) in [
        (CertificateError::Expired, Reason::CertificateExpired),
        (CertificateError::NotValidYet, Reason::CertificateNotYetValid),
        (CertificateError::NotValidForName, Reason::CertificateNameMismatch),
        (CertificateError::UnknownIssuer, Reason::CertificateUnknownIssuer),
        (CertificateError::BadSignature, Reason::CertificateInvalid),
    ] {
        assert_eq!(of(error, ClientAuth::NotAsked).0, reason);
    }
}

#[test]
fn every_invalid_certificate_comes_with_words_of_its_own() {
    let pki = |error: webpki::Error| CertificateError::Other(OtherError(Arc::new(error)));
    let unsupported = |id: &[u8]| CertificateError::UnsupportedSignatureAlgorithmContext {
        signature_algorithm_id: id.to_vec(),
        supported_algorithms: Vec::new(),
    };
    let mut details = Vec::new();
    for error in [
        CertificateError::BadSignature,
        CertificateError::InvalidPurpose,
        CertificateError::UnhandledCriticalExtension,
        CertificateError::BadEncoding,
        unsupported(ECDSA_WITH_SHA_512),
        unsupported(&[0x06, 0x09]),
        pki(webpki::Error::CaUsedAsEndEntity),
        pki(webpki::Error::EndEntityUsedAsCa),
        pki(webpki::Error::UnsupportedCertVersion),
        pki(webpki::Error::NameConstraintViolation),
        pki(webpki::Error::PathLenConstraintViolated),
        pki(webpki::Error::ExtensionValueInvalid),
    ] {
        let (reason, detail) = of(error, ClientAuth::NotAsked);
        assert_eq!(reason, Reason::CertificateInvalid);
        details.push(detail);
    }
    let count = details.len();
    assert!(details.iter().all(|detail| (1..512).contains(&detail.len())), "{details:?}");
    details.sort_unstable();
    details.dedup();
    assert_eq!(details.len(), count);
}

#[test]
fn an_issuer_with_a_p_521_key_is_named_whatever_it_signs_with() {
    let issuer_on = |curve: &[u8]| CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
        signature_algorithm_id: vec![0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
        public_key_algorithm_id: [&[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01], curve].concat(),
    };
    assert_eq!(of(issuer_on(SECP521R1), ClientAuth::NotAsked).1, P_521);
    assert_eq!(of(issuer_on(&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a]), ClientAuth::NotAsked).1, SIGNATURE);
}

#[test]
fn a_refused_handshake_is_told_apart_by_whether_a_client_certificate_was_asked_for() {
    let alert = |client| of(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure), client).1;
    assert!(alert(ClientAuth::NotAsked).contains("CBC"));
    assert!(alert(ClientAuth::Missing).contains("tls.clientCertificateFrom"));
    assert!(alert(ClientAuth::Shown("our-client")).contains("Secret our-client"));
    let unknown = of(rustls::Error::AlertReceived(AlertDescription::Unknown(200)), ClientAuth::NotAsked);
    assert_eq!(unknown.0, Reason::TlsHandshakeFailed);
    for version in
        [PeerIncompatible::ServerDoesNotSupportTls12Or13, PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig]
    {
        assert!(of(version, ClientAuth::NotAsked).1.contains("neither TLS 1.2 nor TLS 1.3"));
    }
}

#[test]
fn a_receiver_that_hangs_up_without_a_word_may_have_wanted_the_client_certificate_that_it_asked_for() {
    let closed = io::ErrorKind::UnexpectedEof.into();
    for of in [of_handshake, of_stream] {
        assert_eq!(of(&closed, ClientAuth::Missing), (Reason::ConnectionReset, CLIENT_CERTIFICATE_PERHAPS.to_owned()));
    }
    assert_eq!(of_stream(&closed, ClientAuth::NotAsked), (Reason::ConnectionReset, String::new()));
}

#[test]
fn only_a_status_that_means_it_says_that_the_client_certificate_is_missing() {
    for (status, detail) in [
        (400, CLIENT_CERTIFICATE_PERHAPS),
        (401, CLIENT_CERTIFICATE_PERHAPS),
        (403, CLIENT_CERTIFICATE_PERHAPS),
        (404, ""),
        (495, CLIENT_CERTIFICATE_MISSING),
        (496, CLIENT_CERTIFICATE_MISSING),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(of_status(status, ClientAuth::Missing), detail, "{status}");
        assert_eq!(of_status(status, ClientAuth::NotAsked), "");
        assert_eq!(of_status(status, ClientAuth::Shown("our-client")), "");
    }
}

//! Why a TLS handshake failed or a TLS connection broke, and what to do about it. Other clients accept some of what is refused
//! here, so each refusal has a message of its own. Nothing that the receiver wrote is quoted.

use std::io;

use http::StatusCode;
use rustls::{AlertDescription, CertificateError, InvalidMessage, OtherError, PeerIncompatible};

use crate::delivery::Reason;

/// What part a client certificate had in a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientAuth<'a> {
    /// The receiver asked for none.
    NotAsked,
    /// It asked for one, and there was none to show.
    Missing,
    /// It asked for one, and was shown the one in this Secret, if that fitted the request.
    Shown(&'a str),
}

const CLIENT_CERTIFICATE_MISSING: &str =
    "the receiver asked for a client certificate, and the schedule has none: set tls.clientCertificateFrom";
/// For failures that have other causes too: a receiver may ask for a certificate and work without one.
const CLIENT_CERTIFICATE_PERHAPS: &str = "the receiver also asked for a client certificate, which the schedule \
    doesn't have; if it requires one, set tls.clientCertificateFrom";
const PARAMETERS: &str = "the receiver must offer TLS 1.3, or TLS 1.2 with ECDHE (X25519, P-256 or P-384) and AES-GCM \
    or ChaCha20-Poly1305, and have a certificate with an RSA, P-256, P-384 or Ed25519 key; RSA key exchange, DHE, \
    CBC, P-521 and RSASSA-PSS keys aren't supported";
const P_521: &str = "a certificate of the chain is signed by a P-521 key, or with ECDSA and SHA-512, which isn't \
    supported: have it signed with SHA-256 or SHA-384 by an authority with a P-256, P-384 or RSA key";
const SIGNATURE: &str = "a certificate of the chain is signed in a way that isn't supported, such as SHA-1: have it \
    signed by RSA (at least 2048 bits) with SHA-256, SHA-384 or SHA-512, by ECDSA (P-256 or P-384) with SHA-256 or \
    SHA-384, or by Ed25519";
const AUTHORITY: &str = "the receiver's own certificate is marked as an authority (basicConstraints CA:TRUE), as \
    `openssl req -x509` does by default: give the receiver one with CA:FALSE, and put it or its issuer into \
    tls.caBundleFrom";

/// Why the handshake failed.
pub(super) fn of_handshake(error: &io::Error, client: ClientAuth<'_>) -> (Reason, String) {
    let (reason, detail) = of_stream(error, client);
    if detail.is_empty() && reason == Reason::ConnectionReset {
        let detail = "the receiver ended the connection during the TLS handshake: check that it serves HTTPS on this \
            port, and check proxies in front of it";
        return (reason, detail.to_owned());
    }
    (reason, detail)
}

/// Why a connection broke off. TLS 1.3 lets a receiver refuse the client's certificate after the handshake.
pub(super) fn of_stream(error: &io::Error, client: ClientAuth<'_>) -> (Reason, String) {
    let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) else {
        let detail = if client == ClientAuth::Missing { CLIENT_CERTIFICATE_PERHAPS } else { "" };
        return (Reason::ConnectionReset, detail.to_owned());
    };
    let detail = match error {
        rustls::Error::InvalidCertificate(error) => {
            let (reason, detail) = of_certificate(error);
            return (reason, detail.to_owned());
        }
        rustls::Error::AlertReceived(alert) => return (Reason::TlsHandshakeFailed, of_alert(*alert, client)),
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the receiver doesn't speak TLS on this port, but perhaps plain HTTP: use the port on which it serves HTTPS"
        }
        rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "the receiver speaks neither TLS 1.2 nor TLS 1.3: enable one of them there",
        _ => PARAMETERS,
    };
    (Reason::TlsHandshakeFailed, detail.to_owned())
}

/// What to do about an answer, above TLS, that some servers give to clients that show no certificate.
pub(super) fn of_status(status: StatusCode, client: ClientAuth<'_>) -> &'static str {
    match (client, status.as_u16()) {
        // nginx's own statuses, which have no other meaning.
        (ClientAuth::Missing, 495 | 496) => CLIENT_CERTIFICATE_MISSING,
        (ClientAuth::Missing, 400 | 401 | 403) => CLIENT_CERTIFICATE_PERHAPS,
        _ => "",
    }
}

fn of_alert(alert: AlertDescription, client: ClientAuth<'_>) -> String {
    use AlertDescription as Alert;
    let advice = match (alert, client) {
        (
            Alert::HandshakeFailure
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::UnknownCA
            | Alert::AccessDenied,
            ClientAuth::Missing,
        ) => CLIENT_CERTIFICATE_MISSING,
        (
            Alert::HandshakeFailure
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError,
            ClientAuth::Shown(secret),
        ) => {
            return format!(
                "the receiver doesn't accept the client certificate of Secret {secret} ({alert:?}): check its issuer, \
                 dates and purpose (clientAuth) against what the receiver trusts"
            );
        }
        (Alert::HandshakeFailure | Alert::InsufficientSecurity, _) => PARAMETERS,
        (Alert::ProtocolVersion, _) => "the receiver speaks neither TLS 1.2 nor TLS 1.3: enable one of them there",
        (Alert::NoApplicationProtocol, _) => HTTP2_ONLY,
        (Alert::UnrecognisedName, _) => {
            "the receiver doesn't serve the URL's host name: correct the URL, or the receiver's host names"
        }
        (Alert::InternalError, _) => {
            "the receiver failed: look at its log; often it has no certificate for the URL's host yet"
        }
        _ => "look at the receiver's log",
    };
    format!("the receiver refused TLS ({alert:?}): {advice}")
}

/// What to do about a receiver that speaks only HTTP/2.
pub(super) const HTTP2_ONLY: &str = "the receiver doesn't speak HTTP/1.1, the only version that Postern sends, but \
    perhaps only HTTP/2: enable HTTP/1.1 there";

fn of_certificate(error: &CertificateError) -> (Reason, &'static str) {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (Reason::CertificateExpired, ""),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            (Reason::CertificateNotYetValid, "")
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => (
            Reason::CertificateNameMismatch,
            "the certificate has no name in subjectAltName, and its common name doesn't count: reissue it with the \
             URL's host there",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            (Reason::CertificateNameMismatch, "")
        }
        CertificateError::UnknownIssuer => (Reason::CertificateUnknownIssuer, ""),
        _ => (Reason::CertificateInvalid, of_invalid_certificate(error)),
    }
}

fn of_invalid_certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. }
            if signature_algorithm_id.starts_with(ECDSA_WITH_SHA_512) =>
        {
            P_521
        }
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { public_key_algorithm_id, .. }
            if public_key_algorithm_id.ends_with(SECP521R1) =>
        {
            P_521
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => SIGNATURE,
        CertificateError::BadSignature => {
            "a signature of the chain or of the handshake is wrong, or made by an RSA key of fewer than 2048 bits: \
             reissue the certificates with larger keys, and check that the receiver sends the issuer that signed its \
             certificate"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is for another purpose: reissue it with serverAuth in extendedKeyUsage"
        }
        CertificateError::UnhandledCriticalExtension => {
            "a certificate of the chain has an unknown critical extension: reissue it without that extension"
        }
        CertificateError::BadEncoding => "a certificate of the chain can't be read: reissue it as X.509 v3",
        CertificateError::Other(OtherError(error)) => match error.downcast_ref::<webpki::Error>() {
            Some(webpki::Error::CaUsedAsEndEntity) => AUTHORITY,
            Some(webpki::Error::EndEntityUsedAsCa) => {
                "the certificate that signed the receiver's isn't an authority's: it needs basicConstraints CA:TRUE"
            }
            Some(webpki::Error::UnsupportedCertVersion) => {
                "a certificate of the chain isn't X.509 v3: reissue it as X.509 v3"
            }
            Some(webpki::Error::NameConstraintViolation) => {
                "an authority of the chain may not vouch for this name (nameConstraints): use another one"
            }
            Some(webpki::Error::PathLenConstraintViolated) => {
                "an authority of the chain may not have authorities below it (pathlen): reissue it"
            }
            _ => REISSUE,
        },
        _ => REISSUE,
    }
}

/// For all other forms, which hardly any authority makes.
const REISSUE: &str = "the certificate breaks the rules of RFC 5280: reissue it";
/// An object identifier in DER (RFC 5758, 3.2). It is the whole content of an `AlgorithmIdentifier`.
const ECDSA_WITH_SHA_512: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];
/// The object identifier of the curve P-521 in DER (RFC 5480, 2.1.1.1). It is at the end of an `AlgorithmIdentifier`.
const SECP521R1: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];

#[cfg(test)]
mod tests;

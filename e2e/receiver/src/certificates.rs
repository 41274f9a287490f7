//! Certificates, good ones and others.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// The object identifier in DER (RFC 5758, 3.2); that of SHA-512 ends in 4.
const ECDSA_WITH_SHA_256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

type Pair = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// A certificate authority of one test, and what it signed for the receiver and the sender.
pub struct Certificates {
    /// The authority's own, for a sender to trust.
    pub ca_pem: String,
    ca: CertificateDer<'static>,
    server: Pair,
    /// The receiver's own, for a sender that trusts it alone.
    pub server_pem: String,
    /// A certificate for a sender, signed by the same authority.
    pub client_certificate_pem: String,
    /// Its key.
    pub client_key_pem: String,
}

impl Certificates {
    /// For a receiver of that name or address.
    pub fn good(name: &str) -> Certificates {
        Certificates::with(name, |_| {})
    }

    /// The receiver's was valid until 2020.
    pub fn expired(name: &str) -> Certificates {
        Certificates::with(name, |params| {
            params.not_after = date_time_ymd(2020, 1, 1);
        })
    }

    /// The receiver's will be valid in the year 4000.
    pub fn not_yet_valid(name: &str) -> Certificates {
        Certificates::with(name, |params| {
            params.not_before = date_time_ymd(4000, 1, 1);
        })
    }

    /// A receiver that vouches for itself; the authority knows nothing of it.
    pub fn self_signed(name: &str) -> Certificates {
        Certificates::self_signed_with(name, |_| {})
    }

    /// The same, whose certificate says that it is an authority's.
    pub fn self_signed_authority(name: &str) -> Certificates {
        Certificates::self_signed_with(name, |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        })
    }

    /// The receiver's has its name as common name alone.
    pub fn with_common_name_alone(name: &str) -> Certificates {
        Certificates::with(name, |params| {
            params.subject_alt_names.clear();
            params.distinguished_name.push(DnType::CommonName, name);
        })
    }

    /// The receiver's may be shown by clients alone.
    pub fn for_clients_alone(name: &str) -> Certificates {
        Certificates::with(name, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
    }

    /// The receiver's says that it is signed by ECDSA with SHA-512, as a P-521 key would have done it. The signature itself is
    /// wrong: whoever doesn't know the algorithm never comes to see that.
    pub fn signed_with_sha_512(name: &str) -> Certificates {
        let mut certificates = Certificates::good(name);
        let mut der = certificates.server.0.to_vec();
        for at in 0..der.len() - ECDSA_WITH_SHA_256.len() {
            if der[at..].starts_with(&ECDSA_WITH_SHA_256) {
                der[at + ECDSA_WITH_SHA_256.len() - 1] = 4;
            }
        }
        certificates.server.0 = der.into();
        certificates
    }

    fn self_signed_with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Certificates {
        let mut certificates = Certificates::good(name);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.self_signed(&key).unwrap();
        certificates.server = pair(&certificate, &key);
        certificates.server_pem = certificate.pem();
        certificates
    }

    fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Certificates {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "a test's authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();

        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let server_key = KeyPair::generate().unwrap();
        let server = params.signed_by(&server_key, &issuer).unwrap();

        let mut params = CertificateParams::new(["sender.example.com".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let client_key = KeyPair::generate().unwrap();
        let client = params.signed_by(&client_key, &issuer).unwrap();

        Certificates {
            ca_pem: issuer.pem(),
            ca: issuer.der().clone(),
            server: pair(&server, &server_key),
            server_pem: server.pem(),
            client_certificate_pem: client.pem(),
            client_key_pem: client_key.serialize_pem(),
        }
    }

    pub(crate) fn server_config(&self, wants_client_certificate: bool) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
        let builder = if wants_client_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(self.ca.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let (certificate, key) = &self.server;
        Arc::new(builder.with_single_cert(vec![certificate.clone()], key.clone_key()).unwrap())
    }
}

fn pair(certificate: &Certificate, key: &KeyPair) -> Pair {
    (certificate.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap())
}

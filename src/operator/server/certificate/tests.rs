use std::fs;

use tempfile::TempDir;

use super::*;

struct Folder(TempDir);

impl Folder {
    fn with(certificate: &str, key: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.write(certificate, key);
        folder
    }

    fn write(&self, certificate: &str, key: &str) {
        fs::write(self.0.path().join("tls.crt"), certificate).unwrap();
        fs::write(self.0.path().join("tls.key"), key).unwrap();
    }

    fn certificate(&self) -> Result<Certificate, CertificateError> {
        let file = |name| Some(self.0.path().join(name));
        Certificate::new(&MetricsSettings {
            certificate: file("tls.crt"),
            key: file("tls.key"),
            ..MetricsSettings::default()
        })
    }
}

fn pem() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["metrics.example".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn files_that_change_are_read_again_and_those_that_do_not_are_not() {
    let (certificate, key) = pem();
    let folder = Folder::with(&certificate, &key);
    let in_use = folder.certificate().unwrap();
    let first = in_use.config();
    assert!(Arc::ptr_eq(&first, &in_use.config()));
    folder.write(&certificate, &key);
    assert!(Arc::ptr_eq(&first, &in_use.config()));
    let (certificate, key) = pem();
    folder.write(&certificate, &key);
    assert!(!Arc::ptr_eq(&first, &in_use.config()));
}

#[test]
fn a_certificate_that_cannot_be_used_leaves_the_one_in_use_until_one_comes_that_can() {
    let (certificate, key) = pem();
    let folder = Folder::with(&certificate, &key);
    let in_use = folder.certificate().unwrap();
    let first = in_use.config();
    // The certificate's file is renewed before the key's.
    let (certificate, new_key) = pem();
    folder.write(&certificate, &key);
    assert!(Arc::ptr_eq(&first, &in_use.config()));
    fs::remove_file(folder.0.path().join("tls.key")).unwrap();
    assert!(Arc::ptr_eq(&first, &in_use.config()));
    folder.write(&certificate, &new_key);
    assert!(!Arc::ptr_eq(&first, &in_use.config()));
}

#[test]
fn names_the_field_of_a_file_that_cannot_be_used_at_the_start() {
    let (certificate, key) = pem();
    let (_, other_key) = pem();
    for (certificate, key, message) in [
        ("", &key, "metrics.certificate: "),
        (&*certificate, &String::new(), "metrics.key: "),
        (&certificate, &other_key, "metrics.certificate, metrics.key: they can't be used together"),
    ] {
        let error = Folder::with(certificate, key).certificate().err().unwrap().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    let folder = Folder::with(&certificate, &key);
    fs::remove_file(folder.0.path().join("tls.crt")).unwrap();
    let error = folder.certificate().err().unwrap().to_string();
    assert!(error.starts_with("metrics.certificate: ") && error.contains("can't be read"), "{error}");
}

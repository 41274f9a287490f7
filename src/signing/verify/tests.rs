use super::*;
use crate::signing::{DeliveryId, Signer};

const HMAC: &[u8] = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PRIVATE: &[u8] = b"whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const PUBLIC: &[u8] = b"whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n";
const SENT: u64 = 1_700_000_000;

fn signed(key: &[u8], body: &[u8]) -> Vec<(String, String)> {
    let id = DeliveryId::of_schedule("uid", SENT);
    let signer = Signer::standard_webhooks(vec![SigningKey::parse(key).unwrap()]).unwrap();
    signer.sign(&id, SENT, body).into_iter().map(|header| (header.name.to_uppercase(), header.value)).collect()
}

fn check(key: &[u8], headers: &[(String, String)], body: &[u8], now: u64) -> Result<(), VerifyError> {
    verify(&VerifyingKey::parse(key).unwrap(), headers, body, now, 300)
}

#[test]
fn accepts_what_was_signed_with_the_key_or_its_private_half() {
    assert_eq!(check(HMAC, &signed(HMAC, b"{}"), b"{}", SENT), Ok(()));
    assert_eq!(check(PUBLIC, &signed(PRIVATE, b"{}"), b"{}", SENT), Ok(()));
    assert_eq!(check(PRIVATE, &signed(PRIVATE, b"{}"), b"{}", SENT), Ok(()));
    assert_eq!(VerifyingKey::parse(PUBLIC).unwrap().fingerprint(), VerifyingKey::parse(PRIVATE).unwrap().fingerprint());
}

#[test]
fn tells_a_changed_body_from_a_stray_line_end() {
    let headers = signed(HMAC, b"{}");
    assert_eq!(check(HMAC, &headers, b"{}\n", SENT), Err(VerifyError::BodyHasLineEnd));
    assert_eq!(check(HMAC, &headers, b"[]", SENT), Err(VerifyError::Mismatch("v1")));
    assert_eq!(
        check(b"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &headers, b"{}", SENT),
        Err(VerifyError::Mismatch("v1"))
    );
}

#[test]
fn holds_the_tolerance_in_both_directions() {
    let headers = signed(HMAC, b"{}");
    assert_eq!(check(HMAC, &headers, b"{}", SENT + 300), Ok(()));
    assert_eq!(check(HMAC, &headers, b"{}", SENT - 300), Ok(()));
    assert_eq!(check(HMAC, &headers, b"{}", SENT + 301), Err(VerifyError::TooOld { age: 301, tolerance: 300 }));
    assert_eq!(check(HMAC, &headers, b"{}", SENT - 301), Err(VerifyError::TooNew { ahead: 301, tolerance: 300 }));
}

#[test]
fn names_each_missing_repeated_or_malformed_header() {
    for name in [ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER] {
        let mut headers = signed(HMAC, b"{}");
        let at = headers.iter().position(|(given, _)| given.eq_ignore_ascii_case(name)).unwrap();
        headers.push(headers[at].clone());
        assert_eq!(check(HMAC, &headers, b"{}", SENT), Err(VerifyError::RepeatedHeader(name)));
        headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        assert_eq!(check(HMAC, &headers, b"{}", SENT), Err(VerifyError::MissingHeader(name)));
    }
    let mut headers = signed(HMAC, b"{}");
    headers[1].1 = "yesterday".into();
    assert_eq!(check(HMAC, &headers, b"{}", SENT), Err(VerifyError::TimestampMalformed));
    let mut headers = signed(HMAC, b"{}");
    assert_eq!(check(PUBLIC, &headers, b"{}", SENT), Err(VerifyError::NoSuchSignature("v1a")));
    headers[2].1 = "v1,***".into();
    assert_eq!(check(HMAC, &headers, b"{}", SENT), Err(VerifyError::SignatureNotBase64("v1")));
}

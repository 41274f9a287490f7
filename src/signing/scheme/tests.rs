use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use proptest::prelude::*;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use standardwebhooks::Webhook;

use super::*;

const OLD_KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const NEW_KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ED25519_KEY: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

fn id(text: &str) -> DeliveryId {
    text.to_owned().try_into().unwrap()
}

fn standard_signer(keys: &[&str]) -> Signer {
    Signer::standard_webhooks(keys.iter().map(|key| SigningKey::parse(key.as_bytes()).unwrap()).collect()).unwrap()
}

fn classic_signer(keys: &[&str], encoding: Encoding, prefix: &str, payload: Payload) -> Signer {
    let keys = keys.iter().map(|key| HmacKey::parse_classic(key.as_bytes()).unwrap()).collect();
    let options = ClassicOptions { header: "X-Signature".into(), prefix: prefix.into(), payload };
    Signer::classic(keys, encoding, options).unwrap()
}

fn value<'h>(headers: &'h [SignatureHeader], name: &str) -> &'h str {
    &headers.iter().find(|header| header.name == name).unwrap().value
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn signs_the_example_of_the_standard_webhooks_libraries() {
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    let headers = standard_signer(&[OLD_KEY]).sign(&id("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"), 1_649_367_553, body);
    assert_eq!(value(&headers, "webhook-id"), "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk");
    assert_eq!(value(&headers, "webhook-timestamp"), "1649367553");
    assert_eq!(value(&headers, "webhook-signature"), "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
}

#[test]
fn the_official_library_accepts_each_of_several_v1_keys() {
    let body = br#"{"type":"report.due"}"#;
    let headers = standard_signer(&[NEW_KEY, OLD_KEY]).sign(&id("msg_1"), now(), body);
    let map = header_map(&headers);
    for key in [NEW_KEY, OLD_KEY] {
        Webhook::new(key).unwrap().verify(body, &map).unwrap();
        assert!(Webhook::new(key).unwrap().verify(b"another", &map).is_err());
    }
    assert!(Webhook::new("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap().verify(body, &map).is_err());
}

fn header_map(headers: &[SignatureHeader]) -> HeaderMap {
    let pair = |header: &SignatureHeader| {
        let name: HeaderName = header.name.parse().unwrap();
        (name, HeaderValue::from_str(&header.value).unwrap())
    };
    headers.iter().map(pair).collect()
}

proptest! {
    #[test]
    fn the_official_library_accepts_any_text_and_key(body: String, key in prop::collection::vec(any::<u8>(), 24..=64)) {
        let key = format!("whsec_{}", STANDARD.encode(key));
        let headers = standard_signer(&[&key]).sign(&id("msg_1"), now(), body.as_bytes());
        prop_assert!(Webhook::new(&key).unwrap().verify(body.as_bytes(), &header_map(&headers)).is_ok());
    }

    #[test]
    fn ring_accepts_any_body_and_seed(body: Vec<u8>, seed: [u8; 32], timestamp: u64) {
        let key = format!("whsk_{}", STANDARD.encode(seed));
        let headers = standard_signer(&[&key]).sign(&id("msg_1"), timestamp, &body);
        let signature = value(&headers, "webhook-signature").strip_prefix("v1a,").unwrap();
        let signature = STANDARD.decode(signature).unwrap();
        let message = [format!("msg_1.{timestamp}.").as_bytes(), &body].concat();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let public = UnparsedPublicKey::new(&ED25519, pair.public_key());
        prop_assert!(public.verify(&message, &signature).is_ok());
        prop_assert!(public.verify(&[&message, b"x".as_slice()].concat(), &signature).is_err());
    }
}

#[test]
fn signs_bytes_that_are_not_text() {
    // printf 'msg_1.5.\377\000' | openssl dgst -sha256 -mac HMAC -macopt hexkey:KEY -binary | base64
    let headers = standard_signer(&[NEW_KEY]).sign(&id("msg_1"), 5, b"\xff\x00");
    assert_eq!(value(&headers, "webhook-signature"), "v1,fRvXnPz9bhnfspn6P10FhodcmhpBwF+eqg9S7C2bKNs=");
}

#[test]
fn keys_of_both_kinds_sign_side_by_side_in_order() {
    let headers = standard_signer(&[ED25519_KEY, OLD_KEY]).sign(&id("msg_1"), 5, b"{}");
    let kinds: Vec<&str> = value(&headers, "webhook-signature").split(' ').map(|one| &one[..4]).collect();
    assert_eq!(kinds[0], "v1a,");
    assert!(kinds[1].starts_with("v1,"));
    assert_eq!(kinds.len(), 2);
}

#[test]
fn another_attempt_has_the_same_id_and_another_timestamp_and_signature() {
    let signer = standard_signer(&[OLD_KEY]);
    let (first, second) = (signer.sign(&id("msg_1"), 5, b"{}"), signer.sign(&id("msg_1"), 6, b"{}"));
    assert_eq!(value(&first, "webhook-id"), value(&second, "webhook-id"));
    assert_ne!(value(&first, "webhook-timestamp"), value(&second, "webhook-timestamp"));
    assert_ne!(value(&first, "webhook-signature"), value(&second, "webhook-signature"));
}

#[test]
fn signs_the_example_of_githubs_documentation() {
    let signer = classic_signer(&["It's a Secret to Everybody"], Encoding::Hex, "sha256=", Payload::Body);
    assert_eq!(
        value(&signer.sign(&id("msg_1"), 5, b"Hello, World!"), "X-Signature"),
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    );
}

#[test]
fn classic_base64_is_the_same_tag_in_another_writing() {
    let signer = classic_signer(&["It's a Secret to Everybody"], Encoding::Base64, "", Payload::Body);
    assert_eq!(
        value(&signer.sign(&id("msg_1"), 5, b"Hello, World!"), "X-Signature"),
        "dXEH6g6yUJ/CESIczphLijdXC211hsIsRvQ3nIsEPhc="
    );
}

#[test]
fn stripes_form_names_the_time_and_one_signature_for_each_key() {
    let keys = ["It's a Secret to Everybody", "another-secret-of-old"];
    let signer = classic_signer(&keys, Encoding::Hex, "v1=", Payload::TimestampBody);
    let headers = signer.sign(&id("msg_1"), 1_492_774_577, b"{}");
    // printf '1492774577.{}' | openssl dgst -sha256 -hmac KEY
    assert_eq!(
        value(&headers, "X-Signature"),
        "t=1492774577,v1=d3a6d39cd305763a66be713c144c10243e94bcd0848355c0a27854797adb6589,v1=7d97031d846971b97791dae63932f70bf2fa4dcfa1c8de174e763678a745e98b"
    );
    assert_eq!(headers.len(), 1);
}

#[test]
fn no_signer_is_made_that_would_not_sign_as_asked() {
    assert_eq!(Signer::standard_webhooks(vec![]).unwrap_err(), SignerError::NoKey);
    let options = ClassicOptions { header: "X".into(), prefix: String::new(), payload: Payload::Body };
    let key = || HmacKey::parse_classic(&[7; 16]).unwrap();
    assert_eq!(Signer::classic(vec![], Encoding::Hex, options.clone()).unwrap_err(), SignerError::NoKey);
    assert_eq!(Signer::classic(vec![key(), key()], Encoding::Hex, options).unwrap_err(), SignerError::OneKeyOnly);
}

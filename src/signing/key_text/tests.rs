use super::*;
use crate::signing::Fingerprint;
use crate::signing::id::hex;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn key_text(prefix: &str, bytes: &[u8]) -> Vec<u8> {
    format!("{prefix}{}", STANDARD.encode(bytes)).into_bytes()
}

#[test]
fn hmac_gives_the_tags_of_rfc_4231() {
    let ascending: Vec<u8> = (1..=25).collect();
    let long_data = b"This is a test using a larger than block-size key and a larger than block-size data. \
        The key needs to be hashed before being used by the HMAC algorithm.";
    let cases: [(&[u8], &[u8], &str); 6] = [
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (&ascending, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (&[0xaa; 131], long_data, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
    ];
    for (key, message, tag) in cases {
        let key = HmacKey::new(key);
        let (start, end) = message.split_at(3);
        assert_eq!(hex(&key.sign(&[message])), tag);
        assert_eq!(hex(&key.sign(&[start, end])), tag, "in two parts");
        assert!(key.verify(message, &bytes(tag)));
        assert!(!key.verify(start, &bytes(tag)));
    }
}

/// RFC 8032, section 7.1: seed, public key, message, signature.
const RFC_8032: [[&str; 4]; 3] = [
    [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b\
         be24655141438e7a100b",
    ],
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb430\
         2aeeb00d291612bb0c00",
    ],
    [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716e\
         d28dc027beceea1ec40a",
    ],
];

#[test]
fn ed25519_gives_the_signatures_of_rfc_8032_from_either_form_of_the_key() {
    for [seed, public, message, signature] in RFC_8032.map(|case| case.map(bytes)) {
        let both = [seed.clone(), public.clone()].concat();
        for form in [seed, both] {
            let SigningKey::Ed25519(key) = SigningKey::parse(&key_text("whsk_", &form)).unwrap() else {
                panic!("whsk_ is an ed25519 key");
            };
            let (start, end) = message.split_at(message.len() / 2);
            assert_eq!(key.sign(&[&message]).as_slice(), signature);
            assert_eq!(key.sign(&[start, end]).as_slice(), signature, "in two parts");
            assert_eq!(key.public().to_string().into_bytes(), key_text("whpk_", &public));
            assert!(key.public().verify(&message, &signature));
            assert!(!key.public().verify(b"another", &signature));
        }
    }
}

#[test]
fn takes_whsec_keys_of_24_to_64_bytes_only() {
    for length in [24, 32, 64] {
        let key = SigningKey::parse(&key_text("whsec_", &vec![7; length]));
        assert!(matches!(key, Ok(SigningKey::Hmac(_))), "{length}");
    }
    for length in [0, 1, 23, 65] {
        let key = SigningKey::parse(&key_text("whsec_", &vec![7; length]));
        assert_eq!(key.unwrap_err(), KeyError::HmacLength(length));
    }
}

#[test]
fn drops_one_trailing_line_end_and_no_more() {
    let key = key_text("whsec_", &[7; 24]);
    let fingerprint = SigningKey::parse(&key).unwrap().fingerprint();
    for end in ["\n", "\r\n"] {
        let file = [&key, end.as_bytes()].concat();
        assert_eq!(SigningKey::parse(&file).unwrap().fingerprint(), fingerprint);
    }
    let file = [&key, b"\n\n".as_slice()].concat();
    assert_eq!(SigningKey::parse(&file).unwrap_err(), KeyError::Flawed(Flaw::Blank));
}

#[test]
fn refuses_each_kind_of_wrong_key_by_its_own_reason() {
    let cases: [(&[u8], KeyError); 14] = [
        (b"", KeyError::Empty),
        (b"\n", KeyError::Empty),
        (b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", KeyError::UnknownPrefix),
        (b" whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", KeyError::Flawed(Flaw::Blank)),
        (b"\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"", KeyError::Flawed(Flaw::Quoted)),
        (b"whsec_MfKQ9r8GKYqrTwjUPD8I\nLPZIo2LaLaSw", KeyError::Flawed(Flaw::LineBreak)),
        (b"d2hzZWNfTWZLUTlyOEdLWXFyVHdqVVBEOElMUFpJbzJMYUxhU3c=", KeyError::Flawed(Flaw::EncodedTwice)),
        (b"WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", KeyError::UnknownPrefix),
        (b"whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", KeyError::PublicKeyGiven),
        (b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS-", KeyError::NotBase64),
        (b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwCg", KeyError::NotBase64),
        (b"whsec_\xff\xfe", KeyError::NotBase64),
        (b"whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", KeyError::Ed25519Length(24)),
        (b"whsk_", KeyError::Ed25519Length(0)),
    ];
    for (file, error) in cases {
        assert_eq!(SigningKey::parse(file).unwrap_err(), error, "{:?}", String::from_utf8_lossy(file));
    }
    let [seed, ..] = RFC_8032[0].map(bytes);
    let [_, public, ..] = RFC_8032[1].map(bytes);
    let mixed = key_text("whsk_", &[seed, public].concat());
    assert_eq!(SigningKey::parse(&mixed).unwrap_err(), KeyError::Ed25519Mismatch);
}

#[test]
fn classic_keys_are_raw_bytes_or_whsec() {
    let raw = HmacKey::parse_classic(&[7; 24]).unwrap();
    let encoded = HmacKey::parse_classic(&key_text("whsec_", &[7; 24])).unwrap();
    assert_eq!(raw.fingerprint(), encoded.fingerprint());

    assert_eq!(HmacKey::parse_classic(b"").unwrap_err(), KeyError::Empty);
    assert_eq!(HmacKey::parse_classic(&[7; 15]).unwrap_err(), KeyError::RawLength(15));
    assert_eq!(HmacKey::parse_classic(&[7; 1025]).unwrap_err(), KeyError::RawLength(1025));
    assert_eq!(HmacKey::parse_classic(b"whsec_short").unwrap_err(), KeyError::NotBase64);
    assert_eq!(HmacKey::parse_classic(b"whsk_AAAAAAAAAAAAAAAAAAAA").unwrap_err(), KeyError::NotHmac);
    assert_eq!(HmacKey::parse_classic(b"whpk_AAAAAAAAAAAAAAAAAAAA").unwrap_err(), KeyError::NotHmac);
}

#[test]
fn a_raw_key_that_is_text_is_held_to_what_people_mean_and_bytes_are_left_alone() {
    for (file, flaw) in [
        ("\u{feff}0123456789abcdef", Flaw::ByteOrderMark),
        ("'0123456789abcdef'", Flaw::Quoted),
        ("0123456789abcdef \n", Flaw::Blank),
        ("0123456789abcdef\r\n\n", Flaw::Blank),
        ("\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"", Flaw::Quoted),
        ("{{ .Values.signingKey }}", Flaw::Placeholder { opening: "{{", closing: "}}" }),
    ] {
        assert_eq!(HmacKey::parse_classic(file.as_bytes()).unwrap_err(), KeyError::Flawed(flaw), "{file:?}");
    }
    for file in [&b"\xef\xbb\xbf\x000123456789abcdef "[..], b"0123456789abcdef\"", b"\x7f23456789abcdef\xa0\x20"] {
        assert!(HmacKey::parse_classic(file).is_ok(), "{file:?}");
    }
}

#[test]
fn a_fingerprint_separates_its_domain_and_shows_nothing_else() {
    // printf 'postern.dev/signing-key\n0123456789abcdef' | sha256sum | cut -c 1-8
    let key = HmacKey::parse_classic(b"0123456789abcdef").unwrap();
    assert_eq!(key.fingerprint().as_str(), "sha256:f39a909f");
    assert_eq!(format!("{key:?}"), "HmacKey(sha256:f39a909f)");
}

#[test]
fn reads_no_fingerprint_but_its_own_form() {
    for text in ["", "sha256:", "sha256:9f86d08", "sha256:9f86d0811", "sha256:9F86D081", "md5:9f86d081"] {
        assert!(Fingerprint::try_from(text.to_owned()).is_err(), "{text:?}");
    }
    assert!(Fingerprint::try_from("sha256:9f86d081".to_owned()).is_ok());
}

#[test]
fn generated_keys_are_read_back_and_differ() {
    let hmac = SigningKey::generate_hmac().unwrap();
    let ed25519 = SigningKey::generate_ed25519().unwrap();
    assert!(matches!(SigningKey::parse(hmac.as_bytes()), Ok(SigningKey::Hmac(_))));
    assert!(matches!(SigningKey::parse(ed25519.as_bytes()), Ok(SigningKey::Ed25519(_))));
    assert_ne!(hmac, SigningKey::generate_hmac().unwrap());
    assert_ne!(ed25519, SigningKey::generate_ed25519().unwrap());
}

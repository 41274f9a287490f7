//! The strings that must appear nowhere, and the forms in which one might appear: unchanged, escaped, or encoded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// The strings to look for. The canary of each input is looked for in all its forms.
#[derive(Default)]
pub struct Canaries(BTreeMap<Vec<u8>, Sought>);

/// A form of a canary.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sought {
    /// The input that the canary belongs to: `the path of redirected`.
    pub input: String,
    pub form: &'static str,
}

impl Canaries {
    /// Plants a word for an input: 20 letters and digits, which are never escaped in JSON, in URLs or in shells.
    pub fn word(&mut self, input: &str) -> String {
        let alphabet = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let word = bytes::<20>(input).map(|byte| char::from(alphabet[usize::from(byte) % alphabet.len()]));
        self.text(input, word.iter().collect())
    }

    /// Plants a text that the test chooses.
    pub fn text(&mut self, input: &str, text: String) -> String {
        self.seek(input, "text", text.clone().into());
        self.seek(input, "JSON", serde_json::to_string(&text).unwrap().trim_matches('"').into());
        self.seek(input, "percent-encoded text", percent_encoded(&text).into());
        self.bytes(input, text.as_bytes());
        text
    }

    /// Plants a signing key of this many bytes, with its prefix.
    pub fn key<const N: usize>(&mut self, input: &str, prefix: &str) -> String {
        let key = format!("{prefix}_{}", STANDARD.encode(bytes::<N>(input)));
        self.known_key(input, &key);
        key
    }

    /// Looks for a signing key, and also for its beginning and its end, since a masked key shows those.
    pub fn known_key(&mut self, input: &str, key: &str) {
        let (prefix, digits) = key.split_once('_').unwrap();
        let mut bytes = STANDARD.decode(digits).unwrap();
        if prefix == "whsk" {
            // After the first 32 bytes may come its public key.
            bytes.truncate(32);
        } else {
            self.text(&format!("the end of {input}"), digits[digits.len() - 12..].into());
        }
        self.text(&format!("the beginning of {input}"), digits[..12].into());
        self.text(input, digits.into());
        self.bytes(input, &bytes);
    }

    /// Plants a private key in PEM: each of its lines.
    pub fn pem(&mut self, input: &str, pem: String) -> String {
        for line in pem.lines().filter(|line| !line.starts_with("-----")) {
            self.text(input, line.into());
            self.bytes(input, &STANDARD.decode(line).unwrap());
        }
        pem
    }

    /// Looks for bytes in the forms in which bytes are written.
    pub fn bytes(&mut self, input: &str, bytes: &[u8]) {
        for offset in 0..3 {
            self.seek(input, "base64", aligned(&STANDARD_NO_PAD, bytes, offset).into());
            self.seek(input, "URL-safe base64", aligned(&URL_SAFE_NO_PAD, bytes, offset).into());
        }
        let hex = hex(bytes);
        self.seek(input, "hex in capitals", hex.to_uppercase().into());
        self.seek(input, "hex", hex.into());
        let numbers = format!("{bytes:?}");
        let numbers = numbers.trim_matches(['[', ']']);
        self.seek(input, "numbers", numbers.into());
        self.seek(input, "JSON numbers", numbers.replace(' ', "").into());
    }

    fn seek(&mut self, input: &str, form: &'static str, needle: Vec<u8>) {
        assert!(needle.len() >= 8, "{input} as {form} would be found everywhere: {needle:?}");
        // Some inputs have forms in common.
        self.0.entry(needle).or_insert_with(|| Sought { input: input.into(), form });
    }

    /// How many strings are looked for.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// A finder of all of them in one pass.
    pub fn finder(&self) -> Finder {
        let sought = self.0.values().cloned().collect();
        Finder { needles: AhoCorasick::new(self.0.keys()).unwrap(), sought }
    }
}

/// Finds canaries.
pub struct Finder {
    needles: AhoCorasick,
    sought: Vec<Sought>,
}

impl Finder {
    pub fn find(&self, haystack: &[u8]) -> BTreeSet<&Sought> {
        self.needles.find_overlapping_iter(haystack).map(|found| &self.sought[found.pattern().as_usize()]).collect()
    }
}

/// Bytes that appear nowhere else: the hash of an input's name.
fn bytes<const N: usize>(input: &str) -> [u8; N] {
    Sha256::digest(input)[..N].try_into().unwrap()
}

/// The base64 digits that depend only on these bytes, when this many bytes (modulo 3) come before them.
fn aligned(engine: &impl base64::Engine, bytes: &[u8], offset: usize) -> String {
    let digits = engine.encode([&vec![0; offset], bytes].concat());
    let (begin, end) = ((offset * 8).div_ceil(6), (offset + bytes.len()) * 8 / 6);
    digits[begin..end].into()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn percent_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[test]
fn a_canary_is_found_in_every_form_in_which_it_would_show() {
    let mut canaries = Canaries::default();
    let word = canaries.word("word");
    canaries.text("text", "a \"text\" with/all+sorts=".into());
    let key = canaries.key::<24>("key", "whsec");
    let raw = STANDARD.decode(key.strip_prefix("whsec_").unwrap()).unwrap();
    let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
    canaries.pem("pem", pem.clone());
    let finder = canaries.finder();

    let shown = [
        ("word", word.clone()),
        ("word", format!("https://user:{word}@host/")),
        ("word", STANDARD.encode(format!(r#"{{"url":"{word}"}}"#))),
        ("word", STANDARD.encode(format!(r#"{{"urls":"{word}"}}"#))),
        ("word", STANDARD.encode(format!(r#"{{"a url":"{word}"}}"#))),
        ("word", format!("{:?}", word.as_bytes())),
        ("word", serde_json::to_string(word.as_bytes()).unwrap()),
        ("text", r#"{"x":"a \"text\" with/all+sorts="}"#.into()),
        ("text", "a+%22text%22+with%2Fall%2Bsorts%3D".into()),
        ("key", key.clone()),
        ("key", hex(&raw)),
        ("key", hex(&raw).to_uppercase()),
        ("key", URL_SAFE_NO_PAD.encode([b"..", &raw[..]].concat())),
        ("key", STANDARD.encode(&key)),
        ("the beginning of key", format!("{}…", &key[..18])),
        ("the end of key", format!("…{}", &key[key.len() - 12..])),
        ("pem", pem.lines().nth(1).unwrap().into()),
        ("pem", STANDARD.encode(&pem)),
    ];
    for (input, text) in shown {
        let found = finder.find(text.as_bytes());
        assert!(found.iter().any(|found| found.input == input), "{input} in {text}: {found:?}");
    }
    assert_eq!(finder.find(format!("{} {}", &word[1..], &key[..6]).as_bytes()), BTreeSet::new());
}

//! Keys are wiped: after they are dropped, the process's memory has nothing left of them. All memory is searched except the
//! stack, for which nothing is promised.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::ptr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postern::signing::{
    ClassicOptions, DeliveryId, Encoding, HmacKey, KeyError, Payload, Signer, SigningKey, VerifyingKey,
};
use sha2::block_api::compress256;
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

const NOTHING: [&str; 0] = [];

/// A piece of a secret. It is kept with its bits inverted: otherwise the search would find its own copy.
struct Piece {
    of: &'static str,
    inverted: u128,
    /// Whether a key holds it as long as it lives.
    is_held: bool,
}

impl Piece {
    /// The second 16 bytes of the secret: the allocator overwrites the first 16 when they are freed.
    fn new(of: &'static str, secret: &[u8], is_held: bool) -> Self {
        Self { of, inverted: !u128::from_be_bytes(secret[16..32].try_into().unwrap()), is_held }
    }
}

/// The memory of this process, except for the part of this thread's stack below an address. The search allocates no memory, which
/// might be the memory that was just freed.
struct Memory {
    stack: usize,
    maps: File,
    mem: File,
    text: String,
}

impl Memory {
    fn without_the_stack_below(local: &u8) -> Self {
        let [maps, mem] = ["/proc/self/maps", "/proc/self/mem"].map(|path| File::open(path).unwrap());
        Self { stack: ptr::from_ref(local).addr(), maps, mem, text: String::with_capacity(256 * 1024) }
    }

    /// The secrets of which a piece is found, once for each time that it is found.
    #[inline(never)]
    fn find(&mut self, pieces: &[Piece]) -> Vec<&'static str> {
        let mut is_last = [false; 256];
        for piece in pieces {
            is_last[usize::from(!piece.inverted.to_be_bytes()[15])] = true;
        }
        self.text.clear();
        self.maps.rewind().unwrap();
        self.maps.read_to_string(&mut self.text).unwrap();
        let mut found = vec![];
        for line in self.text.lines().filter(|line| line.contains(" rw")) {
            let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
            let [mut at, end] = [start, end].map(|address| usize::from_str_radix(address, 16).unwrap());
            if (at..end).contains(&self.stack) {
                at = self.stack;
            }
            // On the stack, so that it isn't found a second time.
            let (mut window, mut last_16_bytes) = ([0; 16 * 1024], 0);
            while at < end {
                let wanted = window.len().min(end - at);
                let read = self.mem.read_at(&mut window[..wanted], at as u64).unwrap();
                for byte in &window[..read] {
                    last_16_bytes = last_16_bytes << 8 | u128::from(*byte);
                    if is_last[usize::from(*byte)] {
                        let here = pieces.iter().filter(|piece| piece.inverted == !last_16_bytes);
                        found.extend(here.map(|piece| piece.of));
                    }
                }
                at += read;
            }
        }
        found
    }

    /// Pieces that a key holds must be found now: otherwise a search that sees nothing would pass every test.
    fn assert_holds(&mut self, pieces: &[Piece]) {
        let found = self.find(pieces);
        for piece in pieces.iter().filter(|piece| piece.is_held) {
            assert!(found.contains(&piece.of), "{} is there and isn't found", piece.of);
        }
    }
}

/// The state of HMAC-SHA256 after a key and one of its pads (RFC 2104, section 4). It is as sensitive as the key.
fn state(key: &[u8], pad: u8) -> [u8; 32] {
    let mut block = [pad; 64];
    for (byte, key) in block.iter_mut().zip(key) {
        *byte ^= key;
    }
    // SHA-256's initial state (FIPS 180-4, section 5.3.3).
    let mut state =
        [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
    compress256(&mut state, &[block]);
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}

fn of_hmac(key: &[u8]) -> Vec<Piece> {
    vec![
        Piece::new("an HMAC key", key, false),
        Piece::new("an HMAC key's inner state", &state(key, 0x36), true),
        Piece::new("an HMAC key's outer state", &state(key, 0x5c), true),
    ]
}

fn of_ed25519(seed: &[u8]) -> Vec<Piece> {
    vec![
        Piece::new("an ed25519 key", seed, true),
        // RFC 8032, section 5.1.6: whoever knows it can compute the private key from a signature.
        Piece::new("an ed25519 key's prefix", &Sha512::digest(seed)[32..], false),
    ]
}

fn of_text(text: &str) -> Vec<Piece> {
    let mut bytes = [0; 66];
    let (prefix, digits) = text.split_once('_').unwrap();
    let length = STANDARD.decode_slice(digits, &mut bytes).unwrap();
    let mut pieces = if prefix == "whsec" { of_hmac(&bytes[..length]) } else { of_ed25519(&bytes[..32]) };
    pieces.push(Piece::new("a key as text", text.as_bytes(), false));
    pieces
}

#[inline(never)]
fn sign_with_several_keys(memory: &mut Memory) -> Vec<Piece> {
    let pair = || [SigningKey::generate_hmac().unwrap(), SigningKey::generate_ed25519().unwrap()];
    // Enough keys that the list grows, which copies them.
    let texts: Vec<_> = [pair(), pair(), pair()].into_iter().flatten().collect();
    let pieces = texts.iter().flat_map(|text| of_text(text)).collect::<Vec<_>>();
    let keys: Result<Vec<_>, _> = texts.iter().map(|text| SigningKey::parse(text.as_bytes())).collect();
    let signer = Signer::standard_webhooks(keys.unwrap()).unwrap();
    assert_eq!(signer.sign(&DeliveryId::of_schedule("uid", 1), 2, b"{}").len(), 3);
    memory.assert_holds(&pieces);
    pieces
}

#[inline(never)]
fn sign_and_verify_with_a_classic_key(memory: &mut Memory) -> Vec<Piece> {
    let mut raw = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *raw).unwrap();
    // A trailing line end would not be part of the key.
    raw[31] = 0xff;
    let pieces = of_hmac(&*raw);
    let key = HmacKey::parse_classic(&*raw).unwrap();
    assert!(key.verify(b"{}", &key.sign(&[b"{}"])));
    let options = ClassicOptions { header: "x".into(), prefix: String::new(), payload: Payload::Body };
    let signer = Signer::classic(vec![key], Encoding::Hex, options).unwrap();
    assert_eq!(signer.sign(&DeliveryId::of_schedule("uid", 1), 2, b"{}").len(), 1);
    memory.assert_holds(&pieces);
    pieces
}

#[inline(never)]
fn refuse_keys() -> Vec<Piece> {
    let [hmac, ed25519] = [SigningKey::generate_hmac().unwrap(), SigningKey::generate_ed25519().unwrap()];
    let pieces = [of_text(&hmac), of_text(&ed25519)].into_iter().flatten().collect();
    let begun = hmac.trim_end_matches('=');
    let spoilt = Zeroizing::new([begun, &"A".repeat(20), "-"].concat());
    let too_long = Zeroizing::new([begun, &"A".repeat(45)].concat());
    let mut mixed = ed25519.clone();
    let other = if mixed[60..].starts_with('A') { "B" } else { "A" };
    mixed.replace_range(60..61, other);
    for (text, error) in
        [(&spoilt, KeyError::NotBase64), (&too_long, KeyError::HmacLength(66)), (&mixed, KeyError::Ed25519Mismatch)]
    {
        assert_eq!(SigningKey::parse(text.as_bytes()).unwrap_err(), error);
    }
    assert!(HmacKey::parse_classic(ed25519.as_bytes()).is_err());
    assert!(VerifyingKey::parse(ed25519.as_bytes()).is_ok());
    pieces
}

#[inline(never)]
fn drop_without_wiping() -> Vec<Piece> {
    let mut raw = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *raw).unwrap();
    let copy = raw.to_vec();
    let pieces = vec![Piece::new("a copy", &*raw, true)];
    drop(copy);
    pieces
}

/// One test for everything: another thread would change the memory during the search.
#[test]
fn nothing_is_left_of_keys_that_were_dropped() {
    let local = 0;
    let mut memory = Memory::without_the_stack_below(&local);

    let pieces = drop_without_wiping();
    assert_eq!(memory.find(&pieces), ["a copy"], "what was freed and not wiped is found");

    let pieces = sign_with_several_keys(&mut memory);
    assert_eq!(memory.find(&pieces), NOTHING, "after keys signed");

    let pieces = sign_and_verify_with_a_classic_key(&mut memory);
    assert_eq!(memory.find(&pieces), NOTHING, "after a classic key signed");

    let pieces = refuse_keys();
    assert_eq!(memory.find(&pieces), NOTHING, "after keys were refused");
}

//! The id of a delivery.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const PREFIX: &str = "msg_";
const DOMAIN: &[u8] = b"postern.dev/delivery-id\n";
/// 128 bits, so that no two deliveries share an id by chance.
const HASH_BYTES: usize = 16;
/// The longest id that is read: the prefix and 64 letters or digits.
const MAX_LEN: usize = 68;

/// The id by which a receiver knows a delivery: the same for every attempt at one scheduled time, and for no other delivery.
///
/// It is `msg_` and 1 to 64 ASCII letters and digits. In particular it has no full stop, so the signed content
/// `id.timestamp.body` has only one reading.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryId(String);

/// The text is not an id: `msg_` and 1 to 64 ASCII letters and digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a delivery id is `msg_` and 1 to 64 ASCII letters and digits")]
pub struct InvalidDeliveryId;

impl DeliveryId {
    /// The id of the schedule's delivery at a scheduled time, in Unix seconds.
    ///
    /// It is `msg_` and the first 32 hex digits (128 bits) of SHA-256(`postern.dev/delivery-id` LF uid LF decimal seconds). The
    /// UID is random, so a receiver can neither learn it from an id nor predict the next id.
    #[must_use]
    pub fn of_schedule(uid: &str, scheduled_time: u64) -> DeliveryId {
        DeliveryId::of(uid, &scheduled_time.to_string())
    }

    /// The id of a delivery that somebody asked for with a value of the annotation `postern.dev/trigger`. `previous` is the id of
    /// the triggered delivery before it, if there was one. It is made like the id for a scheduled time, from `trigger=`, the
    /// previous id, LF and the value: so it never equals the id of a scheduled time, and a value that is set again gives a new
    /// id.
    #[must_use]
    pub fn of_trigger(uid: &str, previous: Option<&str>, value: &str) -> DeliveryId {
        DeliveryId::of(uid, &format!("trigger={}\n{value}", previous.unwrap_or_default()))
    }

    fn of(uid: &str, occasion: &str) -> DeliveryId {
        let hash = Sha256::new().chain_update(DOMAIN).chain_update(uid).chain_update("\n").chain_update(occasion);
        DeliveryId(format!("{PREFIX}{}", hex(&hash.finalize()[..HASH_BYTES])))
    }

    /// The id as receivers see it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for DeliveryId {
    type Error = InvalidDeliveryId;

    fn try_from(text: String) -> Result<DeliveryId, InvalidDeliveryId> {
        let rest = text.strip_prefix(PREFIX).ok_or(InvalidDeliveryId)?;
        let well_formed = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if well_formed && text.len() <= MAX_LEN { Ok(DeliveryId(text)) } else { Err(InvalidDeliveryId) }
    }
}

impl From<DeliveryId> for String {
    fn from(id: DeliveryId) -> String {
        id.0
    }
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "6d3f2b54-9a0e-4c55-8c62-0e7b0f5f5a11";

    #[test]
    fn is_the_same_for_one_scheduled_time_and_differs_for_any_other() {
        let id = DeliveryId::of_schedule(UID, 1_764_728_640);
        assert_eq!(id, DeliveryId::of_schedule(UID, 1_764_728_640));
        assert_ne!(id, DeliveryId::of_schedule(UID, 1_764_728_700));
        assert_ne!(id, DeliveryId::of_schedule("another", 1_764_728_640));
    }

    #[test]
    fn is_built_as_documented() {
        // printf 'postern.dev/delivery-id\n%s\n%s' UID 1764728640 | sha256sum | cut -c 1-32
        let id = DeliveryId::of_schedule(UID, 1_764_728_640);
        assert_eq!(id.as_str(), "msg_8c7dcf0c258c3197eafa7d657d1aee4e");
    }

    #[test]
    fn of_a_trigger_is_that_of_its_value_and_of_the_trigger_before() {
        let first = DeliveryId::of_trigger(UID, None, "now");
        assert_eq!(first, DeliveryId::of_trigger(UID, None, "now"));
        let others = [
            DeliveryId::of_trigger(UID, None, "later"),
            DeliveryId::of_trigger("another", None, "now"),
            DeliveryId::of_trigger(UID, Some(first.as_str()), "now"),
        ];
        assert!(others.iter().all(|other| *other != first), "{others:?}");
    }

    #[test]
    fn reads_back_what_it_writes() {
        let id = DeliveryId::of_schedule(UID, 0);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<DeliveryId>(&json).unwrap(), id);
    }

    #[test]
    fn refuses_what_could_make_the_signed_content_ambiguous() {
        for text in ["", "msg_", "msg_a.b", "msg_a b", "msg_ä", "evt_1", "MSG_1", "msg_a\n"] {
            assert_eq!(DeliveryId::try_from(text.to_owned()), Err(InvalidDeliveryId), "{text:?}");
        }
        assert!(DeliveryId::try_from(format!("msg_{}", "a".repeat(64))).is_ok());
        assert!(DeliveryId::try_from(format!("msg_{}", "a".repeat(65))).is_err());
    }
}

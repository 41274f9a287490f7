//! `H`: a number picked from the schedule's UID. So many schedules with the same expression spread over the hour, the day and the
//! month.
//!
//! As in Jenkins, each `H` of an expression is picked on its own, and an `H` without a range picks a day of the month from 1 to
//! 28, so that every month has it. The numbers must never change: a release that moved every schedule would deliver all of them
//! twice or not at all on that day. The test `stays_the_same_for_ever` checks some of them.

use sha2::{Digest as _, Sha256};

/// Keeps these hashes apart from all others that are made from a UID.
const DOMAIN: &str = "postern.dev/cron/H";

/// The place of an `H`, which decides its value together with the UID.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The index of the field, from 0 (minute) to 4 (day of week).
    pub(super) field: u8,
    /// How many `H`s come before it in the same field.
    pub(super) nth: u8,
}

/// A number below `count`, picked from the UID and the place. It is SHA-256 over domain, UID, field and `nth`, with a zero byte
/// after each of the two texts; the first eight bytes, read as a big-endian number, are taken modulo `count`.
#[expect(clippy::cast_possible_truncation, reason = "a remainder of a u8")]
pub(super) fn pick(uid: &str, place: Place, count: u8) -> u8 {
    let mut hash = Sha256::new();
    for text in [DOMAIN, uid] {
        hash.update(text);
        hash.update([0]);
    }
    hash.update([place.field, place.nth]);
    let number = hash.finalize().iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte));
    (number % u64::from(count)) as u8
}

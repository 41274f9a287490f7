//! The limits of the contract, in one place: the CRD, the sender and the documentation agree on them.

use std::ops::RangeInclusive;

/// The largest `delivery.json`, in bytes: the limit for all annotations of an object together.
pub const MAX_DELIVERY_BYTES: usize = 262_144;
/// The largest header value, and the largest file of a URL, a header's value or a signing key, in bytes. The guard has a lower
/// limit for URLs.
pub const MAX_VALUE_BYTES: usize = 8_192;
/// The largest CA bundle, client certificate chain or client key, in bytes.
pub const MAX_PEM_BYTES: usize = 1_048_576;
/// The largest body that a tier may allow, in bytes.
pub const MAX_BODY_BYTES: usize = 1_048_576;
/// The most headers that a tenant may set.
pub const MAX_HEADERS: usize = 32;
/// The most signing keys: the one in use and those being retired, for both kinds of keys.
pub const MAX_KEYS: usize = 8;
/// The most addresses that a sender must fail to reach before it sends anything.
pub const MAX_KNOWN_CLOSED: usize = 8;
/// The range of attempts.
pub const ATTEMPTS: RangeInclusive<u32> = 1..=20;
/// The range of an attempt's timeout, in seconds: from the look-up to the end of the response's headers.
pub const TIMEOUT_SECONDS: RangeInclusive<u32> = 1..=60;
/// The range of the waits between attempts, in seconds.
pub const BACKOFF_SECONDS: RangeInclusive<u32> = 0..=3_600;
/// The range of the time for the whole delivery, waits included, in seconds.
pub const TOTAL_DEADLINE_SECONDS: RangeInclusive<u32> = 1..=21_600;
/// The largest offset within the minute, in seconds.
pub const MAX_OFFSET_SECONDS: u32 = 59;
/// The longest lead, in seconds: how long before a delivery is due its Job may be made.
pub const MAX_LEAD_SECONDS: u32 = 30;
/// The longest wait that a receiver's `Retry-After` can ask for, in seconds; longer ones are shortened to this.
pub const MAX_RETRY_AFTER_SECONDS: u64 = 3_600;
/// How far the clock that made the Job may be ahead of the sender's, in seconds. The sender waits until the time has come.
pub const CLOCK_TOLERANCE_SECONDS: u64 = 5;
/// The largest outcome, in bytes: the most that Kubernetes keeps of a termination message.
pub const MAX_OUTCOME_BYTES: usize = 4_096;

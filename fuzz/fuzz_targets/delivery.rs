//! The readers of the contract: `delivery.json`, which the operator writes, and outcomes, which anybody may write.
//! What is read must hold to the contract's limits, and be read again as it is written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postern::delivery::{Delivery, MAX_OUTCOME_BYTES, Outcome};

fuzz_target!(|data: &[u8]| {
    if let Ok(delivery) = Delivery::parse(data) {
        let json = serde_json::to_vec(&delivery).expect("a delivery can be written");
        delivery.validate().expect("what was read holds to its limits");
        Delivery::parse(&json).expect("what was written can be read");
    }
    if let Ok(outcome) = Outcome::parse(data) {
        let json = outcome.to_json();
        assert!(json.len() <= MAX_OUTCOME_BYTES);
        assert_eq!(Outcome::parse(json.as_bytes()), Ok(outcome));
    }
});

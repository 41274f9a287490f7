//! Keys, signature schemes and delivery ids.

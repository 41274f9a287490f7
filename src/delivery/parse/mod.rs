//! Reading `delivery.json`: input that breaks a limit of the contract never becomes a [`Delivery`].

use serde::Deserialize;

use super::{Delivery, HeaderNameRefused, MAX_DELIVERY_BYTES};

/// Why a `delivery.json` can't be used: the field and what it allows, never the field's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryInvalid {
    /// It is larger than [`MAX_DELIVERY_BYTES`].
    #[error("delivery.json has more than {MAX_DELIVERY_BYTES} bytes")]
    TooLarge,
    /// It has another version than [`Delivery::VERSION`].
    #[error("delivery.json has version {0} and this sender reads version 1: use the sender of the operator's release")]
    Version(u32),
    /// It is not JSON, or a field is missing, unknown or of the wrong type.
    #[error("delivery.json is malformed at line {line}, column {column}")]
    Malformed {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A header that the tenant can't set, or whose name is malformed.
    #[error("{field}: {refused}")]
    Header {
        /// The field's path.
        field: String,
        /// Why the name was refused.
        refused: HeaderNameRefused,
    },
    /// A field breaks a limit.
    #[error("{field}: {problem}")]
    Field {
        /// The field's path.
        field: String,
        /// What the field allows.
        problem: String,
    },
}

impl Delivery {
    /// The version that this build writes and reads.
    pub const VERSION: u32 = 1;

    /// Reads a `delivery.json`.
    ///
    /// # Errors
    /// When it is too large, of another version, malformed, or a field breaks a limit.
    pub fn parse(json: &[u8]) -> Result<Delivery, DeliveryInvalid> {
        /// The version is read first, so that a wrong version is reported before unknown fields.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }

        if json.len() > MAX_DELIVERY_BYTES {
            return Err(DeliveryInvalid::TooLarge);
        }
        let Versioned { version } = serde_json::from_slice(json).map_err(|error| malformed(&error))?;
        if version != Delivery::VERSION {
            return Err(DeliveryInvalid::Version(version));
        }
        let delivery: Delivery = serde_json::from_slice(json).map_err(|error| malformed(&error))?;
        delivery.validate()?;
        Ok(delivery)
    }
}

/// Keeps only the position: serde's own message quotes the input.
fn malformed(error: &serde_json::Error) -> DeliveryInvalid {
    DeliveryInvalid::Malformed { line: error.line(), column: error.column() }
}

#[cfg(test)]
mod tests;

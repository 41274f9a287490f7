//! Reading `delivery.json`: nothing that breaks a limit of the contract becomes a [`Delivery`].

use serde::Deserialize;

use super::{Delivery, HeaderNameRefused, MAX_DELIVERY_BYTES};

/// Why a `delivery.json` can't be used: the field and what it allows, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryInvalid {
    /// Larger than [`MAX_DELIVERY_BYTES`].
    #[error("delivery.json has more than {MAX_DELIVERY_BYTES} bytes")]
    TooLarge,
    /// Another version than [`Delivery::VERSION`].
    #[error("delivery.json has version {0} and this sender reads version 1: use the sender of the operator's release")]
    Version(u32),
    /// No JSON, or a field is missing, unknown or of another kind.
    #[error("delivery.json is malformed at line {line}, column {column}")]
    Malformed {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A header that the tenant can't set, or that is none.
    #[error("{field}: {refused}")]
    Header {
        /// Its path.
        field: String,
        /// Why.
        refused: HeaderNameRefused,
    },
    /// A field breaks a limit.
    #[error("{field}: {problem}")]
    Field {
        /// Its path.
        field: String,
        /// What it allows.
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
        /// Read first, so that another version is named before its fields are found unknown.
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

/// The position only: serde's own message quotes the input.
fn malformed(error: &serde_json::Error) -> DeliveryInvalid {
    DeliveryInvalid::Malformed { line: error.line(), column: error.column() }
}

#[cfg(test)]
mod tests;

//! Quantities of resources, in the canonical form in which the API server stores them.
//!
//! The API server stores `1000m` as `1` and `1024Mi` as `1Gi`. A CronJob built with the former would always differ from the
//! stored one, and would be written again and again. The form is that of `CanonicalizeBytes` in
//! `k8s.io/apimachinery/pkg/api/resource`: the largest suffix that leaves the number whole.

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Suffixes from the smallest to the largest, and the factor between neighbours.
type Suffixes = (u128, &'static [&'static str]);

const DECIMAL: Suffixes = (1_000, &["m", "", "k", "M", "G", "T", "P", "E"]);
const BINARY: Suffixes = (1_024, &["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]);
/// Kubernetes' largest whole quantity.
const MAX: u128 = i64::MAX.cast_unsigned() as u128;

/// Why a quantity is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityRefused {
    /// It isn't written as expected.
    #[error(
        "{value:?} is not a whole number with one of the suffixes m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or none: \
         write {instead}"
    )]
    NotWhole {
        /// As it was written.
        value: String,
        /// How to write it, or an example.
        instead: String,
    },
    /// It exceeds Kubernetes' largest quantity.
    #[error("{0:?} is more than 9223372036854775807 (8Ei less 1): write less")]
    TooLarge(String),
}

/// Converts all quantities to their canonical form.
///
/// # Errors
/// The first quantity that can't be converted, with its path in the resources.
pub(super) fn canonicalize(resources: &mut ResourceRequirements) -> Result<(), (String, QuantityRefused)> {
    let ResourceRequirements { requests, limits, claims: _ } = resources;
    for (kind, quantities) in [("requests", requests), ("limits", limits)] {
        for (name, quantity) in quantities.iter_mut().flatten() {
            *quantity = canonical(&quantity.0).map(Quantity).map_err(|refused| (format!("{kind}.{name}"), refused))?;
        }
    }
    Ok(())
}

fn canonical(value: &str) -> Result<String, QuantityRefused> {
    let refused = |instead: String| QuantityRefused::NotWhole { value: value.into(), instead };
    let end = value.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(value.len());
    let (number, suffix) = value.split_at(end);
    let Some((suffixes, place)) = suffixes_with(suffix) else {
        return Err(refused(EXAMPLE.into()));
    };
    let Some((whole, fraction)) = number.split_once('.') else {
        if number.is_empty() {
            return Err(refused(EXAMPLE.into()));
        }
        let number = number.parse().map_err(|_| QuantityRefused::TooLarge(value.into()))?;
        return shortest(number, place, suffixes).ok_or_else(|| QuantityRefused::TooLarge(value.into()));
    };
    let instead = without_fraction(whole, fraction, place, suffixes);
    Err(refused(instead.unwrap_or_else(|| EXAMPLE.into())))
}

const EXAMPLE: &str = "500m or 64Mi, for example";

/// The group of suffixes that contains this one, and its position there.
fn suffixes_with(suffix: &str) -> Option<(Suffixes, usize)> {
    let place = |suffixes: Suffixes| Some((suffixes, suffixes.1.iter().position(|other| *other == suffix)?));
    place(DECIMAL).or_else(|| place(BINARY))
}

/// The number with the largest suffix that leaves it whole.
fn shortest(mut number: u64, mut place: usize, suffixes: Suffixes) -> Option<String> {
    let (base, names) = suffixes;
    let units = u128::from(number).checked_mul(base.checked_pow(u32::try_from(place).ok()?)?)?;
    // The smallest decimal unit is a thousandth.
    if units > if names[0] == "m" { MAX * base } else { MAX } {
        return None;
    }
    if number == 0 {
        return Some("0".into());
    }
    let base = u64::try_from(base).ok()?;
    while number.is_multiple_of(base) && place + 1 < names.len() {
        number /= base;
        place += 1;
    }
    Some(format!("{number}{}", names[place]))
}

/// The same number with a smaller suffix, so that it has no fraction.
fn without_fraction(whole: &str, fraction: &str, mut place: usize, suffixes: Suffixes) -> Option<String> {
    let parts = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let mut number: u128 = format!("{whole}{fraction}").parse().ok()?;
    while !number.is_multiple_of(parts) && place > 0 {
        number = number.checked_mul(suffixes.0)?;
        place -= 1;
    }
    if !number.is_multiple_of(parts) {
        return None;
    }
    shortest(u64::try_from(number / parts).ok()?, place, suffixes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are those of `Quantity.String` in Kubernetes' apimachinery 0.37, after it has parsed the first.
    #[test]
    fn writes_a_quantity_as_the_api_server_keeps_it() {
        for (written, kept) in [
            ("0", "0"),
            ("0m", "0"),
            ("00Mi", "0"),
            ("1", "1"),
            ("100m", "100m"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("10000m", "10"),
            ("1000000m", "1k"),
            ("10", "10"),
            ("1024", "1024"),
            ("2000", "2k"),
            ("134217728", "134217728"),
            ("1000M", "1G"),
            ("1000T", "1P"),
            ("9E", "9E"),
            ("8Mi", "8Mi"),
            ("1000Mi", "1000Mi"),
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("1048576Ki", "1Gi"),
            ("8191Pi", "8191Pi"),
            ("9223372036854775807", "9223372036854775807"),
        ] {
            assert_eq!(canonical(written).as_deref(), Ok(kept), "{written}");
            assert_eq!(canonical(kept).as_deref(), Ok(kept), "{kept}");
        }
    }

    #[test]
    fn says_how_to_write_what_is_not_a_whole_number() {
        for (written, instead) in [
            ("0.5", "500m"),
            ("1.0", "1"),
            ("2.", "2"),
            (".25", "250m"),
            ("1.5Gi", "1536Mi"),
            ("0.5k", "500"),
            ("0.1Gi", EXAMPLE),
            ("0.0001", EXAMPLE),
            ("1e3", EXAMPLE),
            ("100u", EXAMPLE),
            ("-1", EXAMPLE),
            ("+1", EXAMPLE),
            ("64MB", EXAMPLE),
            ("64 Mi", EXAMPLE),
            ("Mi", EXAMPLE),
            ("", EXAMPLE),
            (".", EXAMPLE),
            ("1.2.3", EXAMPLE),
            ("é", EXAMPLE),
        ] {
            let refused = QuantityRefused::NotWhole { value: written.into(), instead: instead.into() };
            assert_eq!(canonical(written), Err(refused), "{written}");
        }
    }

    #[test]
    fn refuses_more_than_a_signed_number_of_64_bits_holds() {
        for written in
            ["8Ei", "8192Pi", "10E", "9223372036854775808", "99999999999999999999999", "18446744073709551615E"]
        {
            assert_eq!(canonical(written), Err(QuantityRefused::TooLarge(written.into())));
        }
    }
}

//! The limits of the contract, field by field.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::{
    ATTEMPTS, BACKOFF_SECONDS, Body, Delivery, DeliveryInvalid, FileRef, Header, MAX_BODY_BYTES, MAX_HEADERS, MAX_KEYS,
    MAX_KNOWN_CLOSED, MAX_LEAD_SECONDS, MAX_OFFSET_SECONDS, MAX_VALUE_BYTES, Retries, Run, Schedule, Scheduled, Scheme,
    Signing, TIMEOUT_SECONDS, TOTAL_DEADLINE_SECONDS, Tls, ValueSource, check_header_name, is_header_value,
};
use crate::signing::ClassicOptions;

impl Delivery {
    /// Checks every field against its limits. The operator calls it before it writes a delivery.
    ///
    /// # Errors
    /// The first field that breaks a limit.
    pub fn validate(&self) -> Result<(), DeliveryInvalid> {
        // Without `..`, so that a new field must be handled here.
        let Delivery {
            version: _,
            schedule,
            run,
            url,
            method: _,
            headers,
            body,
            signing,
            tls,
            retries,
            egress: _,
            max_body_bytes,
            known_closed,
        } = self;
        validate_schedule(schedule)?;
        if let Run::Scheduled(timing) = run {
            validate_timing(*timing)?;
        }
        validate_file("url", url)?;
        validate_headers(headers)?;
        if let Some(body) = body {
            validate_body(body)?;
        }
        if let Some(signing) = signing {
            validate_signing(signing, headers)?;
        }
        validate_tls(tls)?;
        validate_retries(retries)?;
        in_range("maxBodyBytes", max_body_bytes, &(0..=MAX_BODY_BYTES))?;
        in_range("knownClosed", &known_closed.len(), &(0..=MAX_KNOWN_CLOSED))
    }
}

fn field<T>(field: impl Into<String>, problem: impl Display) -> Result<T, DeliveryInvalid> {
    Err(DeliveryInvalid::Field { field: field.into(), problem: problem.to_string() })
}

fn in_range<T: PartialOrd + Display>(name: &str, value: &T, range: &RangeInclusive<T>) -> Result<(), DeliveryInvalid> {
    if range.contains(value) {
        return Ok(());
    }
    field(name, format_args!("must be between {} and {}", range.start(), range.end()))
}

/// Names become part of messages and bodies, so they may have only what Kubernetes allows in a name.
fn validate_name(name: &str, value: &str, longest: usize) -> Result<(), DeliveryInvalid> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if (1..=longest).contains(&value.len()) && value.bytes().all(plain) {
        return Ok(());
    }
    field(name, format_args!("must be 1 to {longest} letters, digits, hyphens, full stops or underscores"))
}

fn validate_schedule(schedule: &Schedule) -> Result<(), DeliveryInvalid> {
    let Schedule { name, namespace, uid } = schedule;
    validate_name("schedule.name", name, 253)?;
    validate_name("schedule.namespace", namespace, 63)?;
    validate_name("schedule.uid", uid, 64)
}

fn validate_timing(timing: Scheduled) -> Result<(), DeliveryInvalid> {
    let Scheduled { starting_deadline_seconds: _, offset_seconds, lead_seconds } = timing;
    in_range("run.scheduled.offsetSeconds", &offset_seconds, &(0..=MAX_OFFSET_SECONDS))?;
    in_range("run.scheduled.leadSeconds", &lead_seconds, &(0..=MAX_LEAD_SECONDS))
}

fn validate_file(name: &str, file: &FileRef) -> Result<(), DeliveryInvalid> {
    let key = file.from.key_ref();
    validate_name(&format!("{name}.from.name"), &key.name, 253)?;
    validate_name(&format!("{name}.from.key"), &key.key, 253)?;
    let plain = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain)
    };
    if file.path.len() <= 256 && file.path.split('/').all(plain) {
        return Ok(());
    }
    field(format!("{name}.path"), "must be plain names joined by /, at most 256 bytes")
}

fn validate_header_name(field: String, name: &str) -> Result<(), DeliveryInvalid> {
    check_header_name(name).map_err(|refused| DeliveryInvalid::Header { field, refused })
}

fn validate_header_value(name: &str, value: &str) -> Result<(), DeliveryInvalid> {
    if value.len() <= MAX_VALUE_BYTES && is_header_value(value.as_bytes()) {
        return Ok(());
    }
    field(name, format_args!("must be printable ASCII, at most {MAX_VALUE_BYTES} bytes"))
}

fn validate_headers(headers: &[Header]) -> Result<(), DeliveryInvalid> {
    in_range("headers", &headers.len(), &(0..=MAX_HEADERS))?;
    for (at, Header { name, value }) in headers.iter().enumerate() {
        validate_header_name(format!("headers[{at}].name"), name)?;
        match value {
            ValueSource::Inline(text) => {
                validate_header_value(&format!("headers[{at}].value"), text)?;
            }
            ValueSource::File(file) => validate_file(&format!("headers[{at}].value"), file)?,
        }
    }
    Ok(())
}

fn validate_body(body: &Body) -> Result<(), DeliveryInvalid> {
    let Body { content_type, source } = body;
    validate_header_value("body.contentType", content_type)?;
    if content_type.trim().is_empty() {
        return field("body.contentType", "must not be empty: name it, as application/json");
    }
    match source {
        // The sender compares its size with the tier's limit when it reads it, as it does for a file.
        ValueSource::Inline(_) => Ok(()),
        ValueSource::File(file) => validate_file("body.source", file),
    }
}

fn validate_signing(signing: &Signing, headers: &[Header]) -> Result<(), DeliveryInvalid> {
    let Signing { scheme, keys, classic } = signing;
    in_range("signing.keys", &keys.len(), &(1..=MAX_KEYS))?;
    for (at, key) in keys.iter().enumerate() {
        validate_file(&format!("signing.keys[{at}]"), key)?;
    }
    match (scheme, classic) {
        (Scheme::StandardWebhooks, None) => Ok(()),
        (Scheme::StandardWebhooks, Some(_)) => field("signing.classic", "belongs to the classic schemes: leave it out"),
        (Scheme::HmacSha256Hex | Scheme::HmacSha256Base64, None) => {
            field("signing.classic", "a classic scheme needs at least the header's name")
        }
        (Scheme::HmacSha256Hex | Scheme::HmacSha256Base64, Some(options)) => validate_classic(options, headers),
    }
}

fn validate_classic(options: &ClassicOptions, headers: &[Header]) -> Result<(), DeliveryInvalid> {
    let ClassicOptions { header, prefix, payload: _ } = options;
    validate_header_name("signing.classic.header".into(), header)?;
    if headers.iter().any(|set| set.name.eq_ignore_ascii_case(header)) {
        return field("signing.classic.header", "is set in headers too: leave it out there");
    }
    if prefix.len() <= 64 && prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    field("signing.classic.prefix", "must be at most 64 printable ASCII characters without blanks")
}

fn validate_tls(tls: &Tls) -> Result<(), DeliveryInvalid> {
    let Tls { ca_bundle, client_certificate } = tls;
    if let Some(file) = ca_bundle {
        validate_file("tls.caBundle", file)?;
    }
    if let Some(client) = client_certificate {
        validate_file("tls.clientCertificate.certificate", &client.certificate)?;
        validate_file("tls.clientCertificate.key", &client.key)?;
    }
    Ok(())
}

fn validate_retries(retries: &Retries) -> Result<(), DeliveryInvalid> {
    let Retries { attempts, timeout_seconds, backoff, total_deadline_seconds } = retries;
    in_range("retries.attempts", attempts, &ATTEMPTS)?;
    in_range("retries.timeoutSeconds", timeout_seconds, &TIMEOUT_SECONDS)?;
    in_range("retries.backoff.minSeconds", &backoff.min_seconds, &BACKOFF_SECONDS)?;
    in_range("retries.backoff.maxSeconds", &backoff.max_seconds, &(backoff.min_seconds..=*BACKOFF_SECONDS.end()))?;
    in_range("retries.totalDeadlineSeconds", total_deadline_seconds, &TOTAL_DEADLINE_SECONDS)
}

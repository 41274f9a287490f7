//! Placeholders in a body: a closed list, and nothing is evaluated.
//!
//! `{{name}}` stands for a value, and `{{{{` for two opening braces. Two opening braces followed by anything else are refused, so
//! that a misspelt placeholder is never sent. JSON has no two opening braces in a row outside its strings.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::files::Secret;
use crate::delivery::{Reason, Schedule, Timestamp};
use crate::sender::refusal::Refusal;
use crate::signing::DeliveryId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    ScheduledTime,
    DeliveryId,
    ScheduleName,
    Namespace,
    Attempt,
}

const NAMES: [(&[u8], Placeholder); 5] = [
    (b"scheduledTime}}", Placeholder::ScheduledTime),
    (b"deliveryId}}", Placeholder::DeliveryId),
    (b"scheduleName}}", Placeholder::ScheduleName),
    (b"namespace}}", Placeholder::Namespace),
    (b"attempt}}", Placeholder::Attempt),
];
const OPEN: &[u8] = b"{{";

enum Part {
    /// A range of the source.
    Literal(std::ops::Range<usize>),
    Value(Placeholder),
}

/// A body in which every placeholder is known.
pub(super) struct Template {
    source: Secret,
    parts: Vec<Part>,
    json: bool,
}

/// What the placeholders stand for.
#[derive(Clone, Copy)]
pub(super) struct Values<'v> {
    pub(super) scheduled_time: Timestamp,
    pub(super) id: &'v DeliveryId,
    pub(super) schedule: &'v Schedule,
    /// From 1.
    pub(super) attempt: u32,
}

impl Template {
    /// Finds the placeholders. Values will be escaped when the content type is JSON.
    pub(super) fn new(source: Secret, content_type: &str) -> Result<Template, Refusal> {
        let parts = parts(source.expose())?;
        Ok(Template { source, parts, json: is_json(content_type) })
    }

    /// The body with its values filled in. It is wiped when it is no longer needed; growing would leave copies behind.
    pub(super) fn fill_in(&self, values: &Values) -> Zeroizing<Vec<u8>> {
        let length = self.parts.iter().map(|part| self.bytes(part, values).len()).sum();
        let mut body = Zeroizing::new(Vec::with_capacity(length));
        for part in &self.parts {
            body.extend_from_slice(&self.bytes(part, values));
        }
        body
    }

    fn bytes(&self, part: &Part, values: &Values) -> Cow<'_, [u8]> {
        match part {
            Part::Literal(range) => Cow::Borrowed(&self.source.expose()[range.clone()]),
            Part::Value(placeholder) if self.json => Cow::Owned(json_escaped(&values.of(*placeholder))),
            Part::Value(placeholder) => Cow::Owned(values.of(*placeholder).into_bytes()),
        }
    }
}

impl Values<'_> {
    fn of(&self, placeholder: Placeholder) -> String {
        match placeholder {
            Placeholder::ScheduledTime => self.scheduled_time.to_string(),
            Placeholder::DeliveryId => self.id.to_string(),
            Placeholder::ScheduleName => self.schedule.name.clone(),
            Placeholder::Namespace => self.schedule.namespace.clone(),
            Placeholder::Attempt => self.attempt.to_string(),
        }
    }
}

fn parts(source: &[u8]) -> Result<Vec<Part>, Refusal> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < source.len() {
        if !source[at..].starts_with(OPEN) {
            at += 1;
            continue;
        }
        let inside = at + OPEN.len();
        if source[inside..].starts_with(OPEN) {
            parts.push(Part::Literal(start..inside));
            at = inside + OPEN.len();
        } else {
            let known = NAMES.iter().find(|(name, _)| source[inside..].starts_with(name));
            // The message doesn't quote the unknown placeholder: it is part of the payload.
            let (name, placeholder) = known.ok_or_else(|| unknown(at))?;
            parts.push(Part::Literal(start..at));
            parts.push(Part::Value(*placeholder));
            at = inside + name.len();
        }
        start = at;
    }
    parts.push(Part::Literal(start..source.len()));
    Ok(parts)
}

fn unknown(at: usize) -> Refusal {
    Refusal::new(
        Reason::PlaceholderUnknown,
        format!(
            "body, byte {at}: {{{{ begins none of {{{{scheduledTime}}}}, {{{{deliveryId}}}}, {{{{scheduleName}}}}, \
             {{{{namespace}}}}, {{{{attempt}}}}; write {{{{{{{{ for two braces"
        ),
    )
}

/// Media types of JSON by RFC 6839 and RFC 8259: `application/json`, `text/json`, or a subtype that ends in `+json`.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(essence.as_str(), "application/json" | "text/json") || essence.ends_with("+json")
}

/// The text, escaped for the inside of a JSON string.
fn json_escaped(text: &str) -> Vec<u8> {
    // A text can always be written as JSON.
    let quoted = serde_json::to_vec(text).unwrap_or_default();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests;

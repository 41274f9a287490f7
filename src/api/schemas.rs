//! Schemas of single values: their limits, and the messages that `kubectl apply` shows when a limit is broken.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::Duration;

fn rule(rule: impl Into<String>, message: impl Into<String>) -> Value {
    json!({"rule": rule.into(), "message": message.into()})
}

/// A text whose rules don't allow it to be empty.
fn string(max_length: u32, rules: &[Value]) -> Schema {
    json_schema!({"type": "string", "maxLength": max_length, "x-kubernetes-validations": rules})
}

fn set(max_items: u32, items: &Schema) -> Schema {
    json_schema!({"type": "array", "items": items, "maxItems": max_items, "x-kubernetes-list-type": "set"})
}

/// The name of a Secret or `ConfigMap`.
pub(super) fn object_name(_: &mut SchemaGenerator) -> Schema {
    string(
        253,
        &[rule(
            "!format.dns1123Subdomain().validate(self).hasValue()",
            "must be the name of an object: lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
        )],
    )
}

/// A key in the data of a Secret or `ConfigMap`.
pub(super) fn data_key(_: &mut SchemaGenerator) -> Schema {
    string(
        253,
        &[rule(
            "self.matches('^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')",
            "must be a key of the object's data: letters, digits, '-', '_' and '.'",
        )],
    )
}

/// A rule on one of the five fields, by its index from 0: none of its numbers may be one of these. `*-9` is `*` to a `CronJob`.
fn no_number(place: u8, numbers: &str, message: &str) -> Value {
    let before = format!(r"^\\s*(\\S+\\s+){{{place}}}(\\S*,)?(H[(])?([^*?,/\\s-]+-)?");
    rule(format!(r"!self.matches('{before}[+]?0*({numbers})([-/,)\\s]|$)')"), message)
}

/// Five fields or a macro, with numbers that a `CronJob` accepts; the operator checks the rest.
pub(super) fn schedule(_: &mut SchemaGenerator) -> Schema {
    string(
        256,
        &[
            rule("!self.contains('TZ')", "must not hold a time zone: set spec.timeZone instead"),
            rule(
                "!self.startsWith('@every')",
                "must not be @every, whose deliveries would collide within a minute: use fields, as in */15 * * * *",
            ),
            rule(
                r"self.contains('TZ') || self.startsWith('@every') || self.matches('^\\s*(\\S+\\s+){4}\\S+\\s*$|^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$')",
                "must have five fields (minute hour day-of-month month day-of-week), or be one of @yearly, @annually, \
                 @monthly, @weekly, @daily, @midnight, @hourly",
            ),
            no_number(0, "[6-9][0-9]|[1-9][0-9]{2,}", "must have minutes from 0 to 59"),
            no_number(1, "2[4-9]|[3-9][0-9]|[1-9][0-9]{2,}", "must have hours from 0 to 23: midnight is 0"),
            no_number(2, "0|3[2-9]|[4-9][0-9]|[1-9][0-9]{2,}", "must have days of the month from 1 to 31"),
            no_number(3, "0|1[3-9]|[2-9][0-9]|[1-9][0-9]{2,}", "must have months from 1 to 12, or jan to dec"),
            no_number(
                4,
                "[7-9]|[1-9][0-9]+",
                "must have days of the week from 0 to 6, or sun to sat: Sunday is 0, never 7",
            ),
            rule(r"!self.matches('/[+]?0+([,\\s]|$)')", "must have steps (/) from 1"),
        ],
    )
}

/// The form of a name in the IANA time zone database.
pub(super) fn time_zone(_: &mut SchemaGenerator) -> Schema {
    string(
        64,
        &[rule(
            "self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$') && self.lowerAscii() != 'local'",
            "must be a name of the IANA time zone database such as Europe/Berlin, or UTC",
        )],
    )
}

/// A header that a tenant may set, in any spelling of its name.
pub(super) fn header_name(_: &mut SchemaGenerator) -> Schema {
    string(
        256,
        &[
            rule(
                "self.matches('^[!#$%&\\'*+.^_`|~0-9A-Za-z-]+$')",
                "must be a header's name: letters, digits or any of !#$%&'*+-.^_`|~",
            ),
            rule(
                "!(self.lowerAscii() in ['connection', 'content-length', 'expect', 'host', 'http2-settings', \
                 'keep-alive', 'max-forwards', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'user-agent', 'via']) \
                 && !self.lowerAscii().startsWith('proxy-')",
                "belongs to the connection, which the sender manages: leave the header out",
            ),
            rule(
                "self.lowerAscii() != 'idempotency-key' && !self.lowerAscii().startsWith('webhook-') \
                 && !self.lowerAscii().startsWith('postern-')",
                "identifies or signs the delivery, and only the sender sets it: leave the header out",
            ),
            rule("self.lowerAscii() != 'content-type'", "is set by spec.body.contentType: leave the header out"),
        ],
    )
}

/// The text before a classic signature; it may be empty.
pub(super) fn signature_prefix(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 64,
        "x-kubernetes-validations": [rule("self.matches('^[!-~]*$')", "must be printable ASCII without blanks")],
    })
}

/// RFC 9110, section 8.3.1.
pub(super) fn content_type(_: &mut SchemaGenerator) -> Schema {
    string(
        256,
        &[rule(
            "self.matches('^[!#$&^_.+0-9A-Za-z-]+/[!#$&^_.+0-9A-Za-z-]+( *;[ -~]*)?$')",
            "must be a media type such as application/json or text/plain; charset=utf-8",
        )],
    )
}

/// How often the operator makes a new signing key.
pub(super) fn rotation(_: &mut SchemaGenerator) -> Schema {
    duration("1h", "8760h")
}

/// How long an old signing key still signs.
pub(super) fn overlap(_: &mut SchemaGenerator) -> Schema {
    duration("0s", "8760h")
}

/// The gap between two deliveries.
pub(super) fn interval(_: &mut SchemaGenerator) -> Schema {
    duration("1m", "8760h")
}

/// How early a pod may be started: at most `delivery::MAX_LEAD_SECONDS`.
pub(super) fn lead(_: &mut SchemaGenerator) -> Schema {
    duration("0s", "30s")
}

fn duration(min: &str, max: &str) -> Schema {
    let form = Duration::PATTERN;
    string(
        32,
        &[
            rule(
                format!("self.matches('{form}')"),
                "must be a duration in hours, minutes and seconds, such as 720h, 15m or 1h30m",
            ),
            rule(
                format!(
                    "!self.matches('{form}') || (duration(self) >= duration('{min}') && duration(self) <= duration('{max}'))"
                ),
                format!("must be from {min} to {max}"),
            ),
        ],
    )
}

/// Hosts, or `*.` and a domain.
pub(super) fn host_patterns(_: &mut SchemaGenerator) -> Schema {
    let label = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
    set(
        64,
        &string(
            255,
            &[rule(
                format!(
                    r"isIP(self) || (self.matches('^([*]\\.)?({label}\\.)*{label}$') && !self.matches('(^|\\.)([0-9]+|0[xX][0-9A-Fa-f]*)$'))"
                ),
                "must be a host such as hooks.example.com, *.example.com for all names below one, or an IP address; \
                 without scheme, port and path, and in ASCII (punycode) form",
            )],
        ),
    )
}

/// Blocks of addresses.
pub(super) fn cidrs(_: &mut SchemaGenerator) -> Schema {
    set(
        64,
        &string(
            43,
            &[
                rule("isCIDR(self)", "must be a block of addresses such as 10.20.0.0/16 or fd00:20::/32"),
                rule(
                    "!isCIDR(self) || cidr(self) == cidr(self).masked()",
                    "must name the block by its first address, as 10.20.0.0/16 and not 10.20.3.4/16",
                ),
            ],
        ),
    )
}

/// Ports.
pub(super) fn ports(_: &mut SchemaGenerator) -> Schema {
    set(16, &json_schema!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 65535}))
}

/// A time as Kubernetes writes it (RFC 3339). Kubernetes' library could describe it too, but only with a feature that covers all
/// of its types, which takes long to build.
pub(super) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time"})
}

/// The status of an object that the operator has not seen yet. Tools that follow kstatus wait for it: without any status, they
/// would take the object for finished.
pub(super) fn unseen() -> serde_json::Value {
    serde_json::json!({"observedGeneration": -1})
}

/// The conditions of a status, as `metav1.Condition` bounds them.
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": {
                    "description": "What the condition is about, such as Ready.",
                    "type": "string", "minLength": 1, "maxLength": 316,
                },
                "status": {"description": "Whether the condition is met.", "type": "string", "enum": ["True", "False", "Unknown"]},
                "reason": {
                    "description": "Why, in one word for machines.",
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "description": "Why, and what to do about it.",
                    "type": "string", "maxLength": 32768,
                },
                "lastTransitionTime": {
                    "description": "When the status last changed.",
                    "type": "string", "format": "date-time",
                },
                "observedGeneration": {
                    "description": "The metadata.generation that was judged.",
                    "type": "integer", "format": "int64", "minimum": 0,
                },
            },
        },
    })
}

//! Which headers belong to the sender, so that a tenant can't set them.

/// Why a header is reserved for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// It says where the request goes or how it is framed (RFC 9110, 7.2 and 8.6; RFC 9112), or is hop-by-hop.
    Connection,
    /// It proves who sent the request, or which delivery it is.
    Signature,
    /// It is set from another field of the schedule.
    Field(&'static str),
}

/// Why a header's name can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderNameRefused {
    /// Not a token by RFC 9110, 5.6.2, or longer than 256 bytes.
    #[error("a header's name is 1 to 256 letters, digits or any of !#$%&'*+-.^_`|~")]
    Malformed,
    /// The header is reserved for the sender.
    #[error("{}", match .0 {
        Reserved::Connection => "the header belongs to the connection, which the sender manages: leave it out",
        Reserved::Signature => "the header identifies or signs the delivery, and only the sender sets it: leave it out",
        Reserved::Field(field) => field,
    })]
    Reserved(Reserved),
}

const CONNECTION: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "max-forwards",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];
const CONNECTION_PREFIX: &str = "proxy-";
const SIGNATURE: [&str; 1] = ["idempotency-key"];
const SIGNATURE_PREFIXES: [&str; 2] = ["webhook-", "postern-"];
const MAX_NAME_BYTES: usize = 256;

/// Checks whether a tenant may set the header (or have a classic scheme put its signature there), in any spelling of its name.
///
/// # Errors
/// When the name is malformed or the header is reserved for the sender.
pub fn check_header_name(name: &str) -> Result<(), HeaderNameRefused> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(is_token) {
        return Err(HeaderNameRefused::Malformed);
    }
    // Receivers behind CGI, WSGI and similar interfaces can't tell `_` from `-`.
    let name = name.to_ascii_lowercase().replace('_', "-");
    let reserved = if name == "content-type" {
        Reserved::Field("the content type is set by body.contentType: leave the header out")
    } else if CONNECTION.contains(&name.as_str()) || name.starts_with(CONNECTION_PREFIX) {
        Reserved::Connection
    } else if SIGNATURE.contains(&name.as_str()) || SIGNATURE_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        Reserved::Signature
    } else {
        return Ok(());
    };
    Err(HeaderNameRefused::Reserved(reserved))
}

/// Whether a header may have this value: printable ASCII, blanks and tabs (RFC 9110, 5.5, for new fields). Receivers read other
/// bytes differently; a byte order mark is the most common case.
#[must_use]
pub fn is_header_value(value: &[u8]) -> bool {
    value.iter().all(|byte| *byte == b'\t' || (b' '..=b'~').contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_a_tenant_its_own_headers() {
        for name in ["X-Team", "Authorization", "Cookie", "Accept", "X-Hub-Signature-256", "Stripe-Signature", "a"] {
            assert_eq!(check_header_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn refuses_the_senders_headers_in_any_spelling() {
        for name in [
            "Host",
            "HOST",
            "hOsT",
            "Content-Length",
            "Connection",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
            "HTTP2-Settings",
            "Proxy-Authorization",
            "Proxy-Connection",
            "proxy-anything",
            "Expect",
            "Via",
            "User-Agent",
            "Max-Forwards",
            "Content_Length",
            "transfer_encoding",
        ] {
            assert_eq!(check_header_name(name), Err(HeaderNameRefused::Reserved(Reserved::Connection)), "{name}");
        }
        for name in [
            "webhook-id",
            "Webhook-Timestamp",
            "WEBHOOK-SIGNATURE",
            "webhook-",
            "Idempotency-Key",
            "Postern-Scheduled-Time",
            "postern-anything",
            "Webhook_Signature",
            "idempotency_key",
        ] {
            assert_eq!(check_header_name(name), Err(HeaderNameRefused::Reserved(Reserved::Signature)), "{name}");
        }
        assert!(check_header_name("Content-Type").unwrap_err().to_string().contains("body.contentType"));
    }

    #[test]
    fn takes_printable_ascii_for_a_value_and_nothing_else() {
        for value in ["", "a b\tc", "!~"] {
            assert!(is_header_value(value.as_bytes()), "{value:?}");
        }
        let values: [&[u8]; 7] = [b"a\rb", b"a\nb", b"a\0", b"\x7f", b"\x1b[0m", b"\xe9", b"\xef\xbb\xbfa"];
        for value in values {
            assert!(!is_header_value(value), "{value:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_header_name() {
        for name in ["", "a b", "a:b", "a\r\nHost", "a\0", "ä", " host", "host ", "(a)", &"a".repeat(257)] {
            assert_eq!(check_header_name(name), Err(HeaderNameRefused::Malformed), "{name:?}");
        }
    }
}

//! The request of each attempt: the same id and headers, a fresh time and signature.

use http::HeaderMap;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, USER_AGENT};
use zeroize::Zeroizing;

use super::occasion::Occasion;
use super::placeholders::{Template, Values};
use super::refusal::Refusal;
use crate::delivery::{Method, Reason, Schedule, Timestamp};
use crate::egress::{PathAndQuery, Target};
use crate::signing::{DeliveryId, Fingerprint, Signer};

const AGENT: HeaderValue = HeaderValue::from_static(concat!("postern/", env!("CARGO_PKG_VERSION")));
const CLOSE: HeaderValue = HeaderValue::from_static("close");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const SCHEDULED_TIME: HeaderName = HeaderName::from_static("postern-scheduled-time");

/// What the requests of all attempts are made from.
pub(super) struct Blueprint {
    pub(super) id: DeliveryId,
    scheduled_time: Timestamp,
    schedule: Schedule,
    method: Method,
    path: PathAndQuery,
    /// All headers except those that carry signatures.
    headers: HeaderMap,
    body: Option<Template>,
    max_body_bytes: usize,
    signer: Option<Signer>,
}

/// What the tenant asked for, read and checked.
pub(super) struct Asked {
    pub(super) schedule: Schedule,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Template>,
    pub(super) max_body_bytes: usize,
    pub(super) signer: Option<Signer>,
}

impl Blueprint {
    pub(super) fn new(target: &Target, occasion: Occasion, asked: Asked) -> Result<Blueprint, Refusal> {
        let Asked { schedule, method, mut headers, body, max_body_bytes, signer } = asked;
        let path = target.path_and_query().clone();
        let Occasion { id, scheduled_time, .. } = occasion;
        headers.insert(HOST, header_value(&target.authority())?);
        headers.insert(CONNECTION, CLOSE);
        headers.insert(USER_AGENT, AGENT);
        headers.insert(IDEMPOTENCY_KEY, header_value(id.as_str())?);
        headers.insert(SCHEDULED_TIME, header_value(&scheduled_time.to_string())?);
        Ok(Blueprint { id, scheduled_time, schedule, method, path, headers, body, max_body_bytes, signer })
    }

    pub(super) fn fingerprints(&self) -> Vec<Fingerprint> {
        self.signer.as_ref().map(Signer::fingerprints).unwrap_or_default()
    }

    /// The bytes of the request for the attempt with this number (from 1), signed as of `now`.
    ///
    /// # Errors
    /// When the body with its values filled in is too large.
    pub(super) fn request(&self, attempt: u32, now: Timestamp) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let values = Values { scheduled_time: self.scheduled_time, id: &self.id, schedule: &self.schedule, attempt };
        let body = self.body.as_ref().map(|body| body.fill_in(&values)).unwrap_or_default();
        if body.len() > self.max_body_bytes {
            let most = self.max_body_bytes;
            return Err(Refusal::new(Reason::BodyTooLarge, format!("the body has more than {most} bytes; shorten it")));
        }

        let mut headers = self.headers.clone();
        for header in self.signer.iter().flat_map(|signer| signer.sign(&self.id, now.unix(), &body)) {
            let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| unsendable())?;
            headers.insert(name, header_value(&header.value)?);
        }

        // Also set for a missing body: some receivers answer 411 to a POST without it (RFC 9110, 8.6).
        if !body.is_empty() || self.method.wants_body() {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }

        Ok(written(self.method, self.path.expose_secret(), &headers, &body))
    }
}

/// The request's bytes (RFC 9112, 2.1), wiped when they are no longer needed; growing would leave copies behind.
fn written(method: Method, path: &str, headers: &HeaderMap, body: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut parts = vec![method.as_str().as_bytes(), b" ", path.as_bytes(), b" HTTP/1.1\r\n"];
    for (name, value) in headers {
        // Neither a name nor a value can hold a line end: their types ensure it.
        parts.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    }
    parts.extend([b"\r\n", body]);
    let mut request = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        request.extend_from_slice(part);
    }
    request
}

/// Marked sensitive, so that no Debug output shows it.
fn header_value(text: &str) -> Result<HeaderValue, Refusal> {
    let mut value = HeaderValue::from_str(text).map_err(|_| unsendable())?;
    value.set_sensitive(true);
    Ok(value)
}

fn unsendable() -> Refusal {
    Refusal::new(Reason::HeaderValueInvalid, "a header of the request can't be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_at_once_so_that_no_copy_is_left_behind() {
        let headers = ["a", "b", "c"].map(|name| (HeaderName::from_static(name), header_value("secret").unwrap()));
        let headers = HeaderMap::from_iter(headers);
        let request = written(Method::Post, "/hook?secret", &headers, b"{}");
        let head = "POST /hook?secret HTTP/1.1\r\na: secret\r\nb: secret\r\nc: secret\r\n\r\n";
        assert_eq!(*request, [head.as_bytes(), b"{}"].concat());
        assert_eq!(request.capacity(), request.len(), "it grew, and left a copy behind");
    }
}

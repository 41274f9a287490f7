//! Turns the files into everything that an attempt needs. Whatever must be refused is refused here, before anything is sent.

use std::path::Path;
use std::time::Duration;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::files::Root;
use super::occasion::Occasion;
use super::placeholders::Template;
use super::refusal::Refusal;
use super::request::{Asked, Blueprint};
use super::tls;
use crate::delivery::{
    Body, Delivery, FileRef, Header, KeyRef, MAX_VALUE_BYTES, Reason, Retries, Scheme, Signing, Timestamp, ValueSource,
    is_header_value,
};
use crate::egress::{Resolver, Rules, Target};
use crate::signing::{Encoding, Fingerprint, HmacKey, KeyError, Signer, SigningKey};
use crate::values;

const RESOLV_CONF: &str = "/etc/resolv.conf";
/// How long one look-up may take; an attempt's timeout may end it earlier.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Prepared {
    pub(super) target: Target,
    pub(super) rules: Rules,
    pub(super) resolver: Resolver,
    pub(super) tls: tls::Connector,
    /// Which certificates of the CA bundle are left out; empty when none are.
    pub(super) left_out: String,
    pub(super) retries: Retries,
    pub(super) blueprint: Blueprint,
}

impl Prepared {
    pub(super) fn new(
        delivery: Delivery,
        occasion: Occasion,
        root: &Root,
        now: Timestamp,
    ) -> Result<Prepared, Refusal> {
        // Without `..`, so that a new field must be handled here.
        let Delivery {
            version: _,
            schedule,
            run: _,
            url,
            method,
            headers,
            body,
            signing,
            tls,
            retries,
            egress: rules,
            max_body_bytes,
            known_closed: _, // waited for before anything is sent
        } = delivery;

        let target = Target::parse(root.mounted(&url, MAX_VALUE_BYTES)?.expose(), &rules)?;
        let signer = signing.map(|signing| signer(signing, root)).transpose()?;
        let mut request_headers = tenant_headers(&headers, root)?;
        let body = body.map(|body| template(body, root, max_body_bytes, &mut request_headers)).transpose()?;
        let asked = Asked { schedule, method, headers: request_headers, body, max_body_bytes, signer };
        let blueprint = Blueprint::new(&target, occasion, asked)?;
        // The last attempt has the longest number: if its request can be made, every attempt's can.
        blueprint.request(retries.attempts, now)?;

        let (connector, left_out) = tls::connector(&tls, root)?;
        Ok(Prepared {
            tls: connector,
            left_out,
            resolver: Resolver::from_resolv_conf(Path::new(RESOLV_CONF), LOOK_UP_TIMEOUT)?
                .in_attempts_of(Duration::from_secs(retries.timeout_seconds.into())),
            target,
            rules,
            retries,
            blueprint,
        })
    }

    pub(super) fn fingerprints(&self) -> Vec<Fingerprint> {
        self.blueprint.fingerprints()
    }
}

fn tenant_headers(headers: &[Header], root: &Root) -> Result<HeaderMap, Refusal> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for Header { name, value } in headers {
        let refusal = |reason, problem: &str| Refusal::new(reason, format!("the header {name} {problem}"));
        let secret = root.value(value, MAX_VALUE_BYTES)?;
        let unfit = || {
            let problem = values::hidden(secret.line())
                .map_or_else(|| "has something else, such as a line break".to_owned(), |flaw| flaw.to_string());
            let problem = format!("may hold only printable ASCII, blanks and tabs, but its value {problem}");
            refusal(Reason::HeaderValueInvalid, &problem)
        };
        let mut value = Some(secret.line())
            .filter(|line| is_header_value(line))
            .and_then(|line| HeaderValue::from_bytes(line).ok())
            .ok_or_else(unfit)?;
        value.set_sensitive(true);
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| refusal(Reason::HeaderNotAllowed, "has a name that is none"))?;
        map.append(name, value);
    }
    Ok(map)
}

fn template(body: Body, root: &Root, max_bytes: usize, headers: &mut HeaderMap) -> Result<Template, Refusal> {
    let Body { content_type, source } = body;
    let value = HeaderValue::from_str(&content_type).map_err(|_| {
        Refusal::new(Reason::HeaderValueInvalid, "body.contentType has a line break or another control character")
    })?;
    headers.insert(http::header::CONTENT_TYPE, value);
    let bytes = root.value(&source, max_bytes).map_err(|refusal| match (refusal.reason, &source) {
        (Reason::ReferenceTooLarge, ValueSource::File(_)) => Refusal { reason: Reason::BodyTooLarge, ..refusal },
        _ => refusal,
    })?;
    Template::new(bytes, &content_type)
}

fn signer(signing: Signing, root: &Root) -> Result<Signer, Refusal> {
    let Signing { scheme, keys, classic } = signing;
    let signer = match (scheme, classic) {
        (Scheme::StandardWebhooks, _) => Signer::standard_webhooks(read_keys(&keys, root, SigningKey::parse)?),
        (Scheme::HmacSha256Hex, Some(options)) => {
            Signer::classic(read_keys(&keys, root, HmacKey::parse_classic)?, Encoding::Hex, options)
        }
        (Scheme::HmacSha256Base64, Some(options)) => {
            Signer::classic(read_keys(&keys, root, HmacKey::parse_classic)?, Encoding::Base64, options)
        }
        (Scheme::HmacSha256Hex | Scheme::HmacSha256Base64, None) => {
            return Err(Refusal::new(Reason::SigningInvalid, "signing.classic: a classic scheme needs it"));
        }
    };
    signer.map_err(|error| Refusal::new(Reason::SigningInvalid, error.to_string()))
}

fn read_keys<K>(
    files: &[FileRef],
    root: &Root,
    parse: impl Fn(&[u8]) -> Result<K, KeyError>,
) -> Result<Vec<K>, Refusal> {
    let read = |file: &FileRef| {
        let KeyRef { name, key } = file.from.key_ref();
        let secret = root.mounted(file, MAX_VALUE_BYTES)?;
        parse(secret.expose())
            .map_err(|error| Refusal::new(Reason::SigningKeyInvalid, format!("Secret {name}, key {key}: {error}")))
    };
    files.iter().map(read).collect()
}

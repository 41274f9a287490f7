//! Translates the spec into the sender's contract.

use super::Refusal;
use super::mounts::Mounts;
use crate::api::{self, ClassicPayload, DeliveryOptions, WebhookTier};
use crate::delivery::{
    Backoff, Body, ClientCertificate, Delivery, FileRef, Header, Method, Retries, Run, Schedule, Scheduled, Scheme,
    Signing, Tls, ValueSource,
};
use crate::egress::Rules;
use crate::operator::names;
use crate::signing::{ClassicOptions, Payload};

/// The parts of a spec that a delivery is made of.
pub(super) struct Asked<'a> {
    pub(super) identity: Schedule,
    pub(super) timing: Scheduled,
    pub(super) target: &'a api::Target,
    pub(super) body: Option<&'a api::Body>,
    pub(super) signing: &'a api::Signing,
    /// The Secrets of the keys that Postern made.
    pub(super) managed_keys: Vec<String>,
    pub(super) options: &'a DeliveryOptions,
}

/// The delivery, and the files that it names.
pub(super) fn delivery(
    asked: Asked<'_>,
    rules: Rules,
    tier: &WebhookTier,
) -> Result<(Delivery, Vec<FileRef>), Refusal> {
    let Asked { identity, timing, target, body, signing, managed_keys, options } = asked;
    let mut mounts = Mounts::default();
    let delivery = Delivery {
        version: Delivery::VERSION,
        schedule: identity,
        run: Run::Scheduled(timing),
        url: mounts.secret("url".into(), &target.url_from.secret_key_ref),
        method: method(target.method),
        headers: headers(&target.headers, &mut mounts)?,
        body: body.map(|body| self::body(body, &mut mounts)).transpose()?,
        signing: self::signing(signing, managed_keys, &mut mounts),
        tls: tls(target.tls.as_ref(), &mut mounts)?,
        retries: retries(options),
        egress: rules,
        max_body_bytes: usize::try_from(tier.spec.max_body_bytes).unwrap_or(usize::MAX),
        known_closed: Vec::new(),
    };
    Ok((delivery, mounts.0))
}

fn one_of(path: &str) -> Refusal {
    Refusal::SpecInvalid(format!("{path}: give exactly one source"))
}

fn method(method: api::Method) -> Method {
    match method {
        api::Method::Get => Method::Get,
        api::Method::Post => Method::Post,
        api::Method::Put => Method::Put,
        api::Method::Patch => Method::Patch,
        api::Method::Delete => Method::Delete,
    }
}

fn headers(headers: &[api::Header], mounts: &mut Mounts) -> Result<Vec<Header>, Refusal> {
    let one = |(index, header): (usize, &api::Header)| {
        let api::Header { name, value, value_from } = header;
        let value = match (value, value_from) {
            (Some(text), None) => Some(ValueSource::Inline(text.clone())),
            (None, Some(from)) => mounts.either(format!("headers/{index}"), from).map(ValueSource::File),
            _ => None,
        };
        let value = value.ok_or_else(|| one_of(&format!("spec.target.headers[{index}]")))?;
        Ok(Header { name: name.clone(), value })
    };
    headers.iter().enumerate().map(one).collect()
}

fn body(body: &api::Body, mounts: &mut Mounts) -> Result<Body, Refusal> {
    let api::Body { content_type, inline, config_map_key_ref, secret_key_ref } = body;
    let source = match (inline, config_map_key_ref, secret_key_ref) {
        (Some(text), None, None) => ValueSource::Inline(text.clone()),
        (None, Some(key), None) => ValueSource::File(mounts.config_map("body".into(), key)),
        (None, None, Some(key)) => ValueSource::File(mounts.secret("body".into(), key)),
        _ => return Err(one_of("spec.body")),
    };
    Ok(Body { content_type: content_type.clone(), source })
}

fn signing(signing: &api::Signing, managed_keys: Vec<String>, mounts: &mut Mounts) -> Option<Signing> {
    let api::Signing { scheme, keys_from, managed, classic } = signing;
    let scheme = match scheme {
        api::Scheme::None => return None,
        api::Scheme::StandardWebhooks => Scheme::StandardWebhooks,
        api::Scheme::HmacSha256Hex => Scheme::HmacSha256Hex,
        api::Scheme::HmacSha256Base64 => Scheme::HmacSha256Base64,
    };
    let keys: Vec<api::KeyRef> = match managed {
        Some(_) => managed_keys.into_iter().map(|name| api::KeyRef { name, key: names::SIGNING_KEY.into() }).collect(),
        None => keys_from.iter().map(|key| key.secret_key_ref.clone()).collect(),
    };
    let keys = keys.iter().enumerate().map(|(index, key)| mounts.secret(format!("keys/{index}"), key)).collect();
    let classic = classic.as_ref().map(|api::ClassicOptions { header, prefix, payload }| ClassicOptions {
        header: header.clone(),
        prefix: prefix.clone(),
        payload: match payload {
            ClassicPayload::Body => Payload::Body,
            ClassicPayload::TimestampBody => Payload::TimestampBody,
        },
    });
    Some(Signing { scheme, keys, classic })
}

fn tls(tls: Option<&api::Tls>, mounts: &mut Mounts) -> Result<Tls, Refusal> {
    let Some(api::Tls { ca_bundle_from, client_certificate_from }) = tls else {
        return Ok(Tls::default());
    };
    let bundle = |from| mounts.either("tls/ca.crt".into(), from).ok_or_else(|| one_of("spec.target.tls.caBundleFrom"));
    let ca_bundle = ca_bundle_from.as_ref().map(bundle).transpose()?;
    let client_certificate = client_certificate_from.as_ref().map(|from| {
        let key = |key: &str| api::KeyRef { name: from.secret_ref.name.clone(), key: key.into() };
        ClientCertificate {
            certificate: mounts.secret("tls/client/tls.crt".into(), &key("tls.crt")),
            key: mounts.secret("tls/client/tls.key".into(), &key("tls.key")),
        }
    });
    Ok(Tls { ca_bundle, client_certificate })
}

fn retries(options: &DeliveryOptions) -> Retries {
    let DeliveryOptions { timeout_seconds, attempts, backoff, total_deadline_seconds } = *options;
    Retries {
        attempts,
        timeout_seconds,
        backoff: Backoff { min_seconds: backoff.min_seconds, max_seconds: backoff.max_seconds },
        total_deadline_seconds,
    }
}

//! Whether a caller may read the metrics: the API server says who the caller is (`TokenReview`), and whether they have the
//! permission (`SubjectAccessReview`).

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

/// The path of the metrics; a caller needs the verb `get` on this non-resource URL.
pub(super) const PATH: &str = "/metrics";

/// The longest accepted token. A ServiceAccount's token has one or two thousand bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How long an answer is cached: scrapers ask more often than that, and callers who lose the permission keep access no longer.
const REMEMBERED_FOR: Duration = Duration::from_mins(1);
/// How many different tokens are cached.
const MAX_REMEMBERED: usize = 256;
/// How long both requests to the API server may take together.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// A caller's token: it can't be printed, and is wiped when it is no longer needed. The API server gets a copy.
pub(crate) struct Token(Zeroizing<String>);

/// The API server's answer about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Forbidden,
    Unauthenticated,
}

/// The API server could not be asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unavailable;

/// Asks the API server, and caches its answers for a while.
pub(crate) struct Access {
    client: Client,
    /// By the token's SHA-256, with when it is forgotten.
    remembered: RefCell<HashMap<[u8; 32], (Verdict, Instant)>>,
}

impl Token {
    /// The only token of a request (RFC 6750, section 2.1).
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        let well_formed =
            (1..=MAX_TOKEN_BYTES).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        (scheme.eq_ignore_ascii_case("bearer") && well_formed).then(|| Self(Zeroizing::new(token.into())))
    }

    fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl Access {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, remembered: RefCell::default() }
    }

    /// Whether the holder of the token may read the metrics.
    pub(crate) async fn verdict(&self, token: &Token) -> Result<Verdict, Unavailable> {
        let key = token.sha256();
        if let Some((verdict, until)) = self.remembered.borrow().get(&key).copied()
            && Instant::now() < until
        {
            return Ok(verdict);
        }
        let asked = timeout(ANSWERED_WITHIN, self.ask(token)).await;
        let verdict = asked.map_err(|_| unavailable("no answer in time"))?.map_err(|error| match error {
            // The text of an API server's answer may quote the request, so leave it out.
            kube::Error::Api(status) => unavailable(&format!("it answered {}", status.code)),
            _ => unavailable("no answer"),
        })?;
        self.remember(key, verdict);
        Ok(verdict)
    }

    async fn ask(&self, token: &Token) -> Result<Verdict, kube::Error> {
        let review = TokenReview {
            spec: TokenReviewSpec { token: token.0.to_string(), audiences: None },
            ..TokenReview::default()
        };
        let review = Api::all(self.client.clone()).create(&PostParams::default(), &review).await?;
        let status = review.status.unwrap_or_default();
        let (Some(true), Some(user)) = (status.authenticated, status.user) else {
            return Ok(Verdict::Unauthenticated);
        };
        let review = Api::all(self.client.clone()).create(&PostParams::default(), &may_read(user)).await?;
        Ok(if review.status.is_some_and(|status| status.allowed) { Verdict::Allowed } else { Verdict::Forbidden })
    }

    fn remember(&self, key: [u8; 32], verdict: Verdict) {
        let mut remembered = self.remembered.borrow_mut();
        let now = Instant::now();
        if remembered.len() >= MAX_REMEMBERED {
            remembered.retain(|_, (_, until)| now < *until);
        }
        // Nobody has so many scrapers: these were guesses. Asking again costs no more than they did.
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(key, (verdict, now + REMEMBERED_FOR));
    }
}

fn may_read(user: UserInfo) -> SubjectAccessReview {
    let attributes = NonResourceAttributes { path: Some(PATH.into()), verb: Some("get".into()) };
    let UserInfo { username, uid, groups, extra } = user;
    let spec = SubjectAccessReviewSpec {
        user: username,
        uid,
        groups,
        extra,
        non_resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    SubjectAccessReview { spec, ..SubjectAccessReview::default() }
}

fn unavailable(problem: &str) -> Unavailable {
    tracing::warn!(problem, "the operator can't ask the API server who may read the metrics");
    Unavailable
}

#[cfg(test)]
mod tests;

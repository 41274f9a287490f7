//! Where a tier lets deliveries go, in the form that the guard reads.

use std::str::FromStr;

use super::membership::TierError;
use crate::api::{WebhookTier, WebhookTierSpec};
use crate::egress::Rules;
use crate::operator::cache::own_addresses::OwnAddresses;
use crate::operator::settings::Settings;

/// The rules of a tier, including the cluster's own ranges and the addresses of the API server and of load balancers.
pub(crate) fn rules(tier: &WebhookTier, own: &OwnAddresses, settings: &Settings) -> Result<Rules, TierError> {
    // Without `..`, so that a new field can't be forgotten here.
    let WebhookTierSpec {
        min_interval: _,
        max_schedules: _,
        max_deliveries_per_hour: _,
        max_body_bytes: _,
        max_attempts: _,
        max_timeout_seconds: _,
        lead: _,
        allowed_hosts,
        denied_hosts,
        allowed_ports,
        allowed_cidrs,
        default: _,
    } = &tier.spec;
    let refuse = |problem| TierError::Invalid { tier: tier.metadata.name.clone().unwrap_or_default(), problem };
    Ok(Rules {
        allowed_hosts: parse_all("spec.allowedHosts", allowed_hosts).map_err(refuse)?,
        denied_hosts: parse_all("spec.deniedHosts", denied_hosts).map_err(refuse)?,
        allowed_ports: allowed_ports.clone(),
        allowed_cidrs: parse_all("spec.allowedCIDRs", allowed_cidrs).map_err(refuse)?,
        denied_cidrs: settings.cluster_cidrs.iter().copied().chain(own.api_server.blocks()).collect(),
        load_balancers: own.load_balancers.clone(),
        cluster_domain: Some(settings.cluster_domain.clone()),
    })
}

/// What in a tier can't be parsed, with the field's path.
pub(super) fn problem_of(tier: &WebhookTier, settings: &Settings) -> Option<String> {
    rules(tier, &OwnAddresses::default(), settings).err().map(|error| match error {
        TierError::Invalid { problem, .. } => problem,
        other => other.to_string(),
    })
}

fn parse_all<T: FromStr<Err: ToString>>(field: &str, texts: &[String]) -> Result<Vec<T>, String> {
    let parse = |(index, text): (usize, &String)| {
        text.parse().map_err(|e: T::Err| format!("{field}[{index}]: {}", e.to_string()))
    };
    texts.iter().enumerate().map(parse).collect()
}

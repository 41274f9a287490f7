//! Turns what was written into a type that can't be wrong.
//!
//! Later steps see a [`ValidatedSchedule`], and never the raw object again. The tenant or the admin has to correct what is
//! refused here, so each refusal is a condition's reason and message.

pub(crate) mod delivery;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod mounts;
mod suspension;

use std::net::SocketAddr;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::{Resource, ResourceExt as _};

use crate::api::{ConcurrencyPolicy, WebhookSchedule, WebhookScheduleSpec, WebhookTier};
use crate::cron::{Expression, time_zone};
use crate::delivery::{Delivery, FileRef, MAX_DELIVERY_BYTES, MAX_KNOWN_CLOSED, Run};
use crate::egress::Rules;
use crate::operator::cache::MOST_BYTES;
use crate::operator::cache::api_server::ApiServer;
use crate::operator::cache::own_addresses::OwnAddresses;
use crate::operator::deliveries::terms::Terms;
use crate::operator::kubernetes::digest::number_of;
use crate::operator::names::LEFT_OUT_ANNOTATION;
use crate::operator::settings::{Isolation, Settings};
use crate::operator::tier::egress_rules;
use crate::operator::tier::membership::TierError;
use crate::operator::tier::quota::QuotaUsage;
pub use suspension::SuspendedBy;
use suspension::suspended_by;

const HOUR: u64 = 3_600;
const YEAR: u64 = 8_760 * HOUR;

/// A schedule whose parts are all valid.
#[derive(Debug, Clone)]
pub struct ValidatedSchedule {
    /// The schedule's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its `metadata.generation`.
    pub generation: i64,
    /// The owner reference of its children.
    pub owner: OwnerReference,
    /// The tier that it is in.
    pub tier: String,
    /// The tier's smallest gap between two deliveries, in seconds.
    pub min_interval: i64,
    /// The most deliveries that the tier allows the namespace in an hour.
    pub max_deliveries_per_hour: u32,
    /// When it is due.
    pub expression: Expression,
    /// The zone that the expression is read in.
    pub zone: TimeZone,
    /// The zone's name, as the tenant wrote it.
    pub zone_name: String,
    /// Whether each new spec is checked before its first delivery is due.
    pub checked_first: bool,
    /// Whether nothing is sent before senders are proved to be isolated from the cluster's inside.
    pub isolation_required: bool,
    /// Whether the tenant paused it, and by what.
    pub suspended: Option<SuspendedBy>,
    /// What happens when two deliveries would overlap.
    pub concurrency_policy: ConcurrencyPolicy,
    /// How late a delivery may start, in seconds.
    pub starting_deadline_seconds: u32,
    /// Whether it has to sign with a key that Postern makes, and none may sign yet: nothing is sent then.
    pub waits_for_key: bool,
    /// The delivery in the sender's contract.
    pub delivery: Delivery,
    /// Where the sender's files come from.
    pub mounts: Vec<FileRef>,
}

impl ValidatedSchedule {
    /// The terms that its deliveries must keep, including what it uses of its namespace's quotas.
    pub(crate) fn terms(&self, share: &QuotaUsage) -> Terms<'_> {
        Terms {
            expression: &self.expression,
            zone: &self.zone,
            zone_name: &self.zone_name,
            suspended: self.suspended.is_some(),
            concurrency_policy: self.concurrency_policy,
            deadline: self.starting_deadline_seconds.into(),
            spread: match &self.delivery.run {
                Run::Scheduled(timing) => timing.offset_seconds.into(),
                Run::Triggered(_) => 0,
            },
            min_interval: self.min_interval,
            last_triggered: share.last_triggered,
            not_before: share.not_before,
            room_at: share.room_at,
        }
    }
}

/// Why a schedule is not accepted. The name of each variant is the reason of the condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The cron expression can't be parsed, or never fires.
    #[error("spec.schedule: {0}")]
    ScheduleInvalid(String),
    /// The zone is not in the time zone database.
    #[error("spec.timeZone: {0}")]
    TimeZoneUnknown(String),
    /// The namespace is in no usable tier.
    #[error(transparent)]
    Tier(#[from] TierError),
    /// It fires more often than the tier allows.
    #[error("spec.schedule: {0}")]
    IntervalTooShort(String),
    /// It makes more attempts than the tier allows.
    #[error("spec.delivery.attempts: {0}")]
    TooManyAttempts(String),
    /// It waits longer than the tier allows.
    #[error("spec.delivery.timeoutSeconds: {0}")]
    TimeoutTooLong(String),
    /// It sends more than the tier allows.
    #[error("spec.body.inline: {0}")]
    BodyTooLarge(String),
    /// The namespace already has as many older schedules as the tier allows.
    #[error("{0}")]
    TooManySchedules(String),
    /// The namespace's schedules, counted from the oldest, deliver more in an hour than the tier allows.
    #[error("spec.schedule: {0}")]
    TooManyDeliveries(String),
    /// Another part of the spec is outside its limits.
    #[error("{0}")]
    SpecInvalid(String),
}

impl Refusal {
    /// The reason of the condition.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::ScheduleInvalid(_) => "ScheduleInvalid",
            Refusal::TimeZoneUnknown(_) => "TimeZoneUnknown",
            Refusal::Tier(error) => error.reason(),
            Refusal::IntervalTooShort(_) => "IntervalTooShort",
            Refusal::TooManyAttempts(_) => "TooManyAttempts",
            Refusal::TimeoutTooLong(_) => "TimeoutTooLong",
            Refusal::BodyTooLarge(_) => "BodyTooLarge",
            Refusal::TooManySchedules(_) => "TooManySchedules",
            Refusal::TooManyDeliveries(_) => "TooManyDeliveries",
            Refusal::SpecInvalid(_) => "SpecInvalid",
        }
    }
}

/// Validates a schedule with its namespace's tier, its use of the namespace's quotas, and the cluster's own addresses. `now` is
/// in Unix seconds.
///
/// # Errors
/// The first problem that is found.
pub fn validate(
    schedule: &WebhookSchedule,
    tier: &WebhookTier,
    share: &QuotaUsage,
    own: &OwnAddresses,
    settings: &Settings,
    now: i64,
) -> Result<ValidatedSchedule, Refusal> {
    // Without `..`, so that a new field can't be forgotten here.
    let WebhookScheduleSpec {
        schedule: expression,
        time_zone: zone_name,
        suspend,
        concurrency_policy,
        starting_deadline_seconds,
        target,
        body,
        signing,
        delivery: options,
        history: _, // how much status keeps; see `status`
    } = &schedule.spec;
    if schedule.annotations().contains_key(LEFT_OUT_ANNOTATION) {
        return Err(Refusal::TooManySchedules(format!(
            "the schedules of this namespace hold more than {MOST_BYTES} bytes in spec.body.inline and \
             spec.target.headers: keep bodies in ConfigMaps or Secrets, or delete schedules; then change this \
             schedule, or wait until the operator reads it again"
        )));
    }
    let incomplete = || Refusal::SpecInvalid("metadata: the API server left out the name, namespace or UID".into());
    let name = schedule.metadata.name.clone().ok_or_else(incomplete)?;
    let namespace = schedule.metadata.namespace.clone().ok_or_else(incomplete)?;
    let owner = schedule.controller_owner_ref(&()).ok_or_else(incomplete)?;

    let expression =
        Expression::parse(expression, Some(&owner.uid)).map_err(|e| Refusal::ScheduleInvalid(e.to_string()))?;
    if !expression.ever_fires() {
        return Err(Refusal::ScheduleInvalid(never_fires(&expression)));
    }
    let zone = time_zone(zone_name).map_err(|e| Refusal::TimeZoneUnknown(e.to_string()))?;
    limits::limits(&schedule.spec, &zone, tier, share, now)?;

    let identity =
        crate::delivery::Schedule { name: name.clone(), namespace: namespace.clone(), uid: owner.uid.clone() };
    let lead = if settings.makes_early_jobs { tier.spec.lead.as_secs() } else { 0 };
    let timing = crate::delivery::Scheduled {
        starting_deadline_seconds: (*starting_deadline_seconds).into(),
        offset_seconds: offset(&owner.uid, settings.spread_seconds),
        lead_seconds: lead.try_into().unwrap_or(u32::MAX),
    };
    let rules: Rules = egress_rules::rules(tier, own, settings)?;
    let mut managed_keys = managed_keys(schedule, now)?;
    let waits_for_key = signing.managed.is_some() && managed_keys.is_empty();
    if waits_for_key {
        managed_keys.push(keys::any_name(&name));
    }
    let asked = delivery::Asked { identity, timing, target, body: body.as_ref(), signing, managed_keys, options };
    let (mut delivery, mounts) = delivery::delivery(asked, rules, tier)?;
    let isolation_required = settings.isolation == Isolation::Require;
    if isolation_required {
        delivery.known_closed = known_closed(&own.api_server, &delivery.egress);
    }
    delivery.validate().map_err(|e| Refusal::SpecInvalid(format!("the sender would refuse this: {e}")))?;
    let size = serde_json::to_vec(&delivery).map_or(usize::MAX, |json| json.len());
    // Other annotations of the pod need room too.
    if size > MAX_DELIVERY_BYTES - 8_192 {
        let problem =
            "spec.body.inline: it doesn't fit into the pod once it is escaped: use configMapKeyRef or secretKeyRef";
        return Err(Refusal::SpecInvalid(problem.into()));
    }
    Ok(ValidatedSchedule {
        name,
        namespace,
        generation: schedule.metadata.generation.unwrap_or_default(),
        owner: OwnerReference { block_owner_deletion: None, ..owner },
        tier: tier.metadata.name.clone().unwrap_or_default(),
        min_interval: tier.spec.min_interval.seconds(),
        max_deliveries_per_hour: tier.spec.max_deliveries_per_hour,
        expression,
        zone,
        zone_name: zone_name.clone(),
        checked_first: settings.preflight.enabled,
        isolation_required,
        suspended: suspended_by(*suspend, schedule.annotations()),
        concurrency_policy: *concurrency_policy,
        starting_deadline_seconds: *starting_deadline_seconds,
        waits_for_key,
        delivery,
        mounts,
    })
}

/// The Secrets of the keys that Postern made, the newest first. The CRD checks these bounds too, but an older CRD may have been
/// installed when the schedule was stored.
fn managed_keys(schedule: &WebhookSchedule, now: i64) -> Result<Vec<String>, Refusal> {
    let Some(managed) = &schedule.spec.signing.managed else { return Ok(Vec::new()) };
    if !(HOUR..=YEAR).contains(&managed.rotate_every.as_secs()) {
        return Err(Refusal::SpecInvalid("spec.signing.managed.rotateEvery: must be from 1h to 8760h".into()));
    }
    if managed.overlap >= managed.rotate_every {
        let problem = "spec.signing.managed.overlap: must be shorter than rotateEvery, so that at most two keys sign";
        return Err(Refusal::SpecInvalid(problem.into()));
    }
    Ok(keys::usable(schedule, Timestamp::from_second(now).unwrap_or_default()))
}

/// Addresses of the API server that no sender may reach: those of its Service, unless the tier allows exactly that block.
fn known_closed(api_server: &ApiServer, rules: &Rules) -> Vec<SocketAddr> {
    let is_allowed = |address: &SocketAddr| rules.allowed_cidrs.contains(&IpNet::from(address.ip()));
    let closed = api_server.service.iter().filter(|address| !is_allowed(address));
    closed.copied().take(MAX_KNOWN_CLOSED).collect()
}

/// The second within the minute at which a schedule delivers: at most `spread`, and always the same for the same UID.
fn offset(uid: &str, spread: u32) -> u32 {
    let number = number_of(&format!("postern.dev/offset\n{uid}"));
    u32::try_from(number % (u64::from(spread) + 1)).unwrap_or_default()
}

/// What to write instead of an expression that never fires.
fn never_fires(expression: &Expression) -> String {
    expression.empty_field().map_or_else(
        || {
            "there is no such date, so nothing would ever be sent: choose a day that the month has. To send only \
             when you ask for it, write @yearly and set spec.suspend to true: each new value of the annotation \
             postern.dev/trigger then sends one delivery"
                .into()
        },
        |field| {
            format!("the {field} field has commas and no number, so nothing would ever be sent: write numbers or *")
        },
    )
}

#[cfg(test)]
mod tests;

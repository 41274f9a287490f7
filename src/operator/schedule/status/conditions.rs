//! The conditions of a schedule, as kstatus has them: `kubectl wait` and Argo CD look at `Ready`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;

use super::Progress;
use super::stalled::stalled;
use crate::api::{CheckResult, CheckStatus, DeliveryOutcome, DeliveryStatus, WebhookSchedule};
use crate::operator::admission::status::PROTECTED;
use crate::operator::deliveries::history::UNHEALTHY_AFTER;
use crate::operator::deliveries::spacing::TriggerDecision;
use crate::operator::isolation::verdict::IsolationStatus;
use crate::operator::kubernetes::apply::ApplyError;
use crate::operator::kubernetes::condition::ConditionUpdate;
use crate::operator::preflight::patience::patience;
use crate::operator::preflight::state::{CheckState, Phase, began, judged};
use crate::operator::schedule::assess::{Assessment, Pause, pause};
use crate::operator::schedule::error::ReconcileError;
use crate::operator::signing_keys::events::KEY_NOT_MADE;
use crate::operator::validate::SuspendedBy;

/// The condition that says whether the CronJob is in place.
const SCHEDULED: &str = "Scheduled";

/// The condition that says whether a delivery would be refused.
const TARGET_ALLOWED: &str = "TargetAllowed";

/// The condition that says whether senders are isolated from the cluster's inside.
const EGRESS_ISOLATED: &str = "EgressIsolated";

/// The reason of a CronJob that is suspended for a while.
const HELD: &str = "Held";

/// All conditions, after a reconcile.
pub(super) fn conditions(
    schedule: &WebhookSchedule,
    progress: &Progress<'_>,
    assessment: &Assessment,
    now: Timestamp,
) -> Vec<Condition> {
    let Assessment { history, check, isolation, protection, .. } = assessment;
    let recent = &history.recent;
    let allowed = target_allowed(recent, check, schedule.metadata.generation);
    let (isolated, protected) = match progress {
        Progress::Refused(_) => (not_accepted(EGRESS_ISOLATED), not_accepted(PROTECTED)),
        Progress::Applied(_) | Progress::WaitsForKey(_) | Progress::Blocked(..) => {
            (isolated(isolation), protection.fact())
        }
    };
    let mut facts = vec![accepted(progress), scheduled(progress, assessment), allowed, isolated, protected];
    facts.push(healthy(recent, schedule.metadata.generation));
    let waits = patience(schedule, check, now).is_some();
    let ready = ready(&facts, waits);
    let checked = check.checked.as_ref().filter(|checked| Some(checked.generation) == schedule.metadata.generation);
    let stalled = stalled(&ready, isolation, checked);
    facts.extend([ready].into_iter().chain(stalled));
    let mut old = schedule.status.iter().flat_map(|status| &status.conditions).cloned().collect::<Vec<_>>();
    // The wait of Ready starts again with each spec.
    let generation = schedule.metadata.generation;
    old.retain(|old| old.type_ != "Ready" || old.status != "Unknown" || old.observed_generation == generation);
    facts.into_iter().map(|fact| fact.condition(&old, schedule.metadata.generation, now)).collect()
}

fn accepted(progress: &Progress<'_>) -> ConditionUpdate {
    match progress {
        Progress::Refused(refusal) => ConditionUpdate::new("Accepted", "False", refusal.reason(), refusal.to_string()),
        Progress::Applied(valid) | Progress::WaitsForKey(valid) | Progress::Blocked(valid, _) => {
            ConditionUpdate::new("Accepted", "True", "Accepted", format!("within tier {}", valid.tier))
        }
    }
}

fn scheduled(progress: &Progress<'_>, assessment: &Assessment) -> ConditionUpdate {
    match progress {
        Progress::Applied(valid) => match pause(valid, assessment) {
            None => {
                let waits = assessment.history.trigger_waits.map(waits).unwrap_or_default();
                ConditionUpdate::new(SCHEDULED, "True", "Scheduled", format!("the CronJob is in place{waits}"))
            }
            Some(Pause::Held(until)) => {
                let message = format!(
                    "tier {} allows the next delivery at {until} (minInterval, maxDeliveriesPerHour), and nothing is \
                     sent before; edits, resumptions, deletions and triggers count",
                    valid.tier
                );
                ConditionUpdate::new(SCHEDULED, "False", HELD, message)
            }
            Some(Pause::Suspended(by)) => {
                let message = match by {
                    SuspendedBy::Spec => "spec.suspend is true: nothing is sent on schedule until it is false",
                    SuspendedBy::Annotation => {
                        "the annotation postern.dev/suspend is set: nothing is sent on schedule until it is removed or false"
                    }
                };
                ConditionUpdate::new(SCHEDULED, "False", "Suspended", message)
            }
            Some(Pause::ReceiverGone) => ConditionUpdate::new(SCHEDULED, "False", "ReceiverGone", RECEIVER_GONE),
            Some(Pause::NotIsolated) => ConditionUpdate::new(SCHEDULED, "False", "NotIsolated", NOT_ISOLATED),
        },
        Progress::WaitsForKey(_) => match &assessment.key_error {
            Some(error) => ConditionUpdate::new(
                SCHEDULED,
                "False",
                KEY_NOT_MADE,
                format!("{error}. Nothing is sent until a key is made"),
            ),
            None => ConditionUpdate::new(
                SCHEDULED,
                "Unknown",
                "KeyPending",
                "a signing key is being made; nothing is sent until it is ready",
            ),
        },
        Progress::Blocked(_, error) => blocked(error),
        Progress::Refused(_) => {
            ConditionUpdate::new(SCHEDULED, "False", "NotAccepted", "nothing is sent until the schedule is accepted")
        }
    }
}

/// Why the CronJob is not as it should be.
fn blocked(error: &ReconcileError) -> ConditionUpdate {
    match error {
        ReconcileError::Apply(ApplyError::NameTaken { .. }) => {
            ConditionUpdate::new(SCHEDULED, "False", "NameTaken", error.to_string())
        }
        ReconcileError::Apply(ApplyError::Api { kind, .. } | ApplyError::Outdated { kind, .. }) => {
            let message = format!("the {kind} could not be written; the operator tries again");
            ConditionUpdate::new(SCHEDULED, "False", "ApplyFailed", message)
        }
        ReconcileError::NotRecorded(_) => {
            let message = "the operator could not record what the namespace uses of its tier, so it starts nothing \
                           new; it tries again, and its log says more";
            ConditionUpdate::new(SCHEDULED, "False", "UsageNotRecorded", message)
        }
        ReconcileError::Apply(ApplyError::Ending { .. })
        | ReconcileError::StaleCache
        | ReconcileError::Build(_)
        | ReconcileError::Status(_) => ConditionUpdate::new(SCHEDULED, "False", "ApplyFailed", error.to_string()),
    }
}

/// What happens to a requested delivery that isn't made yet.
fn waits(made: TriggerDecision) -> String {
    match made {
        TriggerDecision::Now => String::new(),
        TriggerDecision::At(Some(at)) => {
            let at = Timestamp::from_second(at).unwrap_or_default();
            format!("; the triggered delivery is made at {at}, the earliest time that the tier allows")
        }
        TriggerDecision::At(None) => {
            "; the triggered delivery waits: the schedules of the namespace may use all deliveries that the tier \
            allows in an hour"
                .into()
        }
        TriggerDecision::After(_) => "; the triggered delivery is made after the one that is due".into(),
    }
}

const NOT_ISOLATED: &str = "the admin requires proof that senders can't reach the inside of the cluster, so nothing \
    is sent until the condition EgressIsolated is True: its message says what is missing";

const RECEIVER_GONE: &str = "the receiver answered 410 Gone, so nothing is sent: correct the spec, or delete the \
    schedule; after a change in a Secret, give the annotation postern.dev/trigger a new value";

/// The condition follows from the last delivery of this spec that got far enough, or from its check, whichever is later.
fn target_allowed(recent: &[DeliveryStatus], check: &CheckState, generation: Option<i64>) -> ConditionUpdate {
    let mut fact = judgement(recent, check, generation);
    if let Phase::Waits(at) = check.stage {
        let at = Timestamp::from_second(at).unwrap_or_default();
        fact.message = if check.is_first {
            format!(
                "this spec is checked at {at}: the namespace has made as many checks as its tier allows for now; \
                 checks of changed and deleted schedules and requested checks count"
            )
        } else {
            format!("{}; the requested check is made at {at}, the earliest time that the tier allows", fact.message)
        };
    }
    fact
}

fn judgement(recent: &[DeliveryStatus], check: &CheckState, generation: Option<i64>) -> ConditionUpdate {
    let fact = |status, reason: &str, message: &str| ConditionUpdate::new(TARGET_ALLOWED, status, reason, message);
    let delivery = judged(recent, generation);
    let checked = check.checked.as_ref().filter(|checked| Some(checked.generation) == generation);
    // A check that could not be made doesn't contradict what is known.
    let is_later = |checked: &&CheckStatus| {
        delivery.is_none_or(|delivery| checked.result != CheckResult::Unknown && began(delivery) < Some(&checked.time))
    };
    if let Some(CheckStatus { result, reason, detail, .. }) = checked.filter(is_later) {
        let detail = detail.as_deref().unwrap_or("see the reason in the documentation");
        return match result {
            CheckResult::Allowed => {
                fact("True", reason, "a check, which sends nothing, found that a delivery would not be refused")
            }
            CheckResult::Refused => fact("False", reason, detail),
            CheckResult::Unknown => fact("Unknown", reason, &format!("the check could not be made: {detail}")),
        };
    }
    match delivery {
        Some(last) if last.outcome == DeliveryOutcome::Refused => {
            fact("False", &last.reason, last.detail.as_deref().unwrap_or_default())
        }
        Some(_) => fact("True", "Allowed", "the last delivery was not refused"),
        None if matches!(check.stage, Phase::Waits(_)) => fact("Unknown", "CheckWaits", ""),
        None if check.stage != Phase::Nothing => {
            fact("Unknown", "Checking", "a check of whether a delivery would be refused is running or queued")
        }
        None => fact("Unknown", "NotTried", "no delivery of this spec has been made yet"),
    }
}

/// A schedule that isn't accepted doesn't report the state of its namespace or of the cluster: a tenant may have any number of
/// such schedules, and each would be written when that state changes.
fn not_accepted(kind: &'static str) -> ConditionUpdate {
    ConditionUpdate::new(kind, "Unknown", "NotAccepted", "this is reported once the schedule is accepted")
}

/// The verdict on the namespace's senders. A bad verdict isn't the schedule's fault.
fn isolated(verdict: &IsolationStatus) -> ConditionUpdate {
    ConditionUpdate::new(EGRESS_ISOLATED, verdict.status, verdict.reason, verdict.message.clone())
}

/// The condition follows from the deliveries of this spec: a corrected one isn't blamed for what failed before.
fn healthy(recent: &[DeliveryStatus], generation: Option<i64>) -> ConditionUpdate {
    let is_current = |delivery: &&DeliveryStatus| delivery.generation == generation;
    let failed = |delivery: &&DeliveryStatus| delivery.outcome != DeliveryOutcome::Delivered;
    let failures = recent.iter().take_while(is_current).take_while(failed).count();
    match recent.first().filter(is_current) {
        None => ConditionUpdate::new("Healthy", "Unknown", "NotTried", "no delivery of this spec has been made yet"),
        Some(last) if failures >= UNHEALTHY_AFTER => {
            let message = format!("the last {failures} deliveries failed; the latest: {}", last.reason);
            ConditionUpdate::new("Healthy", "False", "DeliveriesFailing", message)
        }
        Some(_) => ConditionUpdate::new(
            "Healthy",
            "True",
            "Delivering",
            format!("fewer than {UNHEALTHY_AFTER} failures in a row"),
        ),
    }
}

/// Ready is what `kubectl wait`, Helm and Argo CD look at: whether the schedule does what its spec says. A paused schedule
/// does. While it waits for its first key or the first check of its spec, Ready is Unknown.
fn ready(facts: &[ConditionUpdate], waits_for_check: bool) -> ConditionUpdate {
    let wrong = facts.iter().find(|fact| {
        matches!(fact.kind, "Accepted" | SCHEDULED | TARGET_ALLOWED)
            && fact.status == "False"
            && fact.reason != "Suspended"
            && fact.reason != HELD
    });
    let open = facts.iter().find(|fact| match fact.kind {
        SCHEDULED => fact.status == "Unknown",
        TARGET_ALLOWED => waits_for_check,
        _ => false,
    });
    match (wrong, open) {
        (None, None) => ConditionUpdate::new("Ready", "True", "Ready", "the schedule is in force"),
        (Some(fact), _) => ConditionUpdate::new("Ready", "False", fact.reason.clone(), fact.message.clone()),
        (None, Some(fact)) => ConditionUpdate::new("Ready", "Unknown", fact.reason.clone(), fact.message.clone()),
    }
}

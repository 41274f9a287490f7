//! The Events that a tenant gets: each failure that the status keeps, a recovery, a refusal, a network that isn't closed, a
//! trigger, and a check that found a problem. Pure.

use kube::runtime::events::{Event, EventType};

use crate::api::{CheckResult, CheckStatus, DeliveryOutcome, DeliveryStatus, WebhookSchedule, WebhookScheduleStatus};
use crate::operator::deliveries::history::DeliveryHistory;
use crate::operator::kubernetes::events::event;

/// The Events to publish once `new` is the status.
pub(crate) fn events(schedule: &WebhookSchedule, history: &DeliveryHistory, new: &WebhookScheduleStatus) -> Vec<Event> {
    let old = schedule.status.clone().unwrap_or_default();
    let mut before = old.last_delivery.as_ref();
    // An operator that was away for a long time finds many deliveries at once, and each Event is a request.
    let kept = history.new.iter().filter(|delivery| history.recent.contains(delivery));
    let mut events: Vec<Event> = kept.filter_map(|delivery| told(before.replace(delivery), delivery)).collect();
    for (kind, action) in [("Accepted", "Validate"), ("EgressIsolated", "ProveIsolation")] {
        let condition = |status: &WebhookScheduleStatus| {
            status.conditions.iter().find(|condition| condition.type_ == kind).cloned()
        };
        if let Some(wrong) = condition(new).filter(|condition| condition.status == "False")
            && condition(&old).is_none_or(|old| (&old.reason, &old.message) != (&wrong.reason, &wrong.message))
        {
            events.push(event(EventType::Warning, action, &wrong.reason, wrong.message));
        }
    }
    // A check that could not be made keeps the result of the one before it.
    let found = |status: &WebhookScheduleStatus| {
        status.checked.as_ref().map(|checked| (checked.generation, checked.time.clone(), checked.reason.clone()))
    };
    // Whether a check was an automatic repeat with the same result.
    let is_same = |old: &CheckStatus, new: &CheckStatus| {
        (&old.value, &old.reason, &old.detail) == (&new.value, &new.reason, &new.detail) && new.repeats > old.repeats
    };
    let is_repeated = old.checked.as_ref().zip(new.checked.as_ref()).is_some_and(|(old, new)| is_same(old, new));
    if found(&old) != found(new)
        && !is_repeated
        && let Some(CheckStatus { result: CheckResult::Refused, reason, detail, .. }) = &new.checked
    {
        let detail = detail.as_deref().unwrap_or("see the reason in the documentation");
        events.push(event(EventType::Warning, "Check", reason, format!("a delivery would not be sent: {detail}")));
    }
    if old.last_trigger != new.last_trigger
        && let Some(trigger) = &new.last_trigger
    {
        let note = format!("one delivery was started for the value {:?} of postern.dev/trigger", trigger.value);
        events.push(event(EventType::Normal, "Trigger", "Triggered", note));
    }
    events
}

fn told(before: Option<&DeliveryStatus>, delivery: &DeliveryStatus) -> Option<Event> {
    let due = delivery.scheduled_time.as_ref().map_or_else(String::new, |time| format!(" due at {}", time.0));
    if delivery.outcome != DeliveryOutcome::Delivered {
        let detail = delivery.detail.as_deref().unwrap_or("see the reason in the documentation");
        let note = format!("the delivery{due} ended as {:?}: {detail}", delivery.outcome);
        return Some(event(EventType::Warning, "Deliver", &delivery.reason, note));
    }
    let failed = before.is_some_and(|before| before.outcome != DeliveryOutcome::Delivered);
    failed.then(|| event(EventType::Normal, "Deliver", "Recovered", format!("the delivery{due} arrived")))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::operator::test_support::objects::{found, history, schedule};

    fn delivery(outcome: DeliveryOutcome, reason: &str) -> DeliveryStatus {
        let due = "2027-01-15T08:00:00Z";
        serde_json::from_value(json!({"scheduledTime": due, "outcome": outcome, "reason": reason, "detail": "do this"}))
            .unwrap()
    }

    /// The Events that newly recorded deliveries cause, as kubectl shows them.
    fn told_of(before: Option<DeliveryStatus>, new: Vec<DeliveryStatus>) -> Vec<String> {
        let mut schedule = schedule();
        let old = WebhookScheduleStatus { last_delivery: before, ..WebhookScheduleStatus::default() };
        schedule.status = Some(old.clone());
        let found = found(Vec::new());
        let mut record = history(&schedule, &found, None, Timestamp::UNIX_EPOCH);
        record.recent.clone_from(&new);
        record.new = new;
        let shown = |event: Event| format!("{:?} {} {}", event.type_, event.reason, event.note.unwrap());
        events(&schedule, &record, &old).into_iter().map(shown).collect()
    }

    #[test]
    fn each_failure_is_told_with_what_to_do() {
        assert_eq!(
            told_of(None, vec![delivery(DeliveryOutcome::Failed, "ReceiverError")]),
            ["Warning ReceiverError the delivery due at 2027-01-15T08:00:00Z ended as Failed: do this"]
        );
    }

    #[test]
    fn what_status_does_not_keep_is_not_told() {
        let schedule = schedule();
        let old = WebhookScheduleStatus::default();
        let found = found(Vec::new());
        let mut record = history(&schedule, &found, None, Timestamp::UNIX_EPOCH);
        record.new = vec![delivery(DeliveryOutcome::NotRun, "A"), delivery(DeliveryOutcome::NotRun, "B")];
        record.recent = record.new[1..].to_vec();
        let told = events(&schedule, &record, &old);
        assert_eq!(told.iter().map(|event| &*event.reason).collect::<Vec<_>>(), ["B"]);
    }

    #[test]
    fn a_success_is_told_after_a_failure_only() {
        let (failed, delivered) =
            (delivery(DeliveryOutcome::Failed, "X"), delivery(DeliveryOutcome::Delivered, "Delivered"));
        let recovered = "Normal Recovered the delivery due at 2027-01-15T08:00:00Z arrived";
        assert_eq!(told_of(Some(failed.clone()), vec![delivered.clone(), delivered.clone()]), [recovered]);
        assert_eq!(told_of(None, vec![failed, delivered.clone()])[1..], [recovered]);
        assert_eq!(told_of(Some(delivered.clone()), vec![delivered]), [""; 0]);
    }

    #[test]
    fn a_check_that_found_something_is_told_once() {
        let checked = |result: &str, time: i64| -> WebhookScheduleStatus {
            let time = Timestamp::from_second(time).unwrap();
            let checked = json!({"generation": 1, "time": time, "result": result, "reason": "X", "detail": "do this"});
            serde_json::from_value(json!({"checked": checked})).unwrap()
        };
        let told_after = |old: WebhookScheduleStatus, new: &WebhookScheduleStatus| {
            let schedule = WebhookSchedule { status: Some(old), ..schedule() };
            let found = found(Vec::new());
            let record = history(&schedule, &found, None, Timestamp::UNIX_EPOCH);
            let shown = |event: Event| format!("{:?} {} {}", event.type_, event.reason, event.note.unwrap());
            events(&schedule, &record, new).into_iter().map(shown).collect::<Vec<_>>()
        };
        let refused = ["Warning X a delivery would not be sent: do this"];
        assert_eq!(told_after(WebhookScheduleStatus::default(), &checked("Refused", 0)), refused);
        assert_eq!(told_after(checked("Refused", 0), &checked("Refused", 0)), [""; 0]);
        let mut not_made = checked("Refused", 0);
        not_made.checked.as_mut().unwrap().value = Some("again".into());
        assert_eq!(told_after(checked("Refused", 0), &not_made), [""; 0], "another could not be made");
        assert_eq!(told_after(checked("Refused", 0), &checked("Refused", 1)), refused, "it was asked for");
        let mut repeated = checked("Refused", 1);
        repeated.checked.as_mut().unwrap().repeats = 1;
        assert_eq!(told_after(checked("Refused", 0), &repeated), [""; 0], "it was repeated by itself");
        repeated.checked.as_mut().unwrap().detail = Some("do that".into());
        assert_eq!(told_after(checked("Refused", 0), &repeated).len(), 1, "and found something else");
        assert_eq!(told_after(WebhookScheduleStatus::default(), &checked("Allowed", 0)), [""; 0]);
    }

    #[test]
    fn a_refusal_is_told_once_and_so_is_a_trigger() {
        let refused = |message: &str| -> WebhookScheduleStatus {
            serde_json::from_value(json!({
                "conditions": [{
                    "type": "Accepted", "status": "False", "reason": "TierNotFound", "message": message,
                    "lastTransitionTime": "2027-01-15T08:00:00Z",
                }],
                "lastTrigger": {"value": message, "id": "msg_1", "time": "2027-01-15T08:00:00Z"},
            }))
            .unwrap()
        };
        let told_after = |old: WebhookScheduleStatus, new: &WebhookScheduleStatus| {
            let schedule = WebhookSchedule { status: Some(old), ..schedule() };
            let found = found(Vec::new());
            let record = history(&schedule, &found, None, Timestamp::UNIX_EPOCH);
            let shown = |event: Event| format!("{} {}", event.reason, event.note.unwrap());
            events(&schedule, &record, new).into_iter().map(shown).collect::<Vec<_>>()
        };
        let first =
            ["TierNotFound one", "Triggered one delivery was started for the value \"one\" of postern.dev/trigger"];
        assert_eq!(told_after(WebhookScheduleStatus::default(), &refused("one")), first);
        assert_eq!(told_after(refused("one"), &refused("one")), [""; 0]);
        assert_eq!(told_after(refused("one"), &refused("two"))[0], "TierNotFound two");
    }
}

//! How the status says that a schedule is suspended, and by what.

use super::tests::condition;
use super::*;
use crate::api::SUSPEND_ANNOTATION;
use crate::operator::schedule::assess::assess;
use crate::operator::test_support::objects::{found, minute, schedule, valid_as};

#[test]
fn the_annotation_pauses_a_schedule_unless_it_is_false_or_empty_and_the_condition_says_which_of_both_does() {
    let by_annotation =
        "the annotation postern.dev/suspend is set: nothing is sent on schedule until it is removed or false";
    for (spec, annotation, message) in [
        (false, "true", Some(by_annotation)),
        (false, "TRUE", Some(by_annotation)),
        (false, "yes", Some(by_annotation)),
        (true, "true", Some("spec.suspend is true: nothing is sent on schedule until it is false")),
        (false, "false", None),
        (false, "", None),
    ] {
        let mut schedule = schedule();
        schedule.spec.suspend = spec;
        schedule.metadata.annotations = Some([(SUSPEND_ANNOTATION.into(), annotation.into())].into());
        let valid = valid_as(&schedule).unwrap();
        let assessment = assess(&schedule, &found(Vec::new()), Some(&valid), minute(1));
        let status = status(&schedule, &Progress::Applied(&valid), &assessment, minute(1));
        let scheduled = condition(&status, "Scheduled");
        let paused = Some(&*scheduled.message).filter(|_| scheduled.reason == "Suspended");
        assert_eq!((paused, status.next_delivery_time.is_some()), (message, message.is_none()), "{annotation}");
    }
}

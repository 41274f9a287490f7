use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::operator::test_support::crds::document;
use crate::operator::test_support::fake_api;

/// The document without the part that the pointer selects.
fn without(pointer: &str) -> Value {
    let mut document = document();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    assert!(parent.as_object_mut().unwrap().remove(name).is_some(), "{pointer}");
    document
}

#[test]
fn the_same_crds_will_do_and_so_will_newer_ones() {
    assert_eq!(compare(&document()), Ok(()));
    let mut newer = document();
    newer["components"]["schemas"]["dev.postern.v1alpha1.WebhookTier"]["properties"]["more"] = json!({});
    assert_eq!(compare(&newer), Ok(()));
}

#[test]
fn names_the_crd_the_first_field_that_it_lacks_and_what_to_do() {
    let spec = "/components/schemas/dev.postern.v1alpha1.WebhookSchedule/properties/spec/properties";
    for (pointer, field) in [
        ("/timeZone", "spec.timeZone"),
        ("/target/properties/urlFrom/properties/secretKeyRef", "spec.target.urlFrom.secretKeyRef"),
        ("/target/properties/headers/items/properties/name", "spec.target.headers[].name"),
    ] {
        let crd = "webhookschedules.postern.dev".to_owned();
        let refusal = compare(&without(&format!("{spec}{pointer}"))).unwrap_err();
        assert_eq!(refusal, CrdError::Older { crd, field: field.into() });
    }
    let refusal = compare(&without(&format!("{spec}/suspend"))).unwrap_err().to_string();
    let message = format!(
        "the CRD webhookschedules.postern.dev is older than this operator: it lacks spec.suspend; apply the CRDs of \
         version {}: kubectl apply --server-side --force-conflicts -f crds/ (or the output of postern crds)",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(refusal, message);
}

#[test]
fn a_crd_that_is_not_there_is_named() {
    for (document, crd) in [
        (Value::Null, "webhookschedules.postern.dev"),
        (without("/components/schemas/dev.postern.v1alpha1.WebhookTier"), "webhooktiers.postern.dev"),
    ] {
        assert_eq!(compare(&document), Err(CrdError::Missing { crd: crd.into() }));
    }
}

// The paused clock of these tests jumps ahead whenever every task is waiting.

#[tokio::test(start_paused = true)]
async fn gives_a_crd_that_was_just_applied_the_time_to_appear_and_others_no_more() {
    for (answers_before, appears) in [(3, true), (1_000, false)] {
        let asked = AtomicU32::new(0);
        let client = fake_api::client(move |_| {
            let is_there = asked.fetch_add(1, Ordering::Relaxed) >= answers_before;
            if is_there { (200, document()) } else { (404, Value::Null) }
        });
        assert_eq!(check(&client).await.is_ok(), appears);
    }
}

#[tokio::test(start_paused = true)]
async fn asks_an_api_server_that_is_not_there_yet_for_as_long_as_it_takes() {
    let left = Arc::new(Mutex::new(100));
    let client = fake_api::client(move |request| {
        assert_eq!(request.path, "/openapi/v3/apis/postern.dev/v1alpha1");
        let mut left = left.lock().unwrap();
        if *left == 0 {
            return (200, document());
        }
        *left -= 1;
        (503, Value::Null)
    });
    assert_eq!(check(&client).await, Ok(()));
}

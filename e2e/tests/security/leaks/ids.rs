//! Names that are internal to the cluster: those of Jobs and pods, and UIDs.

use postern_e2e::Receiver;
use serde_json::Value;

use super::canaries::Canaries;
use super::haystack::{Haystack, Place};
use super::play::NAMESPACE;
use super::receivers::Receivers;

/// Asserts that no receiver was sent one, and that no schedule's status has one.
pub fn stay_inside(seen: &Haystack, receivers: &Receivers) {
    let of_kind = |kind: &str| {
        let name = format!("{kind} {NAMESPACE}/");
        let objects = seen.at(Place::Objects).filter(move |(of, _)| of.starts_with(&name));
        objects.map(|(_, object)| serde_json::from_str::<Value>(&object).unwrap()).collect::<Vec<_>>()
    };
    let mut ids = Canaries::default();
    for kind in ["webhookschedules", "cronjobs", "jobs", "pods"] {
        let objects = of_kind(kind);
        assert!(!objects.is_empty(), "no {kind}");
        for metadata in objects.iter().map(|object| &object["metadata"]) {
            let text = |field: &str| metadata[field].as_str().unwrap().to_owned();
            ids.text(&format!("the UID of {kind} {}", text("name")), text("uid"));
            if matches!(kind, "jobs" | "pods") {
                ids.text(&format!("the name of {kind} {}", text("name")), text("name"));
            }
        }
    }

    let requests: Vec<_> = receivers.all().flat_map(Receiver::requests).collect();
    assert!(requests.len() > 10, "{} requests", requests.len());
    let requests = requests.iter().map(|request| {
        let body = String::from_utf8_lossy(&request.body);
        format!("{}\n{:?}\n{body}", request.line, request.headers)
    });
    let statuses = of_kind("webhookschedules").into_iter().map(|schedule| schedule["status"].to_string());
    let finder = ids.finder();
    for text in requests.chain(statuses) {
        let found = finder.find(text.as_bytes());
        assert!(found.is_empty(), "{found:?} in {text}");
    }
}

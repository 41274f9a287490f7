//! Bounds the bodies and headers of a namespace's schedules: texts beyond the bound are left out of the cache, so schedules
//! that a tier refuses cost little, too.

use std::collections::HashMap;

use kube::ResourceExt as _;
use kube::runtime::watcher::Event;

use super::prune::Prune;

/// How many bytes of texts are kept of each namespace.
pub(crate) const MOST_BYTES: usize = 4 * 1024 * 1024;

/// How much text is kept, by namespace.
#[derive(Default)]
pub(crate) struct Texts(HashMap<String, Kept>);

#[derive(Default)]
struct Kept {
    total: usize,
    by_name: HashMap<String, usize>,
}

impl Kept {
    fn remove(&mut self, name: &str) {
        self.total -= self.by_name.remove(name).unwrap_or_default();
    }
}

impl Texts {
    /// Leaves the texts out of an object that exceeds the bound. Room is checked again when the object changes, and at the next
    /// listing.
    pub(crate) fn bound<K: Prune>(&mut self, event: Event<K>) -> Event<K> {
        match event {
            Event::Apply(object) => Event::Apply(self.hold(object)),
            Event::InitApply(object) => Event::InitApply(self.hold(object)),
            Event::Delete(object) => {
                self.forget(&object);
                Event::Delete(object)
            }
            Event::Init => {
                self.0.clear();
                Event::Init
            }
            Event::InitDone => Event::InitDone,
        }
    }

    fn hold<K: Prune>(&mut self, mut object: K) -> K {
        self.forget(&object);
        let size = object.texts();
        if size == 0 {
            return object;
        }
        let kept = self.0.entry(object.namespace().unwrap_or_default()).or_default();
        if kept.total + size > MOST_BYTES {
            object.leave_texts_out();
        } else {
            kept.total += size;
            kept.by_name.insert(object.name_any(), size);
        }
        object
    }

    fn forget<K: Prune>(&mut self, object: &K) {
        let namespace = object.namespace().unwrap_or_default();
        if let Some(kept) = self.0.get_mut(&namespace) {
            kept.remove(&object.name_any());
            if kept.by_name.is_empty() {
                self.0.remove(&namespace);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Body, WebhookSchedule};
    use crate::operator::names::LEFT_OUT_ANNOTATION;
    use crate::operator::test_support::objects::schedule;

    fn large(namespace: &str, name: usize) -> WebhookSchedule {
        let mut schedule = schedule();
        schedule.metadata.namespace = Some(namespace.into());
        schedule.metadata.name = Some(name.to_string());
        let body: Body = serde_json::from_value(serde_json::json!({"inline": "x".repeat(65_536)})).unwrap();
        schedule.spec.body = Some(body);
        schedule
    }

    fn is_whole(event: &Event<WebhookSchedule>) -> bool {
        let (Event::Apply(schedule) | Event::InitApply(schedule)) = event else { panic!("{event:?}") };
        let is_left_out = schedule.annotations().contains_key(LEFT_OUT_ANNOTATION);
        assert_eq!(is_left_out, schedule.spec.body.as_ref().unwrap().inline.as_ref().unwrap().is_empty());
        !is_left_out
    }

    #[test]
    fn a_namespace_keeps_so_many_bytes_and_takes_none_of_anothers() {
        let mut texts = Texts::default();
        let whole = (0..10_000).filter(|name| is_whole(&texts.bound(Event::Apply(large("many", *name))))).count();
        assert_eq!(whole, MOST_BYTES / large("many", 0).texts());
        assert!(is_whole(&texts.bound(Event::Apply(large("other", 0)))));
        assert!(is_whole(&texts.bound(Event::Apply(large("many", 0)))), "it has its place already");
        assert!(!is_whole(&texts.bound(Event::Apply(large("many", 9_999)))));
        texts.bound(Event::Delete(large("many", 0)));
        assert!(is_whole(&texts.bound(Event::Apply(large("many", 9_999)))));
        texts.bound(Event::<WebhookSchedule>::Init);
        assert!(texts.0.is_empty());
    }
}

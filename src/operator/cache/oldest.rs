//! Bounds how many schedules of a namespace are kept: the oldest, as many as any tier can allow. The others would be refused
//! anyway, and a tenant without a quota could make any number of them.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::ResourceExt as _;
use kube::runtime::watcher::Event;

use super::prune::Prune;

/// How many schedules are kept of each namespace: the most that a tier can allow.
pub(crate) const MOST_SCHEDULES: usize = 10_000;

/// The objects that are kept, by namespace.
#[derive(Default)]
pub(crate) struct Oldest(HashMap<String, Kept>);

#[derive(Default)]
struct Kept {
    /// The names of the objects, by age.
    by_age: BTreeMap<Age, String>,
    /// Whether an object was left out, and that was logged.
    is_full: bool,
}

/// When an object was created, and its UID.
type Age = (Option<Time>, Option<String>);

fn age<K: Prune>(object: &K) -> Age {
    (object.creation_timestamp(), object.uid())
}

impl Oldest {
    /// Rewrites an event so that the bound is kept. Room is checked again when an object that was left out changes, and at the
    /// next listing.
    pub(crate) fn bound<K: Prune + Clone>(&mut self, event: Event<K>) -> Vec<Event<K>> {
        let Some(most) = K::MOST else { return vec![event] };
        match event {
            Event::Apply(object) => self.apply(object, most, Event::Apply),
            Event::InitApply(object) => self.apply(object, most, Event::InitApply),
            Event::Delete(object) => self.delete(object),
            Event::Init => {
                self.0.clear();
                vec![Event::Init]
            }
            Event::InitDone => vec![Event::InitDone],
        }
    }

    fn apply<K: Prune + Clone>(&mut self, object: K, most: usize, event: impl Fn(K) -> Event<K>) -> Vec<Event<K>> {
        let (namespace, age) = (object.namespace().unwrap_or_default(), age(&object));
        let kept = self.0.entry(namespace.clone()).or_default();
        if kept.by_age.contains_key(&age) {
            return vec![event(object)];
        }
        if kept.by_age.len() < most {
            kept.by_age.insert(age, object.name_any());
            return vec![event(object)];
        }
        if !std::mem::replace(&mut kept.is_full, true) {
            tracing::warn!(namespace, most, kind = %K::kind(&()), "too many objects; the operator ignores all but the oldest");
        }
        let Some(youngest) = kept.by_age.last_entry().filter(|youngest| *youngest.key() > age) else {
            return Vec::new();
        };
        let ((creation_timestamp, uid), name) = youngest.remove_entry();
        kept.by_age.insert(age, object.name_any());
        let mut gone = object.clone();
        *gone.meta_mut() = ObjectMeta {
            name: Some(name),
            namespace: Some(namespace),
            uid,
            creation_timestamp,
            ..ObjectMeta::default()
        };
        vec![Event::Delete(gone), event(object)]
    }

    fn delete<K: Prune>(&mut self, object: K) -> Vec<Event<K>> {
        let namespace = object.namespace().unwrap_or_default();
        let Some(kept) = self.0.get_mut(&namespace) else { return Vec::new() };
        let was_kept = kept.by_age.remove(&age(&object)).is_some();
        if kept.by_age.is_empty() {
            self.0.remove(&namespace);
        }
        if was_kept { vec![Event::Delete(object)] } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::api::WebhookSchedule;
    use crate::operator::test_support::objects::schedule;

    fn made(namespace: &str, at: usize) -> WebhookSchedule {
        let mut made = schedule();
        made.metadata.namespace = Some(namespace.into());
        made.metadata.name = Some(format!("made-{at}"));
        made.metadata.uid = Some(format!("uid-{at}"));
        made.metadata.creation_timestamp = Timestamp::from_second(at.try_into().unwrap()).ok().map(Time);
        made
    }

    /// What is kept after these events, by name.
    fn kept(
        oldest: &mut Oldest,
        mut kept: Vec<String>,
        events: impl IntoIterator<Item = Event<WebhookSchedule>>,
    ) -> Vec<String> {
        for event in events.into_iter().flat_map(|event| oldest.bound(event)) {
            match event {
                Event::Apply(object) | Event::InitApply(object) => {
                    kept.retain(|name| *name != object.name_any());
                    kept.push(object.name_any());
                }
                Event::Delete(object) => {
                    let before = kept.len();
                    kept.retain(|name| *name != object.name_any());
                    assert_eq!(kept.len(), before - 1, "{}", object.name_any());
                }
                Event::Init | Event::InitDone => {}
            }
        }
        kept.sort();
        kept
    }

    fn names(numbers: impl Iterator<Item = usize>) -> Vec<String> {
        let mut names: Vec<_> = numbers.map(|number| format!("made-{number}")).collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_of_a_namespace_are_kept_in_whatever_order_they_come() {
        let mut oldest = Oldest::default();
        let backwards = (0..MOST_SCHEDULES + 500).rev().map(|at| Event::InitApply(made("many", at)));
        let all = kept(&mut oldest, Vec::new(), backwards);
        assert_eq!(all, names(0..MOST_SCHEDULES));
        let younger = (MOST_SCHEDULES..MOST_SCHEDULES + 500).map(|at| Event::Apply(made("many", at)));
        let all = kept(&mut oldest, all, younger);
        assert_eq!(all, names(0..MOST_SCHEDULES));
        assert_eq!(oldest.bound(Event::Apply(made("other", MOST_SCHEDULES))).len(), 1, "another namespace has its own");
        assert_eq!(oldest.bound(Event::Apply(made("many", 3))).len(), 1, "what is kept changes");
    }

    #[test]
    fn what_was_left_out_comes_in_when_it_changes_and_there_is_room_and_its_deletion_is_no_others() {
        let mut oldest = Oldest::default();
        let all = kept(&mut oldest, Vec::new(), (0..MOST_SCHEDULES + 2).map(|at| Event::Apply(made("many", at))));
        let late = || made("many", MOST_SCHEDULES);
        let all = kept(&mut oldest, all, [Event::Delete(made("many", 0)), Event::Apply(late())]);
        assert_eq!(all, names(1..=MOST_SCHEDULES));
        assert!(oldest.bound(Event::Delete(made("many", MOST_SCHEDULES + 1))).is_empty());
        kept(&mut oldest, all, (1..=MOST_SCHEDULES).map(|at| Event::Delete(made("many", at))));
        assert!(oldest.0.is_empty());
    }

    #[test]
    fn a_schedule_that_takes_the_place_of_a_deleted_one_of_its_name_is_another() {
        let mut oldest = Oldest::default();
        oldest.bound(Event::Apply(made("many", 1)));
        let again = WebhookSchedule {
            metadata: ObjectMeta { uid: Some("new".into()), ..made("many", 1).metadata },
            ..schedule()
        };
        assert_eq!(oldest.bound(Event::Delete(made("many", 1))).len(), 1);
        assert_eq!(oldest.bound(Event::Apply(again)).len(), 1);
        assert_eq!(oldest.0["many"].by_age.len(), 1);
    }
}

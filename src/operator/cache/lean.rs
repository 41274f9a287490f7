//! The type that watches read: an object of which only the needed parts are ever in memory.

use std::borrow::Cow;

use kube::Resource;
use kube::core::ObjectMeta;
use kube::runtime::watcher::Event;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use super::bounded;
use super::prune::Prune;

/// An object as it is kept. It is bounded while it is parsed, so an object of megabytes costs only what is kept of it, in
/// addition to its text.
#[derive(Debug, Clone)]
pub(crate) struct Lean<K>(pub(crate) K);

impl<'de, K: Prune + DeserializeOwned> Deserialize<'de> for Lean<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (value, cut) = bounded::read(&K::RULES, deserializer)?;
        let mut object: K = serde_json::from_value(value).map_err(D::Error::custom)?;
        object.prune(&cut);
        Ok(Self(object))
    }
}

impl<K: Prune> Resource for Lean<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

/// Filters an event: an object that no reconcile needs, or needs any longer, counts as absent.
pub(crate) fn needed<K: Prune>(event: Event<Lean<K>>) -> Option<Event<K>> {
    match event {
        Event::Apply(Lean(object)) if object.is_needed() => Some(Event::Apply(object)),
        Event::Apply(Lean(object)) | Event::Delete(Lean(object)) => Some(Event::Delete(object)),
        Event::InitApply(Lean(object)) => object.is_needed().then_some(Event::InitApply(object)),
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
    }
}

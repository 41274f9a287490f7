//! Reads JSON into a bounded amount of memory, whatever the JSON holds: what exceeds the bound is skipped while it is parsed.
//!
//! Each field of an object and of its `spec` and `status` has a bound of its own, so a large field takes nothing from another.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::api::TIER_LABEL;
use crate::operator::names::{CANARY_LABEL, MANAGED_BY_LABEL, MANAGER, ROLE_LABEL, SCHEDULE_LABEL};

/// What is read of a kind.
pub(crate) struct Rules {
    /// The bound of each field, in bytes.
    pub(crate) room: usize,
    /// Annotations that are always read, each up to [`ANNOTATION`] bytes.
    pub(crate) annotations: &'static [&'static str],
    /// The bound of all other annotations together, in bytes. When an object is written again, others' annotations are kept up
    /// to this bound.
    pub(crate) other_annotations: usize,
    /// Whether to read if Postern wrote the object.
    pub(crate) manager: bool,
    /// Fields that are not read, each by its path.
    pub(crate) skip: &'static [&'static [&'static str]],
}

impl Rules {
    /// Enough for Postern's own data, with nothing to spare for others.
    pub(crate) const SMALL: Self =
        Self { room: 32 * 1024, annotations: &[], other_annotations: 0, manager: false, skip: &[] };
    /// Enough for a delivery's body, or for all blocks that a tier opens and closes.
    pub(crate) const LARGE: Self = Self { room: 512 * 1024, ..Self::SMALL };
}

/// The fields of which a part was left out because it exceeded the bound, such as `spec.egress`.
pub(crate) type Cut = BTreeSet<String>;

/// How much of an annotation's value is read, in bytes: more than is ever compared or shown.
pub(super) const ANNOTATION: usize = 1024;
/// The bound of any other metadata field, of all labels that are not Postern's, and of each owner, in bytes.
const LITTLE: usize = 2 * 1024;
/// How many owners are read; the controller is always read.
const OWNERS: usize = 8;
/// The overhead of an object or array, in bytes: types have fields for what isn't there.
const NODE: usize = 256;
/// The overhead of any other value and of a field's name, in addition to its text, in bytes.
const LEAF: usize = 32;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const METADATA: [&str; 10] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "annotations",
    "ownerReferences",
];
const LABELS: [&str; 5] = [MANAGED_BY_LABEL, SCHEDULE_LABEL, ROLE_LABEL, CANARY_LABEL, TIER_LABEL];

/// Reads an object.
pub(super) fn read<'de, D: Deserializer<'de>>(rules: &Rules, from: D) -> Result<(Value, Cut), D::Error> {
    let (room, cut) = (Cell::new(rules.room), RefCell::default());
    let value = Reader { path: &[], rules, room: &room, cut: &cut }.deserialize(from)?;
    Ok((value.unwrap_or_default(), cut.into_inner()))
}

/// Reads a value; `None` when the bound doesn't allow it.
#[derive(Clone, Copy)]
struct Reader<'a> {
    /// The path of fields that leads here. Elements of arrays add nothing to it.
    path: &'a [&'a str],
    rules: &'a Rules,
    /// How much is left, in bytes.
    room: &'a Cell<usize>,
    cut: &'a RefCell<Cut>,
}

impl Reader<'_> {
    /// Subtracts a cost, or notes that the bound is exceeded.
    fn pay(&self, cost: usize) -> Option<()> {
        let left = self.room.get().checked_sub(cost);
        if left.is_none() {
            self.cut.borrow_mut().insert(self.path.iter().take(2).copied().collect::<Vec<_>>().join("."));
        }
        self.room.set(left.unwrap_or_default());
        left.map(drop)
    }

    fn leaf(&self, value: impl Into<Value>) -> Option<Value> {
        self.pay(LEAF).map(|()| value.into())
    }

    /// Whether it is an annotation that may be truncated, since nobody writes it back.
    fn is_own_annotation(&self) -> bool {
        matches!(self.path, ["metadata", "annotations", name] if self.rules.annotations.contains(name))
    }

    /// The bound of a field that has its own; `None` for a field that shares its parent's, and `Some(0)` for one that isn't
    /// read.
    fn room_of(&self, path: &[&str]) -> Option<usize> {
        match path {
            ["metadata", "managedFields"] if self.rules.manager => Some(LITTLE),
            ["metadata", field] if !METADATA.contains(field) => Some(0),
            ["metadata", name @ "annotations"] => Some(LEAF + name.len() + NODE + self.rules.other_annotations),
            ["metadata", _] => Some(LITTLE),
            ["metadata", "labels", label] if LABELS.contains(label) => Some(LITTLE),
            ["metadata", "annotations", name] if self.rules.annotations.contains(name) => Some(LITTLE),
            ["metadata", "annotations", LAST_APPLIED] => Some(0),
            ["metadata", "managedFields", field] if *field != "manager" => Some(0),
            path if self.rules.skip.contains(&path) => Some(0),
            [_] | [_, _] => Some(self.rules.room),
            _ => None,
        }
    }

    /// Selects the owners and managers that show whose an object is.
    fn is_wanted(&self, element: &Value, before: usize) -> bool {
        match self.path {
            ["metadata", "managedFields"] => element["manager"] == MANAGER && before == 0,
            ["metadata", "ownerReferences"] => element["controller"] == true || before < OWNERS,
            _ => true,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        if self.room.get() == 0 {
            self.pay(1);
            return from.deserialize_ignored_any(IgnoredAny).map(|_| None);
        }
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(self.leaf(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(self.leaf(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(self.leaf(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(self.leaf(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(self.leaf(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        let value = if self.is_own_annotation() { &value[..value.floor_char_boundary(ANNOTATION)] } else { value };
        Ok(self.pay(LEAF + value.len()).map(|()| value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut kept = self.pay(NODE).map(|()| Vec::new());
        let is_shared = !matches!(self.path, ["metadata", "managedFields" | "ownerReferences"]);
        loop {
            let own = Cell::new(LITTLE);
            let room = if is_shared { self.room } else { &own };
            let Some(element) = seq.next_element_seed(Reader { room, ..self })? else { break };
            if let (Some(element), Some(kept)) = (element, &mut kept)
                && self.is_wanted(&element, kept.len())
            {
                kept.push(element);
            }
        }
        Ok(kept.map(Value::Array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut kept = self.pay(NODE).map(|()| Map::new());
        while let Some(key) = map.next_key::<String>()? {
            let path = [self.path, &[&key]].concat();
            let own = self.room_of(&path);
            if own == Some(0) || kept.is_none() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let own = own.map(Cell::new);
            let reader = Reader { path: &path, room: own.as_ref().unwrap_or(self.room), ..self };
            let has_room = reader.pay(LEAF + key.len()).is_some();
            let value = map.next_value_seed(reader)?.filter(|_| has_room);
            if let (Some(value), Some(kept)) = (value, &mut kept) {
                kept.insert(key, value);
            }
        }
        Ok(kept.map(Value::Object))
    }
}

#[cfg(test)]
mod tests;

//! Objects as the caches keep them: their JSON, compressed against a sample of their kind.
//!
//! The types of Kubernetes have a field for everything that may be there, so a CronJob of 3 KB of JSON takes some 20 KB of
//! memory. Objects of a kind differ in little, so against another one of them most of that JSON vanishes too. A reconcile unpacks
//! the few objects that it looks at.

use std::sync::OnceLock;

use lz4_flex::block::{compress_with_dict, decompress_with_dict};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An object of which only its compressed JSON is kept.
#[derive(Debug)]
pub(super) struct Packed {
    compressed: Box<[u8]>,
    /// The length of the JSON, in bytes.
    length: usize,
}

/// Packs the objects of a kind. The first of them is the sample for all others.
#[derive(Debug, Default)]
pub(super) struct Packer {
    sample: OnceLock<Box<[u8]>>,
}

impl Packer {
    /// Packs an object; `None` when it can't be written as JSON.
    pub(super) fn pack(&self, object: &impl Serialize) -> Option<Packed> {
        let json = serde_json::to_vec(object).ok()?;
        let sample = self.sample.get_or_init(|| json.clone().into());
        Some(Packed { compressed: compress_with_dict(&json, sample).into(), length: json.len() })
    }

    /// Unpacks an object that this packer has packed.
    pub(super) fn unpack<K: DeserializeOwned>(&self, Packed { compressed, length }: &Packed) -> Option<K> {
        let json = decompress_with_dict(compressed, *length, self.sample.get()?).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::batch::v1::CronJob;
    use serde_json::json;

    use super::*;
    use crate::api::WebhookSchedule;
    use crate::operator::build::cron_job::cron_job;
    use crate::operator::test_support::objects::{schedule, settings, valid_with};

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        let packer = Packer::default();
        let mut long = schedule();
        long.metadata.annotations = Some([("note".into(), "ö\"\n".repeat(10_000))].into());
        for object in [schedule(), long, schedule()] {
            assert_eq!(packer.unpack::<WebhookSchedule>(&packer.pack(&object).unwrap()).unwrap(), object);
        }
    }

    #[test]
    fn objects_of_a_kind_cost_what_differs() {
        let packer = Packer::default();
        let built: CronJob = cron_job(&valid_with(json!({})).unwrap(), false, &settings()).unwrap();
        let mut other = built.clone();
        other.metadata.name = Some("another".into());
        packer.pack(&built).unwrap();
        let small = packer.pack(&other).unwrap();
        assert!(small.length > 2_000 && small.compressed.len() < small.length / 10, "{small:?}");
        assert_eq!(packer.unpack::<CronJob>(&small).unwrap(), other);
    }
}

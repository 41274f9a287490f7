//! Objects as the caches keep them: their JSON, compressed against a sample of their kind.
//!
//! The types of Kubernetes have a field for everything that may be there, so a CronJob of 3 KB of JSON takes some 20 KB of
//! memory. Objects of a kind differ in little, so against another one of them most of that JSON vanishes too. What a reconcile
//! looks at is unpacked for it.

use std::sync::OnceLock;

use lz4_flex::block::{compress_with_dict, decompress_with_dict};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How much of the sample is kept, in bytes: LZ4 refers to nothing farther away.
const MOST_OF_SAMPLE: usize = 64 * 1024;

/// An object of which only its compressed JSON is kept.
#[derive(Debug)]
pub(super) struct Packed {
    compressed: Box<[u8]>,
    /// The length of the JSON, in bytes.
    pub(super) length: usize,
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
        let sample = self.sample.get_or_init(|| json[json.len().saturating_sub(MOST_OF_SAMPLE)..].into());
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
    use std::fmt::Debug;

    use k8s_openapi::api::batch::v1::{CronJob, Job};
    use k8s_openapi::api::core::v1::{Pod, Service, ServiceAccount};
    use k8s_openapi::api::discovery::v1::EndpointSlice;
    use k8s_openapi::api::networking::v1::NetworkPolicy;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::{WebhookSchedule, WebhookTier};
    use crate::operator::build::cron_job::cron_job;
    use crate::operator::cache::caches::NamespaceMetadata;
    use crate::operator::test_support::objects::{schedule, settings, tier, valid_with};

    fn assert_same<K: Serialize + DeserializeOwned + Debug>(objects: &[K]) {
        let packer = Packer::default();
        for object in objects {
            let unpacked: K = packer.unpack(&packer.pack(object).unwrap()).unwrap();
            assert_eq!(format!("{unpacked:?}"), format!("{object:?}"));
        }
    }

    /// An object of this kind, with fields that are empty and fields that are not.
    fn object<K: DeserializeOwned>(rest: Value) -> K {
        let metadata = json!({
            "name": "a", "namespace": "team-a", "uid": "u", "resourceVersion": "7", "labels": {}, "annotations": {"ö": "\"\n"},
            "creationTimestamp": "2027-01-15T08:00:00Z", "managedFields": [{"manager": "postern"}],
            "ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": "y", "controller": true}],
        });
        let Value::Object(mut object) = rest else { panic!("{rest}") };
        object.insert("metadata".into(), metadata);
        serde_json::from_value(object.into()).unwrap()
    }

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        let mut long = schedule();
        long.metadata.annotations = Some([("note".into(), "ö\"\n".repeat(100_000))].into());
        assert_same::<WebhookSchedule>(&[schedule(), long.clone(), schedule()]);
        assert_same::<WebhookSchedule>(&[long, schedule()]);
        assert_same::<WebhookTier>(&[tier()]);
        assert_same::<CronJob>(&[cron_job(&valid_with(json!({})).unwrap(), false, &settings()).unwrap()]);
        let condition = json!({"type": "Failed", "status": "True", "lastTransitionTime": "2027-01-15T08:00:00Z"});
        let status = json!({"conditions": [condition], "active": 0, "uncountedTerminatedPods": {}});
        assert_same::<Job>(&[object(json!({"spec": {"template": {}, "suspend": false}, "status": status}))]);
        let terminated = json!({"terminated": {"exitCode": 0, "message": "{}"}});
        let container = json!({"name": "sender", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": terminated});
        assert_same::<Pod>(&[object(json!({"status": {"phase": "Failed", "containerStatuses": [container]}}))]);
        assert_same::<ServiceAccount>(&[object(json!({"automountServiceAccountToken": false, "secrets": []}))]);
        let egress =
            json!([{}, {"to": [{"ipBlock": {"cidr": "::/0", "except": []}}], "ports": [{"port": 443}, {"port": "x"}]}]);
        assert_same::<NetworkPolicy>(&[object(json!({"spec": {"podSelector": {}, "egress": egress, "ingress": []}}))]);
        assert_same::<Service>(&[object(json!({"spec": {"clusterIPs": ["::1"]}, "status": {"loadBalancer": {}}}))]);
        assert_same::<EndpointSlice>(&[object(json!({"addressType": "IPv6", "endpoints": [{"addresses": ["::1"]}]}))]);
        assert_same::<NamespaceMetadata>(&[
            object(json!({})),
            object(json!({"apiVersion": "v1", "kind": "Namespace"})),
        ]);
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
    }
}

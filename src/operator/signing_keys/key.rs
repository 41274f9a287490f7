//! One key: how it is generated, the Secret that holds it, and its entry in the status.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use zeroize::{Zeroize as _, Zeroizing};

use crate::api::{KeyState, ManagedKeyType, SigningKeyStatus, WebhookSchedule};
use crate::operator::names;
use crate::operator::validate::keys::{ALPHABET, SUFFIX};
use crate::signing::SigningKey;

/// A key that no Secret holds yet.
pub(super) struct NewKey {
    pub(super) name: String,
    text: Zeroizing<String>,
    fingerprint: String,
    public_key: Option<String>,
}

impl NewKey {
    /// Makes a key of this type, and a name for it. `None` when the system's random source gives nothing.
    pub(super) fn generate(schedule: &str, key_type: ManagedKeyType) -> Option<Self> {
        let text = match key_type {
            ManagedKeyType::V1 => SigningKey::generate_hmac(),
            ManagedKeyType::V1a => SigningKey::generate_ed25519(),
        };
        let text = text.ok()?;
        let key = SigningKey::parse(text.as_bytes()).ok()?;
        let public_key = match &key {
            SigningKey::Hmac(_) => None,
            SigningKey::Ed25519(key) => Some(key.public().to_string()),
        };
        let mut bytes = [0; SUFFIX];
        getrandom::fill(&mut bytes).ok()?;
        let suffix: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
        let name = names::signing_key(schedule, &suffix);
        Some(Self { name, fingerprint: key.fingerprint().to_string(), public_key, text })
    }

    /// The key's entry in the status before its Secret is created.
    pub(super) fn status(&self, now: Timestamp) -> SigningKeyStatus {
        SigningKeyStatus {
            fingerprint: self.fingerprint.clone(),
            state: KeyState::Pending,
            secret_name: Some(self.name.clone()),
            public_key: self.public_key.clone(),
            created_at: Some(Time(now)),
            retires_at: None,
        }
    }

    /// The Secret, as the API server expects it. The copies that serialization and the connection make can't be wiped.
    pub(super) fn secret(self, schedule: &WebhookSchedule) -> serde_json::Result<Vec<u8>> {
        let owner = schedule.controller_owner_ref(&());
        let data = ByteString(self.text.as_bytes().to_vec());
        let mut secret = Secret {
            metadata: ObjectMeta {
                name: Some(self.name),
                namespace: schedule.namespace(),
                labels: Some(names::key_labels(&schedule.name_any())),
                owner_references: owner.map(|owner| vec![OwnerReference { block_owner_deletion: None, ..owner }]),
                ..ObjectMeta::default()
            },
            type_: Some(names::SIGNING_KEY_TYPE.into()),
            immutable: Some(true),
            data: Some(BTreeMap::from([(names::SIGNING_KEY.into(), data)])),
            string_data: None,
        };
        let json = serde_json::to_vec(&secret);
        secret.data.iter_mut().flat_map(BTreeMap::values_mut).for_each(|data| data.0.zeroize());
        json
    }
}

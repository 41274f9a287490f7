//! Signing keys that Postern makes: who can verify with them, and what happens to them across rotations.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, PostParams};
use postern::api::{DeliveryOutcome, KeyState, ROTATE_ANNOTATION, SigningKeyStatus};
use postern_e2e::receiver::Request;
use postern_e2e::{OK, Receiver, Tenant, eventually, on_cluster};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::json;
use standardwebhooks::Webhook;

async fn make_managed(tenant: &Tenant, managed: serde_json::Value) {
    tenant.make_schedule_with("report", json!({"signing": {"managed": managed}})).await;
    tenant.condition("report", "Ready", "True", "Ready").await;
}

async fn rotate(tenant: &Tenant, value: &str) {
    tenant.change("report", json!({"metadata": {"annotations": {ROTATE_ANNOTATION: value}}})).await;
}

/// Waits until a requested rotation is done and the CronJob has its keys, and returns these, the newest first.
async fn rotated(tenant: &Tenant, value: &str) -> Vec<SigningKeyStatus> {
    eventually(&format!("the rotation {value}"), async || {
        let status = tenant.status("report").await;
        let keys: Vec<_> = status.signing_keys.into_iter().filter(|key| signs(key.state)).collect();
        let is_followed = status.last_rotation.as_ref().is_some_and(|rotation| rotation.value == value);
        let mounted = mounted(&tenant.cron_job("report", "the CronJob", |_| true).await);
        if is_followed && mounted == names(&keys) { Ok(keys) } else { Err((keys, mounted)) }
    })
    .await
}

/// Reads a key as somebody who has the role `edit` in the namespace.
async fn read_key(tenant: &Tenant, key: &SigningKeyStatus) -> String {
    let (name, binding) = (key.secret_name.as_deref().unwrap(), format!("--namespace={}", tenant.namespace));
    let bind = ["kubectl", "create", "rolebinding", "user", "--clusterrole=edit", "--user=user", &binding];
    let _ = tenant.cluster.run(&bind, "");
    let read = ["kubectl", "get", "secret", name, &binding, "--as=user", "--output=json"];
    let json = eventually("the user's rights to be seen", async || tenant.cluster.run(&read, "")).await;
    let secret: Secret = serde_json::from_str(&json).unwrap();
    assert_eq!((secret.immutable, secret.type_.as_deref()), (Some(true), Some("postern.dev/signing-key")));
    String::from_utf8(secret.data.unwrap()["key"].0.clone()).unwrap()
}

async fn secret_names(tenant: &Tenant) -> BTreeSet<String> {
    let theirs = ListParams::default().labels("app.kubernetes.io/managed-by=postern");
    tenant.secrets().list(&theirs).await.unwrap().items.iter().map(ResourceExt::name_any).collect()
}

/// Waits until the status and the namespace have the Secrets of exactly this many signing keys, and no others.
async fn only_keys_that_sign_are_left(tenant: &Tenant, count: usize) -> Vec<SigningKeyStatus> {
    eventually("the Secrets of older keys to be gone", async || {
        let (keys, there) = (tenant.status("report").await.signing_keys, secret_names(tenant).await);
        let all_sign = keys.iter().all(|key| signs(key.state));
        if all_sign && keys.len() == count && names(&keys) == there { Ok(keys) } else { Err((keys, there)) }
    })
    .await
}

fn signs(state: KeyState) -> bool {
    matches!(state, KeyState::Active | KeyState::Retiring)
}

fn names(keys: &[SigningKeyStatus]) -> BTreeSet<String> {
    keys.iter().filter_map(|key| key.secret_name.clone()).collect()
}

/// The Secrets of keys that a CronJob's pods mount.
fn mounted(cron_job: &CronJob) -> BTreeSet<String> {
    let pod = cron_job.spec.job_template.spec.as_ref().and_then(|job| job.template.spec.as_ref());
    let volumes = pod.and_then(|pod| pod.volumes.as_ref()).into_iter().flatten();
    let sources = volumes.filter_map(|volume| volume.projected.as_ref()?.sources.as_ref()).flatten();
    let secrets = sources.filter_map(|source| source.secret.as_ref()).map(|secret| secret.name.clone());
    secrets.filter(|name| name.starts_with("postern-")).collect()
}

fn verifies(key: &str, request: &Request) -> bool {
    Webhook::new(key).unwrap().verify(&request.body, &request.header_map()).is_ok()
}

/// Whether the private half of this key made one of a request's signatures (Standard Webhooks, `v1a`).
fn verifies_by_public_key(key: &str, request: &Request) -> bool {
    let bytes = STANDARD.decode(key.strip_prefix("whpk_").unwrap()).unwrap();
    let key = UnparsedPublicKey::new(&ED25519, bytes);
    let header = |name| request.header(name).unwrap();
    let signed = [header("webhook-id").as_bytes(), header("webhook-timestamp").as_bytes(), &request.body].join(&b'.');
    header("webhook-signature")
        .split(' ')
        .filter_map(|signature| signature.strip_prefix("v1a,"))
        .any(|signature| key.verify(&signed, &STANDARD.decode(signature).unwrap()).is_ok())
}

#[test]
fn a_key_that_postern_made_is_the_tenant_s_to_read_and_across_a_rotation_either_key_verifies_every_delivery() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        make_managed(&tenant, json!({"overlap": "5m"})).await;
        let first = tenant.status("report").await.signing_keys.remove(0);
        assert_eq!((first.state, &first.public_key), (KeyState::Active, &None));
        let old = read_key(&tenant, &first).await;

        tenant.tick_of("report", 3).await;
        rotate(&tenant, "one").await;
        // The Job may find the CronJob with the old or the new keys.
        tenant.tick_of("report", 2).await;
        let keys = rotated(&tenant, "one").await;
        assert_eq!(keys.iter().map(|key| key.state).collect::<Vec<_>>(), [KeyState::Active, KeyState::Retiring]);
        assert_eq!(keys[1].fingerprint, first.fingerprint);
        let new = read_key(&tenant, &keys[0]).await;
        tenant.tick_of("report", 1).await;

        let deliveries = tenant.deliveries("report", 3).await;
        assert!(deliveries.iter().all(|delivery| delivery.outcome == DeliveryOutcome::Delivered), "{deliveries:?}");
        let signed: Vec<_> = keys.iter().map(|key| key.fingerprint.clone()).collect();
        assert_eq!(deliveries[0].key_fingerprints, signed, "the newest first");
        let requests = receiver.requests();
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|request| verifies(&old, request)));
        let last = requests.iter().find(|request| request.header("webhook-id") == deliveries[0].id.as_deref());
        assert!(verifies(&new, last.unwrap()));

        let created = tenant.events("KeyCreated").await;
        assert!(matches!(&created[..], [(note, 1)] if note.contains(&first.fingerprint)), "{created:?}");
        let rotated = tenant.events("KeyRotated").await;
        assert!(matches!(&rotated[..], [(note, 1)] if note.contains(&keys[0].fingerprint)), "{rotated:?}");
        for key in [old, new] {
            assert!(!json!(tenant.schedules.get("report").await.unwrap()).to_string().contains(&key));
        }
    });
}

#[test]
fn the_public_keys_in_the_status_verify_what_the_private_ones_sign_across_a_rotation() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        make_managed(&tenant, json!({"keyType": "v1a"})).await;
        tenant.tick_of("report", 2).await;
        tenant.deliveries("report", 1).await;
        rotate(&tenant, "one").await;
        let keys = rotated(&tenant, "one").await;
        tenant.tick_of("report", 1).await;
        tenant.deliveries("report", 2).await;

        let public: Vec<_> = keys.iter().map(|key| key.public_key.clone().unwrap()).collect();
        let requests = receiver.requests();
        let verified = |request| public.iter().map(|key| verifies_by_public_key(key, request)).collect::<Vec<_>>();
        assert_eq!(requests.iter().map(verified).collect::<Vec<_>>(), [[false, true], [true, true]]);
    });
}

#[test]
fn after_the_overlap_the_old_key_signs_no_more_and_its_secret_is_deleted() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        make_managed(&tenant, json!({"overlap": "5s"})).await;
        let old = read_key(&tenant, &tenant.status("report").await.signing_keys[0]).await;
        rotate(&tenant, "one").await;
        eventually("the end of the overlap", async || {
            let keys = tenant.status("report").await.signing_keys;
            if keys.last().unwrap().state == KeyState::Retired { Ok(()) } else { Err(keys) }
        })
        .await;
        assert_eq!(secret_names(&tenant).await.len(), 2, "it stays for what began before");
        tenant.tick("report").await;
        tenant.deliveries("report", 1).await;
        let left = only_keys_that_sign_are_left(&tenant, 1).await;
        let new = read_key(&tenant, &left[0]).await;
        let request = receiver.only_request();
        assert_eq!((verifies(&old, &request), verifies(&new, &request)), (false, true));
    });
}

#[test]
fn a_revoked_key_signs_nothing_from_then_on_and_keys_end_with_the_spec_that_asked_for_them() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        make_managed(&tenant, json!({})).await;
        let old = read_key(&tenant, &tenant.status("report").await.signing_keys[0]).await;
        rotate(&tenant, "revoke-1").await;
        let keys = rotated(&tenant, "revoke-1").await;
        assert_eq!(keys.len(), 1);
        tenant.tick_of("report", 1).await;
        tenant.deliveries("report", 1).await;
        let (new, request) = (read_key(&tenant, &keys[0]).await, receiver.only_request());
        assert_eq!((verifies(&old, &request), verifies(&new, &request)), (false, true));
        assert_eq!(tenant.events("KeyRevoked").await.len(), 1);

        let own = json!({"managed": null, "keysFrom": [{"secretKeyRef": {"name": "hook", "key": "key"}}]});
        tenant.change("report", json!({"spec": {"signing": own}})).await;
        only_keys_that_sign_are_left(&tenant, 0).await;
        tenant.condition("report", "Ready", "True", "Ready").await;
    });
}

#[test]
fn a_secret_stays_while_a_delivery_has_it_mounted_and_all_go_with_the_schedule() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let _receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        make_managed(&tenant, json!({})).await;
        // A delivery that stays under way as long as the test needs.
        let mut job = tenant.job_of("report", 0).await;
        job.spec.as_mut().unwrap().suspend = Some(true);
        tenant.jobs().create(&PostParams::default(), &job).await.unwrap();

        let in_use = tenant.status("report").await.signing_keys.remove(0).secret_name.unwrap();
        rotate(&tenant, "revoke-1").await;
        let unused = rotated(&tenant, "revoke-1").await.remove(0).secret_name.unwrap();
        rotate(&tenant, "revoke-2").await;
        rotated(&tenant, "revoke-2").await;
        eventually("the Secret that nothing has mounted to be gone", async || {
            let there = secret_names(&tenant).await;
            if there.contains(&unused) { Err(there) } else { Ok(()) }
        })
        .await;
        assert!(secret_names(&tenant).await.contains(&in_use), "its key was revoked first");
        tenant.jobs().delete(&job.name_any(), &DeleteParams::background()).await.unwrap();
        only_keys_that_sign_are_left(&tenant, 1).await;

        tenant.schedules.delete("report", &DeleteParams::background()).await.unwrap();
        eventually("the Secrets to be gone", async || {
            let there = secret_names(&tenant).await;
            if there.is_empty() { Ok(()) } else { Err(there) }
        })
        .await;
    });
}

#[test]
fn an_operator_that_is_killed_in_rotations_leaves_no_secret_behind_and_loses_no_key() {
    on_cluster(|cluster, namespace| async move {
        let mut tenant = Tenant::new(cluster, namespace).await;
        let receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        make_managed(&tenant, json!({"rotateEvery": "2h", "overlap": "1h"})).await;
        let first = read_key(&tenant, &tenant.status("report").await.signing_keys[0]).await;
        for round in 1..=5 {
            let before = tenant.status("report").await.signing_keys;
            rotate(&tenant, &round.to_string()).await;
            if round % 2 == 0 {
                eventually("the rotation to begin", async || {
                    let keys = tenant.status("report").await.signing_keys;
                    if keys == before { Err(keys) } else { Ok(()) }
                })
                .await;
            }
            // At whatever step the operator is by now.
            tenant.kill_operator();
            tenant.start_operator();
        }
        // Rounds whose operators were killed before they saw the value made no key.
        let count = rotated(&tenant, "5").await.len();
        let left = only_keys_that_sign_are_left(&tenant, count).await;
        assert_eq!(left.iter().filter(|key| key.state == KeyState::Active).count(), 1);
        tenant.tick("report").await;
        let delivery = tenant.deliveries("report", 1).await.remove(0);
        assert_eq!(delivery.outcome, DeliveryOutcome::Delivered);
        assert!(verifies(&first, &receiver.only_request()), "the first key's overlap has not ended");
    });
}

//! The pod of a delivery: stricter than the `restricted` Pod Security Standard. A tenant can't influence any of it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapProjection, Container, DownwardAPIProjection, DownwardAPIVolumeFile, KeyToPath,
    ObjectFieldSelector, PodDNSConfig, PodSecurityContext, PodSpec, PodTemplateSpec, ProjectedVolumeSource,
    ResourceRequirements, SeccompProfile, SecretProjection, SecurityContext, Volume, VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::delivery::{Delivery, FileRef, KeyRef, Origin, Probes, Run};
use crate::operator::names;
use crate::operator::settings::Settings;
use crate::operator::validate::ValidatedSchedule;

/// The sender's folder, and the name of the volume.
const FOLDER: &str = "postern";
/// Any user except root works; the image has no files that belong to one.
const USER: i64 = 65_532;
/// Time for pulling the image, mounting, and shutting down, in addition to the delivery's own deadline, in seconds.
const SLACK_SECONDS: i64 = 120;
/// Time for pulling the image, mounting, and the check, in seconds. A check makes no attempts, so the delivery's own time isn't
/// added.
const CHECK_SECONDS: i64 = 140;
/// How long a canary may run, in seconds.
const CANARY_SECONDS: i64 = 60;
/// How long the sender may take to report that it was stopped, in seconds.
const GRACE_SECONDS: i64 = 5;

/// The template of a delivery's pod.
pub(super) fn pod(
    valid: &ValidatedSchedule,
    delivery: &Delivery,
    settings: &Settings,
) -> serde_json::Result<PodTemplateSpec> {
    Ok(template(Task::of(valid, delivery)?, settings))
}

/// The template of a check's pod: like a delivery's, but it sends nothing.
pub(super) fn check_pod(valid: &ValidatedSchedule, settings: &Settings) -> serde_json::Result<PodTemplateSpec> {
    let delivery = Task::of(valid, &valid.delivery)?;
    Ok(template(Task { argument: Some("--check"), seconds: CHECK_SECONDS, ..delivery }, settings))
}

/// The template of a canary's pod: like a delivery's, without anything that belongs to a tenant.
pub(super) fn canary_pod(probes: &Probes, settings: &Settings) -> serde_json::Result<PodTemplateSpec> {
    let task = Task {
        argument: Some("--canary"),
        labels: names::canary_labels(),
        told: (names::PROBES_ANNOTATION, serde_json::to_string(probes)?),
        files: vec![own_file("probes.json", &format!("metadata.annotations['{}']", names::PROBES_ANNOTATION))],
        mounts: &[],
        seconds: CANARY_SECONDS + SLACK_SECONDS,
    };
    Ok(template(task, settings))
}

/// What distinguishes one sender's pod from another.
struct Task<'a> {
    /// The sender's argument; none for a delivery.
    argument: Option<&'static str>,
    labels: BTreeMap<String, String>,
    /// The annotation that tells the sender what to do.
    told: (&'static str, String),
    /// Files with what the pod knows about itself.
    files: Vec<DownwardAPIVolumeFile>,
    /// Files from the tenant's Secrets and `ConfigMap`s.
    mounts: &'a [FileRef],
    /// How long the pod may live, in seconds.
    seconds: i64,
}

impl<'a> Task<'a> {
    fn of(valid: &'a ValidatedSchedule, delivery: &Delivery) -> serde_json::Result<Self> {
        Ok(Self {
            argument: None,
            labels: names::labels(&valid.name),
            told: (names::DELIVERY_ANNOTATION, serde_json::to_string(delivery)?),
            files: vec![
                own_file("delivery.json", &format!("metadata.annotations['{}']", names::DELIVERY_ANNOTATION)),
                own_file("job-name", "metadata.labels['batch.kubernetes.io/job-name']"),
            ],
            mounts: &valid.mounts,
            seconds: i64::from(delivery.retries.total_deadline_seconds) + i64::from(lead(delivery)) + SLACK_SECONDS,
        })
    }
}

/// How long the pod may wait for its time, in seconds.
fn lead(delivery: &Delivery) -> u32 {
    match &delivery.run {
        Run::Scheduled(timing) => timing.lead_seconds,
        Run::Triggered(_) => 0,
    }
}

fn template(task: Task<'_>, settings: &Settings) -> PodTemplateSpec {
    let sender = &settings.sender;
    let (annotation, told) = task.told;
    let metadata = ObjectMeta {
        labels: Some(task.labels),
        annotations: Some(BTreeMap::from([(annotation.into(), told)])),
        ..ObjectMeta::default()
    };
    let spec = PodSpec {
        // Set it on the pod: on the Job, it would delete the pod together with its outcome.
        active_deadline_seconds: Some(task.seconds),
        automount_service_account_token: Some(false),
        containers: vec![container(task.argument, settings)],
        // Otherwise the kubelet adds search domains.
        dns_policy: Some("None".into()),
        dns_config: Some(PodDNSConfig {
            nameservers: Some(settings.name_servers.iter().map(ToString::to_string).collect()),
            ..PodDNSConfig::default()
        }),
        enable_service_links: Some(false),
        image_pull_secrets: some(&sender.image_pull_secrets),
        node_selector: (!sender.node_selector.is_empty()).then(|| sender.node_selector.clone()),
        priority_class_name: sender.priority_class_name.clone(),
        restart_policy: Some("Never".into()),
        scheduler_name: Some("default-scheduler".into()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            // Root and the group can read mounted files, and the sender is in that group.
            fs_group: Some(USER),
            seccomp_profile: Some(runtime_default()),
            ..PodSecurityContext::default()
        }),
        service_account: Some(names::SENDER_CHILDREN.into()),
        service_account_name: Some(names::SENDER_CHILDREN.into()),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        tolerations: some(&sender.tolerations),
        volumes: Some(vec![folder(task.files, task.mounts)]),
        ..PodSpec::default()
    };
    PodTemplateSpec { metadata: Some(metadata), spec: Some(spec) }
}

fn some<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}

fn container(argument: Option<&str>, settings: &Settings) -> Container {
    Container {
        args: argument.map(|argument| vec![argument.into()]),
        name: names::SENDER_CONTAINER.into(),
        image: Some(settings.sender.image.clone()),
        image_pull_policy: Some(settings.sender.image_pull_policy.clone()),
        resources: Some(resources(&settings.sender.resources)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".into()]), ..Capabilities::default() }),
            privileged: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            seccomp_profile: Some(runtime_default()),
            ..SecurityContext::default()
        }),
        termination_message_path: Some("/dev/termination-log".into()),
        termination_message_policy: Some("File".into()),
        volume_mounts: Some(vec![VolumeMount {
            name: FOLDER.into(),
            mount_path: format!("/{FOLDER}"),
            read_only: Some(true),
            ..VolumeMount::default()
        }]),
        ..Container::default()
    }
}

/// The resources that the admin set, and in any case a limit for memory and CPU.
fn resources(set: &ResourceRequirements) -> ResourceRequirements {
    let with_defaults = |set: &Option<BTreeMap<String, Quantity>>, cpu: &str, memory: &str| {
        let mut all = set.clone().unwrap_or_default();
        for (name, quantity) in [("cpu", cpu), ("memory", memory)] {
            all.entry(name.into()).or_insert_with(|| Quantity(quantity.into()));
        }
        Some(all)
    };
    ResourceRequirements {
        requests: with_defaults(&set.requests, "5m", "8Mi"),
        limits: with_defaults(&set.limits, "200m", "32Mi"),
        ..set.clone()
    }
}

fn runtime_default() -> SeccompProfile {
    SeccompProfile { type_: "RuntimeDefault".into(), ..SeccompProfile::default() }
}

/// The sender's folder, as `docs/sender.md` describes it. Entries that are missing from a tenant's object are left out, so the
/// sender can report what is missing and no pod waits for it.
fn folder(own: Vec<DownwardAPIVolumeFile>, mounts: &[FileRef]) -> Volume {
    let own = DownwardAPIProjection { items: Some(own) };
    let own = VolumeProjection { downward_api: Some(own), ..VolumeProjection::default() };
    let sources = std::iter::once(own).chain(mounts.iter().map(projection)).collect();
    Volume {
        name: FOLDER.into(),
        projected: Some(ProjectedVolumeSource {
            default_mode: Some(0o440),
            sources: Some(sources),
            ..ProjectedVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn own_file(path: &str, field: &str) -> DownwardAPIVolumeFile {
    DownwardAPIVolumeFile {
        path: path.into(),
        field_ref: Some(ObjectFieldSelector { api_version: Some("v1".into()), field_path: field.into() }),
        ..DownwardAPIVolumeFile::default()
    }
}

fn projection(file: &FileRef) -> VolumeProjection {
    let items =
        |key: &KeyRef| Some(vec![KeyToPath { key: key.key.clone(), path: file.path.clone(), ..KeyToPath::default() }]);
    match &file.from {
        Origin::Secret(key) => VolumeProjection {
            secret: Some(SecretProjection { name: key.name.clone(), items: items(key), optional: Some(true) }),
            ..VolumeProjection::default()
        },
        Origin::ConfigMap(key) => VolumeProjection {
            config_map: Some(ConfigMapProjection { name: key.name.clone(), items: items(key), optional: Some(true) }),
            ..VolumeProjection::default()
        },
    }
}

//! The shape of the Jobs and pods that the operator's account may make.

use postern_e2e::Cluster;
use serde_json::{Value, json};

use super::children::{CRON_JOBS, Children, IMAGE, JOBS, anew, set};
use super::make;
use super::people::{DRY, POSTERN, refused_by};

const POLICY: &str = "postern-confine-senders";

const ONE_POD: &str =
    "the operator's account may write only Jobs with one pod, with parallelism and completions at most 1";
const LABELS: &str = "the operator's account may run only pods that have the sender's labels, no labels or annotations other \
    than Postern's, and no finalizers";
const JOB: &str = "the operator's account may set only the fields of a Job that senders need, with backoffLimit at most 6, \
    completionMode NonIndexed, and without manualSelector";
const CRON_JOB: &str = "the operator's account may set only the fields of a CronJob that schedules need, and in its \
    jobTemplate only Postern's labels and annotations";
const POD: &str = "the operator's account may set only the pod fields that senders need, with enableServiceLinks false, \
    restartPolicy Never, the default scheduler, and terminationGracePeriodSeconds at most 30";
const NAMES: &str =
    "the operator's account may run only pods with dnsPolicy None, and may set only nameservers in dnsConfig";
const ACCOUNT: &str = "the operator's account may run only pods with the ServiceAccount postern-sender and \
    automountServiceAccountToken false";
const VOLUMES: &str = "the operator's account may run only pods with one volume, which must be named postern and be \
    projected only from Secrets, ConfigMaps and the downwardAPI";
const MODE: &str = "the operator's account may mount only single items of Secrets, ConfigMaps and the downwardAPI, with \
    defaultMode 0440, and may set no other mode";
const MOUNT: &str = "the operator's account may mount only the volume postern, whole and read-only, at /postern, with the \
    default terminationMessagePath and terminationMessagePolicy";
const POD_RESTRICTED: &str = "the operator's account may run only pods that meet the Pod Security Standard restricted, with \
    user, group and fsGroup 65532";
const ONE_CONTAINER: &str = "the operator's account may run only pods with one container, named sender, with the image \
    postern.dev/e2e/toolbox:latest: if the operator's configuration has another image, set it in this policy, too";
const PRIORITY: &str = "the operator's account may run only pods with no priority class: if the operator's configuration has \
    another, set it in this policy, too";
const CONTAINER: &str = "the operator's account may set only the container fields that a sender needs, and as args only \
    --check or --canary";
const RESTRICTED: &str = "the operator's account may run only containers that meet the Pod Security Standard restricted, \
    with a read-only root filesystem";

pub(super) async fn all(cluster: &Cluster, children: &Children) {
    its_pods_are_those_of_senders(cluster, children).await;
    nothing_stands_for_the_sender_s_program(cluster, children).await;
    its_jobs_and_cron_jobs_are_those_of_schedules(cluster, children).await;
    an_older_template_may_stay_as_it_is(cluster, children).await;
}

/// Asserts that a pod with this value at this place is refused with these words, in a Job and in a CronJob.
async fn refuses(cluster: &Cluster, children: &Children, pointer: &str, value: &Value, words: &str) {
    let mut job = children.job("postern-more");
    if ["/spec/containers/-", "/spec/containers/0/name", "/spec/restartPolicy"].contains(&pointer) {
        // The failure policy is about the one container, which must not be restarted.
        job["spec"].as_object_mut().unwrap().remove("podFailurePolicy");
    }
    let mut template = job["spec"]["template"].take();
    if pointer.ends_with("serviceAccountName") {
        template["spec"].as_object_mut().unwrap().remove("serviceAccount");
    }
    set(&mut template, pointer, value.clone());
    job["spec"]["template"] = template;
    let refusal = refused_by(POLICY, POSTERN.create(cluster, &format!("{JOBS}{DRY}"), &job).await);
    assert_eq!(refusal, words, "{pointer}: {value}");

    let mut cron_job = anew(&children.cron_job, "postern-more");
    cron_job["spec"]["jobTemplate"]["spec"] = job["spec"].take();
    let refusal = refused_by(POLICY, POSTERN.create(cluster, &format!("{CRON_JOBS}{DRY}"), &cron_job).await);
    assert_eq!(refusal, words, "in a CronJob: {pointer}: {value}");
}

async fn its_pods_are_those_of_senders(cluster: &Cluster, children: &Children) {
    POSTERN.create(cluster, &format!("{JOBS}{DRY}"), &children.job("postern-more")).await.unwrap();
    let container = |field: &str| format!("/spec/containers/0{field}");
    let sources = "/spec/volumes/0/projected/sources/-";
    for (pointer, value, words) in [
        ("/metadata/labels/postern.dev~1role", json!("other"), LABELS),
        ("/metadata/labels/app.kubernetes.io~1managed-by", json!("alice"), LABELS),
        ("/metadata/labels/app", json!("shop"), LABELS),
        ("/metadata/finalizers", json!(["example.com/hold"]), LABELS),
        ("/metadata/annotations/k8s.v1.cni.cncf.io~1networks", json!("other"), LABELS),
        ("/spec/hostNetwork", json!(true), POD),
        ("/spec/hostPID", json!(true), POD),
        ("/spec/hostIPC", json!(true), POD),
        ("/spec/nodeName", json!("node"), POD),
        ("/spec/initContainers", json!([{"name": "first", "image": IMAGE}]), POD),
        ("/spec/runtimeClassName", json!("other"), POD),
        ("/spec/hostAliases", json!([{"ip": "10.0.0.1", "hostnames": ["hooks.example.com"]}]), POD),
        ("/spec/enableServiceLinks", json!(true), POD),
        ("/spec/restartPolicy", json!("OnFailure"), POD),
        ("/spec/schedulerName", json!("theirs"), POD),
        ("/spec/terminationGracePeriodSeconds", json!(86_400), POD),
        ("/spec/dnsPolicy", json!("Default"), NAMES),
        ("/spec/dnsConfig/searches", json!(["team.svc.cluster.local"]), NAMES),
        ("/spec/dnsConfig/options", json!([{"name": "ndots", "value": "5"}]), NAMES),
        ("/spec/priorityClassName", json!("system-cluster-critical"), PRIORITY),
        ("/spec/serviceAccountName", json!("default"), ACCOUNT),
        ("/spec/automountServiceAccountToken", json!(true), ACCOUNT),
        ("/spec/volumes/-", json!({"name": "host", "hostPath": {"path": "/"}}), VOLUMES),
        ("/spec/volumes/-", json!({"name": "claim", "persistentVolumeClaim": {"claimName": "theirs"}}), VOLUMES),
        ("/spec/volumes/-", json!({"name": "secret", "secret": {"secretName": "theirs"}}), VOLUMES),
        (sources, json!({"serviceAccountToken": {"path": "token"}}), VOLUMES),
        ("/spec/securityContext/runAsNonRoot", json!(false), POD_RESTRICTED),
        ("/spec/securityContext/seccompProfile", json!({"type": "Unconfined"}), POD_RESTRICTED),
        ("/spec/securityContext/runAsUser", json!(1), POD_RESTRICTED),
        ("/spec/securityContext/runAsGroup", json!(0), POD_RESTRICTED),
        ("/spec/securityContext/fsGroup", json!(0), POD_RESTRICTED),
        ("/spec/securityContext/supplementalGroups", json!([0]), POD_RESTRICTED),
        ("/spec/securityContext", Value::Null, POD_RESTRICTED),
        ("/spec/containers/-", json!({"name": "second", "image": IMAGE}), ONE_CONTAINER),
        (&container("/image"), json!("busybox"), ONE_CONTAINER),
        (&container("/name"), json!("other"), ONE_CONTAINER),
        (&container("/command"), json!(["sh"]), CONTAINER),
        (&container("/args"), json!(["--root", "/proc"]), CONTAINER),
        (&container("/env"), json!([{"name": "A", "value": "b"}]), CONTAINER),
        (&container("/envFrom"), json!([{"secretRef": {"name": "theirs"}}]), CONTAINER),
        (&container("/lifecycle"), json!({"postStart": {"httpGet": {"host": "10.0.0.1", "port": 80}}}), CONTAINER),
        (&container("/livenessProbe"), json!({"tcpSocket": {"host": "10.0.0.1", "port": 80}}), CONTAINER),
        (&container("/securityContext"), Value::Null, RESTRICTED),
        (&container("/securityContext/allowPrivilegeEscalation"), json!(true), RESTRICTED),
        (&container("/securityContext/readOnlyRootFilesystem"), json!(false), RESTRICTED),
        (&container("/securityContext/runAsNonRoot"), json!(false), RESTRICTED),
        (&container("/securityContext/runAsUser"), json!(0), RESTRICTED),
        (&container("/securityContext/capabilities"), json!({"drop": ["ALL"], "add": ["NET_RAW"]}), RESTRICTED),
        (&container("/securityContext/seccompProfile"), json!({"type": "Unconfined"}), RESTRICTED),
        (&container("/securityContext/procMount"), json!("Default"), RESTRICTED),
    ] {
        refuses(cluster, children, pointer, &value, words).await;
    }
}

/// A Secret can hold a program, and a mount can put it at any path.
async fn nothing_stands_for_the_sender_s_program(cluster: &Cluster, children: &Children) {
    let mount = |field: &str, value: Value| {
        let mut mount = json!({"name": "postern", "mountPath": "/postern", "readOnly": true});
        mount[field] = value;
        json!([mount])
    };
    let mounts = "/spec/containers/0/volumeMounts";
    let program = json!({"name": "postern", "mountPath": "/postern-sender", "subPath": "program", "readOnly": true});
    for mounted in [
        json!([program]),
        json!([mount("readOnly", json!(true))[0], program]),
        mount("mountPath", json!("/postern-sender")),
        mount("subPath", json!("url")),
        mount("readOnly", json!(false)),
        mount("mountPropagation", json!("HostToContainer")),
        mount("recursiveReadOnly", json!("IfPossible")),
        json!([]),
    ] {
        refuses(cluster, children, mounts, &mounted, MOUNT).await;
    }
    for (field, value) in [
        ("terminationMessagePath", json!("/postern-sender")),
        ("terminationMessagePolicy", json!("FallbackToLogsOnError")),
    ] {
        refuses(cluster, children, &format!("/spec/containers/0/{field}"), &value, MOUNT).await;
    }
    let projected = "/spec/volumes/0/projected";
    refuses(cluster, children, &format!("{projected}/defaultMode"), &json!(0o555), MODE).await;
    let item = |mode: Value| json!([{"key": "key", "path": "program", "mode": mode}]);
    for source in [
        json!({"secret": {"name": "postern-report-1", "items": item(json!(0o555))}}),
        json!({"configMap": {"name": "theirs", "items": item(json!(0o440))}}),
        json!({"secret": {"name": "postern-report-1"}}),
        json!({"downwardAPI": {"items": [{"path": "cpu", "resourceFieldRef": {"containerName": "sender", "resource": "limits.cpu"}}]}}),
    ] {
        refuses(cluster, children, &format!("{projected}/sources/-"), &source, MODE).await;
    }
}

async fn its_jobs_and_cron_jobs_are_those_of_schedules(cluster: &Cluster, children: &Children) {
    let theirs = json!({"matchLabels": {"app": "theirs"}});
    for (changes, words) in [
        (json!({"parallelism": 2}), ONE_POD),
        (json!({"completions": 2}), ONE_POD),
        (json!({"activeDeadlineSeconds": 1}), JOB),
        (json!({"maxFailedIndexes": 1, "backoffLimitPerIndex": 1, "completionMode": "Indexed"}), JOB),
        (json!({"managedBy": "example.com/theirs"}), JOB),
        (json!({"backoffLimit": 1000}), JOB),
    ] {
        let mut job = children.job("postern-more");
        for (field, value) in changes.as_object().unwrap() {
            job["spec"][field] = value.clone();
        }
        let refusal = refused_by(POLICY, POSTERN.create(cluster, &format!("{JOBS}{DRY}"), &job).await);
        assert_eq!(refusal, words, "{changes}");
        let mut cron_job = anew(&children.cron_job, "postern-more");
        cron_job["spec"]["jobTemplate"]["spec"] = job["spec"].take();
        let answer = POSTERN.create(cluster, &format!("{CRON_JOBS}{DRY}"), &cron_job).await;
        assert_eq!(refused_by(POLICY, answer), words, "in a CronJob: {changes}");
    }
    // Such a Job would take over pods that have no controller, and delete them.
    let mut selecting = children.job("postern-more");
    selecting["spec"]["manualSelector"] = json!(true);
    selecting["spec"]["selector"] = theirs;
    selecting["spec"]["template"]["metadata"]["labels"]["app"] = json!("theirs");
    assert_eq!(refused_by(POLICY, POSTERN.create(cluster, &format!("{JOBS}{DRY}"), &selecting).await), JOB);

    for (pointer, value) in [
        ("/spec/jobTemplate/metadata/labels/kueue.x-k8s.io~1queue-name", json!("theirs")),
        ("/spec/jobTemplate/metadata/annotations/example.com~1order", json!("1")),
        ("/spec/jobTemplate/metadata/finalizers", json!(["example.com/hold"])),
    ] {
        let mut cron_job = anew(&children.cron_job, "postern-more");
        set(&mut cron_job, pointer, value);
        let answer = POSTERN.create(cluster, &format!("{CRON_JOBS}{DRY}"), &cron_job).await;
        assert_eq!(refused_by(POLICY, answer), CRON_JOB, "{pointer}");
    }
}

/// Like that of a CronJob made by the operator of an older release.
async fn an_older_template_may_stay_as_it_is(cluster: &Cluster, children: &Children) {
    let mut older = anew(&children.cron_job, "postern-older");
    let image = "/spec/jobTemplate/spec/template/spec/containers/0/image";
    set(&mut older, image, json!("postern-sender:0.0.1"));
    set(&mut older, "/metadata/ownerReferences", json!([]));
    set(&mut older, "/spec/schedule", json!("@yearly"));
    make(cluster, &[older.clone()]);
    let path = format!("{CRON_JOBS}/postern-older{DRY}");
    POSTERN.patch(cluster, &path, &json!({"spec": {"suspend": true}})).await.unwrap();
    set(&mut older, image, json!("postern-sender:0.0.2"));
    assert_eq!(refused_by(POLICY, POSTERN.merge(cluster, &path, &json!({"spec": older["spec"]})).await), ONE_CONTAINER);
    POSTERN.delete(cluster, &format!("{CRON_JOBS}/postern-older"), &json!({})).await.unwrap();
}

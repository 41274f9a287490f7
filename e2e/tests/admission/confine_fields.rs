//! Which fields, labels, annotations and owners the operator's account may set on the objects that it may write.

use postern_e2e::Cluster;
use serde_json::{Value, json};

use super::children::{ACCOUNTS, CRON_JOBS, Children, JOBS, POLICIES, anew, set};
use super::confine_operator::{SECRETS, key};
use super::people::{CAROL, DRY, POSTERN, refused_by};

const POLICY: &str = "postern-confine-operator";
/// The `ServiceAccounts` of a namespace that has none of the operator's.
const ELSEWHERE: &str = "/api/v1/namespaces/default/serviceaccounts";

const FIELDS: &str = "the operator's account may set only the fields that it needs on this kind of object";
const METADATA: &str = "the operator's account may set only name, labels, annotations and ownerReferences in metadata, and \
    may not add finalizers";
const LABELS: &str = "the operator's account may set only the labels app.kubernetes.io/managed-by and postern.dev/…";
pub(super) const ANNOTATIONS: &str = "the operator's account may set annotations only on Jobs, and only those that begin with \
    postern.dev/, and on CronJobs only postern.dev/woken-for";
const OWNERS: &str = "the operator's account must set one owner, as controller: for a CronJob or Secret a WebhookSchedule, \
    for a Job also a CronJob or NetworkPolicy named postern-…; other objects may have no owner";
const ACCOUNT: &str = "the operator's account must set automountServiceAccountToken of a ServiceAccount to false, and may \
    not set or change its secrets and imagePullSecrets";

pub(super) async fn all(cluster: &Cluster, children: &Children) {
    its_metadata_gives_no_orders_to_others(cluster, children).await;
    its_children_belong_to_schedules(cluster, children).await;
    its_accounts_have_no_rights(cluster, children).await;
    what_others_wrote_may_stay(cluster, children).await;
    its_events_are_about_schedules_and_its_lease_goes_on(cluster).await;
}

/// The objects that it may create, and where.
fn made(children: &Children) -> [(&'static str, Value); 4] {
    let account = json!({"name": "postern-sender", "labels": children.service_account["metadata"]["labels"]});
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": account, "automountServiceAccountToken": false,
    });
    [
        (CRON_JOBS, anew(&children.cron_job, "postern-more")),
        (JOBS, children.job("postern-more")),
        (SECRETS, key("postern-more", children)),
        (ELSEWHERE, account),
    ]
}

async fn its_metadata_gives_no_orders_to_others(cluster: &Cluster, children: &Children) {
    for (path, object) in made(children) {
        let make = async |object: &Value| POSTERN.create(cluster, &format!("{path}{DRY}"), object).await;
        make(&object).await.unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
        for (pointer, value, words) in [
            ("/metadata/finalizers", json!(["example.com/hold"]), METADATA),
            ("/metadata/generateName", json!("postern-"), METADATA),
            ("/metadata/labels/argocd.argoproj.io~1secret-type", json!("repository"), LABELS),
            ("/metadata/labels/kueue.x-k8s.io~1queue-name", json!("theirs"), LABELS),
            ("/metadata/annotations", json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/admin"}), ANNOTATIONS),
            (
                "/metadata/annotations",
                json!({"reflector.v1.k8s.emberstack.com/reflects": "kube-system/theirs"}),
                ANNOTATIONS,
            ),
        ] {
            let mut changed = object.clone();
            set(&mut changed, pointer, value);
            assert_eq!(refused_by(POLICY, make(&changed).await), words, "{path}: {pointer}");
        }
        let mut trigger = object.clone();
        set(&mut trigger, "/metadata/annotations", json!({"postern.dev/trigger": "1"}));
        if path == JOBS {
            make(&trigger).await.unwrap();
        } else {
            assert_eq!(refused_by(POLICY, make(&trigger).await), ANNOTATIONS, "{path}");
        }
    }
    let wake = json!({"metadata": {"annotations": {"postern.dev/woken-for": "1800000000"}}});
    POSTERN.patch(cluster, &format!("{CRON_JOBS}/postern-report{DRY}"), &wake).await.unwrap();
    let annotate = json!({"metadata": {"annotations": {"azure.workload.identity/client-id": "theirs"}}});
    for child in [
        format!("{CRON_JOBS}/postern-report"),
        format!("{ACCOUNTS}/postern-sender"),
        format!("{POLICIES}/postern-sender"),
    ] {
        let answer = POSTERN.patch(cluster, &format!("{child}{DRY}"), &annotate).await;
        assert_eq!(refused_by(POLICY, answer), ANNOTATIONS, "{child}");
        let hold = json!({"metadata": {"finalizers": ["example.com/hold"]}});
        assert_eq!(
            refused_by(POLICY, POSTERN.patch(cluster, &format!("{child}{DRY}"), &hold).await),
            METADATA,
            "{child}"
        );
    }
}

async fn its_children_belong_to_schedules(cluster: &Cluster, children: &Children) {
    let schedule = children.cron_job["metadata"]["ownerReferences"][0].clone();
    let owner = |field: &str, value: Value| {
        let mut owner = schedule.clone();
        owner[field] = value;
        owner
    };
    for (path, object) in made(children) {
        for owners in [
            json!([]),
            json!([schedule, owner("controller", json!(false))]),
            json!([owner("kind", json!("WebhookTier"))]),
            json!([owner("apiVersion", json!("other.dev/v1"))]),
            json!([owner("controller", json!(false))]),
            json!([owner("blockOwnerDeletion", json!(true))]),
            json!([{"apiVersion": "batch/v1", "kind": "CronJob", "name": "theirs", "uid": "u", "controller": true}]),
            json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "postern-x", "uid": "u", "controller": true}]),
        ] {
            let mut changed = object.clone();
            set(&mut changed, "/metadata/ownerReferences", owners.clone());
            let answer = POSTERN.create(cluster, &format!("{path}{DRY}"), &changed).await;
            if path == ELSEWHERE && owners == json!([]) {
                answer.unwrap();
            } else {
                assert_eq!(refused_by(POLICY, answer), OWNERS, "{path}: {owners}");
            }
        }
    }
}

async fn its_accounts_have_no_rights(cluster: &Cluster, children: &Children) {
    let [.., (path, account)] = made(children);
    for (field, value) in [
        ("automountServiceAccountToken", json!(true)),
        ("automountServiceAccountToken", Value::Null),
        ("imagePullSecrets", json!([{"name": "theirs"}])),
        ("secrets", json!([{"name": "theirs"}])),
    ] {
        let mut changed = account.clone();
        changed[field] = value.clone();
        let answer = POSTERN.create(cluster, &format!("{path}{DRY}"), &changed).await;
        assert_eq!(refused_by(POLICY, answer), ACCOUNT, "{field}: {value}");
        let answer = POSTERN.merge(cluster, &format!("{ACCOUNTS}/postern-sender{DRY}"), &json!({field: value})).await;
        assert_eq!(refused_by(POLICY, answer), ACCOUNT, "in an update: {field}: {value}");
    }
}

/// The operator can repair changed children and suspend CronJobs, whatever platforms add to all objects.
async fn what_others_wrote_may_stay(cluster: &Cluster, children: &Children) {
    let theirs = json!({"metadata": {
        "labels": {"cost.example.com/team": "a"}, "annotations": {"example.com/seen": "1"}, "finalizers": ["example.com/hold"],
    }});
    let account = json!({"imagePullSecrets": [{"name": "platform"}]});
    let name = children.service_account["metadata"]["name"].as_str().unwrap();
    let (account_path, cron_job) = (format!("{ACCOUNTS}/{name}"), format!("{CRON_JOBS}/postern-report"));
    CAROL.patch(cluster, &account_path, &account).await.unwrap();
    for path in [&account_path, &cron_job] {
        CAROL.patch(cluster, path, &theirs).await.unwrap();
    }
    POSTERN.patch(cluster, &format!("{cron_job}{DRY}"), &json!({"spec": {"suspend": true}})).await.unwrap();
    let unlabel = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}});
    CAROL.patch(cluster, &account_path, &unlabel).await.unwrap();
    let mut repaired = cluster.get(&account_path).await.unwrap();
    repaired["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("postern");
    POSTERN.replace(cluster, &account_path, &repaired).await.unwrap();
    let back = json!({"metadata": {
        "labels": {"cost.example.com/team": null}, "annotations": {"example.com/seen": null}, "finalizers": null,
    }});
    for path in [&account_path, &cron_job] {
        POSTERN.merge(cluster, path, &back).await.unwrap();
    }
    CAROL.merge(cluster, &account_path, &json!({"imagePullSecrets": null})).await.unwrap();
}

async fn its_events_are_about_schedules_and_its_lease_goes_on(cluster: &Cluster) {
    let path = "/apis/coordination.k8s.io/v1/namespaces/postern-system/leases/postern-operator";
    let lease = cluster.get(path).await.unwrap();
    POSTERN.replace(cluster, &format!("{path}{DRY}"), &lease).await.unwrap();
    let mut event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e"}, "eventTime": "2027-01-15T08:00:00.000000Z",
        "type": "Normal", "reason": "R", "action": "A", "reportingController": "postern", "reportingInstance": "i",
        "regarding": {"apiVersion": "postern.dev/v1alpha1", "kind": "WebhookSchedule", "name": "n", "namespace": "team"},
    });
    event["related"] = json!({"apiVersion": "v1", "kind": "Pod", "name": "theirs", "namespace": "team"});
    let answer = POSTERN.create(cluster, &format!("/apis/events.k8s.io/v1/namespaces/team/events{DRY}"), &event).await;
    assert_eq!(refused_by(POLICY, answer), FIELDS);
}

//! A schedule can't be deleted without what it owns.

use postern_e2e::Cluster;
use serde_json::json;

use super::children::SCHEDULES;
use super::people::{ALICE, refused_by};
use crate::api::submit::Draft;

const POLICY: &str = "postern-no-orphans";

pub(super) async fn all(cluster: &Cluster) {
    let schedule = format!("{SCHEDULES}/draft");
    let Draft(draft) = Draft::schedule();
    let Draft(with_finalizer) = Draft::schedule().with("metadata.finalizers", json!(["orphan"]));
    let left_out = "a schedule must be deleted together with its CronJob: remove the finalizer orphan";
    assert_eq!(refused_by(POLICY, ALICE.create(cluster, SCHEDULES, &with_finalizer).await), left_out);
    ALICE.create(cluster, SCHEDULES, &draft).await.unwrap();
    let finalizer = json!({"metadata": {"finalizers": ["orphan"]}});
    assert_eq!(refused_by(POLICY, ALICE.merge(cluster, &schedule, &finalizer).await), left_out);

    for orphaning in [json!({"propagationPolicy": "Orphan"}), json!({"orphanDependents": true})] {
        for path in [&*schedule, SCHEDULES] {
            assert_eq!(
                refused_by(POLICY, ALICE.delete(cluster, path, &orphaning).await),
                "a schedule must be deleted together with its CronJob: delete it without --cascade=orphan"
            );
        }
    }
    for usual in [json!({}), json!({"propagationPolicy": "Background"}), json!({"orphanDependents": false})] {
        ALICE.delete(cluster, &schedule, &usual).await.unwrap();
        ALICE.create(cluster, SCHEDULES, &draft).await.unwrap();
    }
    ALICE.delete(cluster, &schedule, &json!({"propagationPolicy": "Foreground"})).await.unwrap();
}

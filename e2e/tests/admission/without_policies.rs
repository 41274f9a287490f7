//! What schedules' status says on a cluster without admission policies, such as the one that most tests share.

use postern_e2e::{Tenant, on_cluster};

#[test]
fn without_the_policies_a_schedule_says_what_follows_and_is_ready_all_the_same() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        tenant.make_schedule("report", "{}").await;
        tenant.condition("report", "Ready", "True", "Ready").await;
        let message = tenant.condition("report", "Protected", "False", "PoliciesOff").await;
        assert_eq!(
            message,
            "not in force: postern-readable-secrets (missing), so that anyone who may create WebhookSchedules can \
             send any Secret of this namespace anywhere; postern-lock-children (missing), postern-lock-names \
             (missing), postern-lock-status (missing), postern-no-orphans (missing), so that tenants can change, \
             imitate, enter or orphan the objects that Postern makes; postern-confine-operator (missing), \
             postern-confine-senders (missing), postern-confine-egress (missing), so that the operator's account is \
             not confined; postern-tier-label (missing), so that anyone who may edit this Namespace can choose its \
             tier. Ask an admin of the cluster to set admissionPolicies.enabled, or to restore the chart's policies"
        );
    });
}

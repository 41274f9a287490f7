//! The chapters of the demo, in order.

use std::process::Command;

use postern_e2e::receiver::Request;
use postern_e2e::{Certificates, ClusterHandle, DnsAnswer, OK, Receiver, program, repository};

use crate::inbox::{Inbox, field, id};
use crate::people::Person;
use crate::tell::{answer, chapter, command, say};

/// The receiver's name and address on the cluster's internet.
const HOST: &str = "hooks.example.com";
const ADDRESS: &str = "203.0.113.10";

pub fn install(cluster: &ClusterHandle) -> Result<(), String> {
    chapter("1. The cluster's admin installs Postern");
    let admin = Person::admin(cluster);
    admin.does("kubectl create namespace postern-system")?;
    admin.does("kubectl label namespace postern-system pod-security.kubernetes.io/enforce=restricted")?;
    admin.does(
        "helm install postern charts/postern --namespace postern-system --values e2e/demo/values.yaml --wait --timeout 3m",
    )?;
    admin.does("kubectl get pods --namespace postern-system")?;
    admin.does("kubectl get webhooktiers")?;
    Ok(())
}

pub fn admit_tenants(cluster: &ClusterHandle) -> Result<[Person<'_>; 2], String> {
    chapter("2. Two tenants get a namespace each: Alice team-a, Bob team-b");
    say("Each may edit the own namespace and nothing else. Only the admin can set a namespace's tier.");
    let admin = Person::admin(cluster);
    for (name, namespace) in [("alice", "team-a"), ("bob", "team-b")] {
        admin.does(&format!("kubectl create namespace {namespace}"))?;
        admin.does(&format!(
            "kubectl label namespace {namespace} postern.dev/tier=premium pod-security.kubernetes.io/enforce=restricted"
        ))?;
        admin.does(&format!(
            "kubectl create rolebinding {name} --clusterrole=edit --user={name} --namespace {namespace}"
        ))?;
    }
    Ok([Person::new(cluster, "alice", "team-a")?, Person::new(cluster, "bob", "team-b")?])
}

pub fn start_receiver(cluster: &ClusterHandle) -> Result<Inbox, String> {
    chapter("3. Somewhere on the internet, a receiver");
    say(&format!(
        "It answers at https://{HOST}/ ({ADDRESS}, outside of the cluster), with a certificate of an authority of its own, and\n\
         believes what the official library of Standard Webhooks verifies. This demo is the receiver: it ends with it."
    ));
    cluster.set_dns(HOST, &[DnsAnswer::addresses([ADDRESS])]);
    let listener = cluster.listen_on_the_internet(ADDRESS, 443);
    let receiver = Receiver::on(listener, Certificates::good(HOST), false, Receiver::by_turns([OK]));
    Ok(Inbox::new(receiver, keygen()?))
}

/// A new signing key, made as people make one.
fn keygen() -> Result<String, String> {
    let made = Command::new(program("postern")).arg("keygen").output().map_err(|e| format!("postern keygen: {e}"))?;
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    if made.status.success() { Ok(text(&made.stdout)) } else { Err(text(&made.stderr)) }
}

pub fn apply_schedules(alice: &Person, inbox: &Inbox) -> Result<(), String> {
    chapter("4. Alice, who is no admin, schedules two webhooks");
    say("The URL and the signing key are secrets: they live in a Secret of hers and nowhere else.");
    let url = format!("--from-literal=url=https://{HOST}/hooks/report?token=only-alice-knows");
    let key = format!("--from-literal=signing-key={}", inbox.key());
    alice.does_words(
        "kubectl create secret generic report-hook --from-literal=url=https://... --from-literal=signing-key=whsec_...",
        &["kubectl", "create", "secret", "generic", "report-hook", &url, &key],
    )?;
    let ca = format!("--from-literal=ca.crt={}", inbox.ca_pem());
    alice.does_words(
        "kubectl create configmap our-ca --from-file=ca.crt",
        &["kubectl", "create", "configmap", "our-ca", &ca],
    )?;
    alice.does("kubectl apply -f e2e/demo/schedules.yaml")?;
    alice.does("kubectl wait whs --all --for=condition=Ready --timeout=60s")?;
    alice.does("kubectl get cronjobs")?;
    Ok(())
}

pub async fn deliver_at_once(alice: &Person<'_>, inbox: &mut Inbox) -> Result<Request, String> {
    chapter("5. A delivery at once");
    say("One schedule is not due before the new year. A new value of an annotation makes it deliver now, once.");
    alice.does("kubectl annotate whs on-demand postern.dev/trigger=please")?;
    let request = inbox.first_of("on-demand").await;
    take(inbox, &request)?;
    Ok(request)
}

pub async fn deliver_on_the_minute(inbox: &mut Inbox) -> Result<(), String> {
    chapter("6. A delivery on the minute");
    say("The other schedule is due every minute; that can take most of one.");
    let request = inbox.first_of("every-minute").await;
    let due = field(&request, "/timestamp");
    if !due.ends_with(":00Z") {
        return Err(format!("it was due at {due}, which is no full minute"));
    }
    take(inbox, &request)
}

/// Shows what has arrived, and that the receiver takes it.
fn take(inbox: &mut Inbox, request: &Request) -> Result<(), String> {
    say("\n   arrived at the receiver:");
    for header in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        answer(&format!("{header}: {}", request.header(header).unwrap_or_default()));
    }
    answer(&String::from_utf8_lossy(&request.body));
    inbox.judge(request).map_err(|problem| format!("the receiver refuses {}: {problem}", id(request)))?;
    say("   the official library: valid");
    Ok(())
}

pub fn replay_and_forge(inbox: &mut Inbox, genuine: &Request) -> Result<(), String> {
    chapter("7. Somebody has recorded a delivery");
    let now: i64 = genuine.header("webhook-timestamp").and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
    let old = inbox.signed_at(genuine, now - 600);
    let mut forged = genuine.clone();
    forged.body = br#"{"type":"report.due","data":{"schedule":"mine"}}"#.to_vec();
    for (what, request, reason) in [
        ("sends it once more", genuine, "this webhook-id was taken already"),
        ("had recorded it ten minutes ago, and sends it now", &old, "signature timestamp too old"),
        ("sends it with another body", &forged, "signature invalid"),
    ] {
        match inbox.judge(request) {
            Err(refusal) if refusal == reason => say(&format!("   and {what}: refused, {refusal}")),
            other => return Err(format!("{what}: {other:?}")),
        }
    }
    Ok(())
}

pub fn keep_the_neighbour_out(bob: &Person) -> Result<(), String> {
    chapter("8. Bob, who may edit team-b, is curious about team-a");
    bob.is_refused("kubectl get whs --namespace team-a")?;
    bob.is_refused("kubectl annotate whs on-demand postern.dev/trigger=mine --namespace team-a")?;
    bob.is_refused("kubectl get secret report-hook --namespace team-a")?;
    bob.is_refused("kubectl label namespace team-b postern.dev/tier=unlimited --overwrite")
}

pub fn refuse_to_go_inward(alice: &Person) -> Result<(), String> {
    chapter("9. Alice aims a schedule at the cluster's own API server");
    alice.does("kubectl create secret generic inward-hook --from-literal=url=https://10.96.0.1/api/v1/secrets")?;
    alice.does("kubectl apply -f e2e/demo/inward.yaml")?;
    say("It is checked before anything is sent:");
    alice.does("kubectl wait whs/inward --for=condition=TargetAllowed=False --timeout=90s")?;
    let reason = alice.conditions_of("inward", r#"[?(@.type=="TargetAllowed")]"#)?;
    if reason.starts_with("TargetAllowed=False AddressInternal: ") {
        Ok(())
    } else {
        Err(format!("it was refused for {reason}"))
    }
}

pub fn show_status(alice: &Person) -> Result<(), String> {
    chapter("10. What Alice sees");
    for schedule in ["on-demand", "every-minute"] {
        let delivered = "--for=jsonpath={.status.lastDelivery.outcome}=Delivered";
        alice.quietly(&["kubectl", "wait", &format!("whs/{schedule}"), delivered, "--timeout=60s"])?;
    }
    alice.does("kubectl get whs")?;
    alice.conditions_of("on-demand", "[*]")?;
    say("\nThe receiver ends with this demo, so she pauses the schedule:");
    alice.does_words(
        "kubectl patch whs every-minute --type=merge -p '{\"spec\":{\"suspend\":true}}'",
        &["kubectl", "patch", "whs", "every-minute", "--type=merge", "-p", r#"{"spec":{"suspend":true}}"#],
    )?;
    Ok(())
}

/// Says how to go on; returns the demo's last line, when all that was sent was verified.
pub fn end(cluster: &ClusterHandle, inbox: &mut Inbox) -> Result<String, String> {
    chapter("Look around");
    let alice = cluster.dir.join("alice.kubeconfig");
    let alice = alice.strip_prefix(repository()).unwrap_or(&alice).display();
    for (words, what) in [
        ("CLUSTER=demo e2e/kubectl get whs -A".to_owned(), "as admin"),
        (format!("CLUSTER=demo e2e/kubectl --kubeconfig={alice} describe whs on-demand"), "as Alice"),
        (
            "CLUSTER=demo e2e/kubectl -n postern-system logs deployment/postern-operator".to_owned(),
            "the operator's log",
        ),
        ("make cluster-down".to_owned(), "ends all of it and leaves nothing"),
    ] {
        command("", &words);
        answer(what);
    }
    inbox.judge_the_rest()?;
    Ok(format!("\n{} deliveries sent, {} verified", inbox.arrived(), inbox.taken()))
}

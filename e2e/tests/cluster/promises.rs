//! The properties of the cluster that the other tests rely on.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt};
use postern_e2e::{Cluster, DnsAnswer, Host, Pod, eventually, on_cluster};
use serde_json::{Value, json};
use tokio::net::TcpStream;

const API_SERVER: &str = "192.168.77.10:6443";
const API_SERVER_SERVICE: &str = "10.96.0.1:443";
const METADATA: &str = "169.254.169.254";

/// Succeeds if the attempt fails.
async fn refused<T>(attempt: impl Future<Output = Result<T, String>>) -> Result<(), &'static str> {
    attempt.await.map_or(Ok(()), |_| Err("it went through"))
}

/// Fetches from a host that the pod may reach.
async fn fetch(pod: &Pod, host: &Host) -> String {
    eventually("the pod to reach the host", async || pod.fetch(&host.url()).await).await
}

async fn apply_policy(cluster: &Cluster, namespace: &str, egress: Value) -> Api<NetworkPolicy> {
    let policies: Api<NetworkPolicy> = Api::namespaced(cluster.client.clone(), namespace);
    let policy = json!({
        "metadata": {"name": "egress"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress},
    });
    policies.create(&PostParams::default(), &serde_json::from_value(policy).unwrap()).await.unwrap();
    policies
}

#[test]
fn a_network_policy_stops_a_pod_from_reaching_an_internet_host_until_it_is_deleted() {
    on_cluster(|cluster, namespace| async move {
        let pod = Pod::start(cluster.client.clone(), &namespace, "client").await;
        for ip in ["203.0.113.10", "2001:db8::10"] {
            let host = Host::start(&cluster, ip, "an internet host").await;
            assert_eq!(fetch(&pod, &host).await, "an internet host", "{ip}");

            let policies = apply_policy(&cluster, &namespace, json!([])).await;
            eventually("the policy to stop the pod", async || refused(pod.fetch(&host.url())).await).await;

            policies.delete("egress", &DeleteParams::default()).await.unwrap();
            fetch(&pod, &host).await;
        }
    });
}

#[test]
fn a_policy_with_exceptions_keeps_a_pod_from_internal_addresses_but_not_from_the_internet() {
    on_cluster(|cluster, namespace| async move {
        let pod = Pod::start(cluster.client.clone(), &namespace, "client").await;
        let host = Host::start(&cluster, "198.51.100.10", "an internet host").await;
        let metadata = Host::start(&cluster, METADATA, "credentials").await;
        let internal = [API_SERVER_SERVICE.parse().unwrap(), API_SERVER.parse().unwrap(), metadata.address];
        for address in internal {
            eventually(&format!("the pod to reach {address}"), async || pod.connect(address).await).await;
        }

        let except = ["10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"];
        let world = json!([{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": except}}]}]);
        apply_policy(&cluster, &namespace, world).await;
        for address in internal {
            eventually(&format!("the policy to close {address}"), async || refused(pod.connect(address)).await).await;
        }
        assert_eq!(fetch(&pod, &host).await, "an internet host");
    });
}

#[test]
fn a_secret_in_etcd_is_ciphertext() {
    on_cluster(|cluster, namespace| async move {
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {"name": "plain"}, "stringData": {"key": "in so many words"},
        }))
        .unwrap();
        Api::namespaced(cluster.client.clone(), &namespace).create(&PostParams::default(), &secret).await.unwrap();

        let stored = read_etcd(&format!("/registry/secrets/{namespace}/plain")).await;
        assert!(stored.starts_with(b"k8s:enc:secretbox:v1:"), "{}", String::from_utf8_lossy(&stored));
        assert!(!contains(&stored, b"in so many words"));

        // The same check finds text that isn't encrypted, so it would find the Secret's words too.
        let stored = read_etcd(&format!("/registry/namespaces/{namespace}")).await;
        assert!(contains(&stored, namespace.as_bytes()));
    });
}

fn contains(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|window| window == words)
}

/// Reads one key directly from etcd, through its JSON gateway.
async fn read_etcd(key: &str) -> Vec<u8> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let stream = TcpStream::connect("127.0.0.1:2379").await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let body = json!({"key": BASE64_STANDARD.encode(key)}).to_string();
    let request =
        hyper::Request::post("/v3/kv/range").header("Host", "127.0.0.1").body(Full::<Bytes>::from(body)).unwrap();
    let answer = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let value = answer["kvs"][0]["value"].as_str().unwrap_or_else(|| panic!("no value at {key}: {answer}"));
    BASE64_STANDARD.decode(value).unwrap()
}

#[test]
fn dns_answers_change_with_each_query_as_programmed() {
    on_cluster(|cluster, namespace| async move {
        let pod = Pod::start(cluster.client.clone(), &namespace, "client").await;
        let rebinding = format!("rebinding.{namespace}.example.");
        let public_then_private =
            [DnsAnswer::addresses(["203.0.113.10"]), DnsAnswer::addresses(["10.0.0.1", "10.0.0.2"])];
        // A query that is lost on a busy machine is sent again, so the count starts again then.
        let looked_up = eventually("three answers in a row", async || {
            cluster.set_dns(&rebinding, &public_then_private);
            let (first, second) = (pod.look_up(&rebinding).await?, pod.look_up(&rebinding).await?);
            Ok::<_, String>([first, second, pod.look_up(&rebinding).await?])
        })
        .await;
        let [public, private] = [vec!["203.0.113.10"], vec!["10.0.0.1", "10.0.0.2"]];
        assert_eq!(looked_up, [public, private.clone(), private]);

        for (label, answer, said) in [
            ("missing", DnsAnswer::rcode("NXDOMAIN"), "no such host"),
            ("failing", DnsAnswer::rcode("SERVFAIL"), "server misbehaving"),
            ("silent", DnsAnswer::silence(), "i/o timeout"),
        ] {
            let name = format!("{label}.{namespace}.example.");
            cluster.set_dns(&name, &[answer]);
            eventually(said, async || {
                let refusal = pod.look_up(&name).await.expect_err(label);
                if refusal.contains(said) { Ok(()) } else { Err(refusal) }
            })
            .await;
        }
    });
}

#[test]
fn a_privileged_pod_is_refused_in_a_restricted_namespace() {
    on_cluster(|cluster, namespace| async move {
        cluster.try_privileged_pod(&namespace).await.unwrap();
        let refusal = cluster.restrict(&namespace).await;
        assert!(refusal.contains("violates PodSecurity \"restricted:latest\": privileged"), "{refusal}");
    });
}

#[test]
fn the_audit_log_tells_who_did_what() {
    on_cluster(|cluster, namespace| async move {
        let since = cluster.audit_log_length();
        let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), &namespace);
        let secret = Secret {
            metadata: kube::api::ObjectMeta { name: Some("seen".into()), ..Default::default() },
            ..Default::default()
        };
        secrets.create(&PostParams::default(), &secret).await.unwrap();
        let seen = secrets.get("seen").await.unwrap();

        let calls: Vec<(String, String)> = cluster
            .audit_log_since(since)
            .iter()
            .filter(|e| {
                e["objectRef"]["resource"] == "secrets" && e["objectRef"]["namespace"] == seen.namespace().unwrap()
            })
            .map(|e| (e["user"]["username"].as_str().unwrap().into(), e["verb"].as_str().unwrap().into()))
            .collect();
        let admin = |verb: &str| ("kubernetes-admin".to_owned(), verb.to_owned());
        assert_eq!(calls, [admin("create"), admin("get")]);
    });
}

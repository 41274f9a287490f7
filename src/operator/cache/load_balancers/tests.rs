//! Which Services are counted, and when none are read.

use serde_json::{Value, json};
use tokio::time::sleep;

use super::*;
use crate::operator::test_support::fake_api;

/// What an operator of these namespaces counts and knows in a cluster with this many load balancers and one Service with
/// `externalIPs`, and how many requests it made.
async fn operator_of(namespaces: &[&str], balancers: u32) -> (Metrics, LoadBalancers, usize) {
    let external = json!({"metadata": {"uid": "external"}, "spec": {"externalIPs": ["198.51.100.1"]}});
    let balancer = |number: u32| {
        let ip = IpAddr::V4((0xcb00_7100 + number).into());
        json!({"metadata": {"uid": number.to_string()}, "status": {"loadBalancer": {"ingress": [{"ip": ip}]}}})
    };
    let items: Vec<Value> = (0..balancers).map(balancer).chain([external]).collect();
    let asked = Arc::<Mutex<usize>>::default();
    let count = Arc::clone(&asked);
    let client = fake_api::client(move |request| {
        *count.lock() += 1;
        let is_watch = request.query.contains("watch=true");
        if is_watch { (0, Value::Null) } else { (200, json!({"metadata": {"resourceVersion": "1"}, "items": items})) }
    });
    let (metrics, namespaces) = (Metrics::new(), namespaces.iter().map(ToString::to_string).collect());
    let mut watches = Watches::new(client, namespaces, metrics.clone());
    let known = LoadBalancers::watch(&mut watches, metrics.clone(), || {});
    known.ready().await;
    sleep(Duration::from_secs(1)).await;
    let asked = *asked.lock();
    (metrics, known, asked)
}

#[tokio::test(start_paused = true)]
async fn services_with_external_ips_and_load_balancers_are_counted() {
    let (metrics, known, _) = operator_of(&[], 300).await;
    assert_eq!(known.now().len(), 256);
    assert_eq!(metrics.series("postern_external_ip_services"), ["postern_external_ip_services 1"]);
    assert_eq!(metrics.series("postern_load_balancer_addresses"), ["postern_load_balancer_addresses 256"]);
    assert_eq!(metrics.series("postern_load_balancers_omitted"), ["postern_load_balancers_omitted 44"]);
}

#[tokio::test(start_paused = true)]
async fn an_operator_of_some_namespaces_asks_for_no_services() {
    let (_, known, asked) = operator_of(&["team-a"], 1).await;
    assert_eq!((known.now(), asked), (Vec::new(), 0));
}

//! The blocks that the admission policy requires the operator's `NetworkPolicies` to close are those that the guard refuses.

use ipnet::IpNet;
use postern::egress::registry::{GLOBAL_UNICAST, blocks};

use crate::install::objects::{chart, text};

#[test]
fn the_operator_may_open_no_block_that_the_guard_refuses() {
    let policy = &chart(&[])["ValidatingAdmissionPolicy  postern-confine-egress"];
    let variables = policy.pointer("/spec/variables").unwrap().as_array().unwrap();
    let internal = variables.iter().find(|variable| text(variable, "/name") == "internal").unwrap();
    let closed: Vec<IpNet> = text(internal, "/expression").split('\'').filter_map(|part| part.parse().ok()).collect();
    let in_the_world = |net: &IpNet| net.addr().is_ipv4() || IpNet::V6(GLOBAL_UNICAST).contains(net);
    let missing: Vec<_> = blocks()
        .map(|block| block.net)
        .filter(|net| in_the_world(net) && !closed.iter().any(|block| block.contains(net)))
        .collect();
    assert_eq!(missing, [], "{closed:?}");
    let needless: Vec<_> =
        closed.iter().filter(|block| !blocks().any(|refused| block.contains(&refused.net))).collect();
    assert!(closed.len() > 20 && needless.is_empty(), "{needless:?}");
}

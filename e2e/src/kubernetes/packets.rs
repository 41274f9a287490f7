//! What pods send, as the node's network sees it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// Records the source and the destination of every TCP and UDP packet that reaches the node's network while this lives. A first
/// SYN is such a packet, whether it is delivered or not.
///
/// It records packets before Services are translated to pods and before any NetworkPolicy, so it shows where the sender wanted to
/// go.
pub struct Packets {
    table: String,
}

impl Packets {
    /// Starts recording, under a name that no other test uses. Call it in the node's network, where tests run.
    pub fn watch(name: &str) -> Self {
        let table = name.to_owned();
        nft(&format!(
            "table inet {table} {{
                set ipv4 {{ type ipv4_addr . inet_proto . ipv4_addr . inet_service; flags dynamic; size 65535; }}
                set ipv6 {{ type ipv6_addr . inet_proto . ipv6_addr . inet_service; flags dynamic; size 65535; }}
                chain sent {{
                    type filter hook prerouting priority raw;
                    meta l4proto {{ tcp, udp }} add @ipv4 {{ ip saddr . meta l4proto . ip daddr . th dport }}
                    meta l4proto {{ tcp, udp }} add @ipv6 {{ ip6 saddr . meta l4proto . ip6 daddr . th dport }}
                }}
            }}"
        ));
        Self { table }
    }

    /// The destinations to which these addresses sent packets: `tcp 203.0.113.10:443`, `udp 10.96.0.10:53`.
    pub fn sent_by(&self, sources: &[IpAddr]) -> BTreeSet<String> {
        ["ipv4", "ipv6"]
            .iter()
            .flat_map(|set| self.elements(set))
            .filter(|(source, _)| sources.contains(source))
            .map(|(_, destination)| destination)
            .collect()
    }

    fn elements(&self, set: &str) -> Vec<(IpAddr, String)> {
        let listed: Value = serde_json::from_str(&nft(&format!("list set inet {} {set}", self.table))).unwrap();
        let elements = listed["nftables"].as_array().unwrap().iter().find_map(|object| object["set"].get("elem"));
        let Some(elements) = elements else {
            return Vec::new();
        };
        let read = |element: &Value| {
            let (source, protocol, ip, port): (IpAddr, String, IpAddr, u16) =
                serde_json::from_value(element["concat"].clone()).unwrap();
            (source, format!("{protocol} {}", SocketAddr::new(ip, port)))
        };
        elements.as_array().unwrap().iter().map(read).collect()
    }
}

impl Drop for Packets {
    fn drop(&mut self) {
        // A table that can't be deleted is gone when the cluster ends.
        let _ = Command::new("nft").args(["delete", "table", "inet", &self.table]).status();
    }
}

/// Runs nft(8) and returns what it prints.
fn nft(command: &str) -> String {
    let mut tries_left = 50;
    loop {
        let ran = Command::new("nft").args(["--json", command]).output().unwrap();
        if ran.status.success() {
            return String::from_utf8(ran.stdout).unwrap();
        }
        // The command fails when kube-proxy changes the rules at the same time. A failed command changes nothing.
        tries_left -= 1;
        assert!(tries_left > 0, "nft {command}: {}", String::from_utf8_lossy(&ran.stderr));
        thread::sleep(Duration::from_millis(20));
    }
}

//! What Services say about load balancers. Pure. Nothing is kept about a Service without one.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use kube::runtime::watcher::Event;

use crate::operator::kubernetes::digest::number_of;

/// How many addresses of one Service are read.
const MOST_OF_ONE: usize = 8;
/// How many addresses that one Service asked for are remembered.
const MOST_ASKED: usize = 16;

/// The Services that have a load balancer or external addresses, by the hashes of their UIDs.
#[derive(Default)]
pub(super) struct Seen {
    services: HashMap<u64, Said>,
    /// What the listing under way has shown so far.
    listing: Option<HashMap<u64, Said>>,
    /// Whether all Services were listed once, or can't be listed.
    is_known: bool,
}

/// What one Service says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    addresses: Vec<IpAddr>,
    has_external_ips: bool,
    /// The addresses that it has ever asked for: removing a request doesn't make the address the cluster's choice.
    asked: Vec<IpAddr>,
}

impl Seen {
    /// Notes an event of a Service, and returns whether the addresses or counts change.
    pub(super) fn note(&mut self, event: Event<Service>) -> bool {
        match event {
            Event::Init => self.listing = Some(HashMap::new()),
            Event::InitApply(service) => {
                let listing = self.listing.get_or_insert_default();
                let key = key(&service);
                if let Some(said) = Said::of(&service, self.services.get(&key)) {
                    listing.insert(key, said);
                }
            }
            Event::InitDone => {
                let listed = self.listing.take().unwrap_or_default();
                let is_news = !self.is_known || listed != self.services;
                (self.services, self.is_known) = (listed, true);
                return is_news;
            }
            Event::Apply(service) => {
                let key = key(&service);
                let said = Said::of(&service, self.services.get(&key));
                let before = match said.clone() {
                    Some(said) => self.services.insert(key, said),
                    None => self.services.remove(&key),
                };
                return before != said;
            }
            Event::Delete(service) => return self.services.remove(&key(&service)).is_some(),
        }
        false
    }

    /// Notes that Services can't be listed, so nothing is known about them.
    pub(super) fn do_without(&mut self) -> bool {
        !std::mem::replace(&mut self.is_known, true)
    }

    /// The addresses of all load balancers; `None` before the first listing has ended.
    pub(super) fn addresses(&self) -> Option<BTreeSet<IpAddr>> {
        self.is_known.then(|| self.services.values().flat_map(|said| said.addresses.iter().copied()).collect())
    }

    /// How many Services have `externalIPs`.
    pub(super) fn with_external_ips(&self) -> usize {
        self.services.values().filter(|said| said.has_external_ips).count()
    }
}

impl Said {
    /// An address that a Service asks for wasn't chosen by the cluster: some load balancers grant any address.
    fn of(service: &Service, before: Option<&Self>) -> Option<Self> {
        let spec = service.spec.as_ref();
        let external = spec.and_then(|spec| spec.external_ips.as_deref()).unwrap_or_default();
        let requested = spec.and_then(|spec| spec.load_balancer_ip.as_ref());
        let is_load_balancer = spec.and_then(|spec| spec.type_.as_deref()) == Some("LoadBalancer");
        let annotations = service.annotations().values().filter(|_| is_load_balancer);
        let texts = external.iter().chain(requested).chain(annotations);
        let mut asked: Vec<_> = before.map(|before| before.asked.clone()).unwrap_or_default();
        for ip in texts.flat_map(|text| addresses_in(text)) {
            // Beyond the bound, the Service counts as having asked for every address.
            if asked.len() <= MOST_ASKED && !asked.contains(&ip) {
                asked.push(ip);
            }
        }
        let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
        let given = status.and_then(|status| status.ingress.as_deref()).unwrap_or_default();
        let given = given.iter().filter_map(|ingress| ingress.ip.as_deref()?.parse::<IpAddr>().ok());
        let is_asked_for = |ip: &IpAddr| asked.len() > MOST_ASKED || asked.contains(ip);
        let addresses: Vec<_> = given.filter(|ip| !is_asked_for(ip)).take(MOST_OF_ONE).collect();
        let has_external_ips = !external.is_empty();
        let says_something = has_external_ips || !addresses.is_empty() || !asked.is_empty();
        says_something.then_some(Self { addresses, has_external_ips, asked })
    }
}

/// The addresses in a text, however they are spelt and separated. A block isn't an address: blocks say to whom a load balancer
/// is open.
fn addresses_in(text: &str) -> impl Iterator<Item = IpAddr> {
    let words = text.split(|c: char| !c.is_ascii_hexdigit() && !matches!(c, ':' | '.' | '/'));
    words.filter_map(|word| word.parse().ok())
}

fn key(service: &Service) -> u64 {
    number_of(&format!("postern.dev/service\n{}", service.uid().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "tests write the parts where they call it")]
    fn service(uid: &str, annotations: Value, spec: Value, addresses: &[&str]) -> Service {
        let ingress: Vec<_> = addresses.iter().map(|ip| json!({"ip": ip})).collect();
        serde_json::from_value(json!({
            "metadata": {"name": uid, "namespace": "team-a", "uid": uid, "annotations": annotations},
            "spec": spec, "status": {"loadBalancer": {"ingress": ingress}},
        }))
        .unwrap()
    }

    fn listed(services: Vec<Service>) -> Seen {
        let mut seen = Seen::default();
        assert!(!seen.note(Event::Init));
        for service in services {
            assert!(!seen.note(Event::InitApply(service)));
        }
        assert_eq!(seen.addresses(), None, "the listing goes on");
        assert!(seen.note(Event::InitDone));
        seen
    }

    fn addresses(seen: &Seen) -> Vec<String> {
        seen.addresses().unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_cluster_gave_a_service_is_known_until_it_is_taken_back() {
        let given = service("a", json!({}), json!({}), &["203.0.113.7", "2001:db8::7"]);
        let mut seen = listed(vec![given.clone(), service("b", json!({}), json!({}), &[])]);
        assert_eq!(addresses(&seen), ["203.0.113.7", "2001:db8::7"]);
        assert_eq!(seen.services.len(), 1, "nothing is kept of the other one");
        assert!(!seen.note(Event::Apply(given.clone())), "it says nothing new");
        assert!(seen.note(Event::Apply(service("a", json!({}), json!({}), &["203.0.113.8"]))));
        assert_eq!(addresses(&seen), ["203.0.113.8"]);
        assert!(seen.note(Event::Delete(given)));
        assert!(addresses(&seen).is_empty());
        seen.note(Event::Init);
        assert!(!seen.note(Event::InitDone), "another listing finds the same");
    }

    #[test]
    fn what_a_service_asks_for_by_itself_refuses_nothing() {
        let address = "203.0.113.7";
        let pinned = json!({"example.com/address": format!("{address},2001:db8::7")});
        for (annotations, spec) in [
            (json!({}), json!({"externalIPs": [address]})),
            (json!({}), json!({"type": "LoadBalancer", "loadBalancerIP": address})),
            (pinned, json!({"type": "LoadBalancer"})),
            (json!({"example.com/address": "[203.0.113.7]"}), json!({"type": "LoadBalancer"})),
        ] {
            let seen = listed(vec![service("a", annotations, spec.clone(), &[address])]);
            assert!(addresses(&seen).is_empty(), "{spec}");
        }
        let seen = listed(vec![service("a", json!({}), json!({"externalIPs": [address]}), &[])]);
        assert_eq!((seen.with_external_ips(), addresses(&seen).len()), (1, 0));
    }

    #[test]
    fn what_a_service_asked_for_in_another_spelling_or_until_it_was_granted_refuses_nothing() {
        let load_balancer = || json!({"type": "LoadBalancer"});
        let spelt = json!({"example.com/address": "2001:0DB8:0::7"});
        assert!(addresses(&listed(vec![service("a", spelt, load_balancer(), &["2001:db8::7"])])).is_empty());
        let asks = service("a", json!({"example.com/address": "203.0.113.7"}), load_balancer(), &[]);
        let mut seen = listed(vec![asks]);
        let granted = service("a", json!({}), load_balancer(), &["203.0.113.7", "203.0.113.8"]);
        seen.note(Event::Apply(granted.clone()));
        assert_eq!(addresses(&seen), ["203.0.113.8"]);
        seen.note(Event::Init);
        seen.note(Event::InitApply(granted));
        seen.note(Event::InitDone);
        assert_eq!(addresses(&seen), ["203.0.113.8"], "another listing forgets nothing");
        let ranges = json!({"example.com/source-ranges": "0.0.0.0/0, 203.0.113.0/24"});
        let open = service("a", ranges, load_balancer(), &["203.0.113.7"]);
        assert_eq!(
            addresses(&listed(vec![open])),
            ["203.0.113.7"],
            "whom it is open to is no address that it asks for"
        );
    }

    #[test]
    fn one_service_has_a_few_addresses_at_most() {
        let many: Vec<_> = (0..1_000).map(|number| format!("203.0.{}.{}", number / 250, number % 250)).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(addresses(&listed(vec![service("a", json!({}), json!({}), &many)])).len(), MOST_OF_ONE);
    }

    #[test]
    fn where_services_cannot_be_read_none_is_known_and_what_was_known_stays() {
        let mut seen = Seen::default();
        assert!(seen.do_without());
        assert!(addresses(&seen).is_empty());
        let mut seen = listed(vec![service("a", json!({}), json!({}), &["203.0.113.7"])]);
        assert!(!seen.do_without());
        assert_eq!(addresses(&seen), ["203.0.113.7"]);
    }
}

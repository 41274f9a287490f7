//! From a target to the addresses that may be connected to.

use super::address::{Checked, judge_all};
use super::host::Host;
use super::look_up::Resolver;
use super::reason::Refusal;
use super::rules::Rules;
use super::target::Target;

/// Looks up a target's name and judges every address of the answers that came; a target that is an address asks no server.
/// To be called anew for each attempt: nothing is kept from one to the next. IPv4 addresses come before IPv6 ones.
///
/// # Errors
/// `NameNotResolved` when neither A nor AAAA brought an address; `AddressInternal` when *any* address is not allowed,
/// however many others are.
pub async fn resolve(target: &Target, rules: &Rules, resolver: &Resolver) -> Result<Vec<Checked>, Refusal> {
    let ips = match target.host() {
        Host::Ip(ip) => vec![*ip],
        Host::Name(name) => resolver.addresses(name).await?,
    };
    judge_all(&ips, target.port(), rules)
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;

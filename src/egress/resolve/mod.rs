//! From a target to the addresses that deliveries may connect to.

use super::address::{Checked, judge_all};
use super::host::Host;
use super::look_up::{Found, Resolver};
use super::reason::Refusal;
use super::rules::Rules;
use super::target::Target;

/// The result of resolving a target.
#[derive(Debug)]
pub struct Resolved {
    /// The addresses, each of which may be connected to; IPv4 first.
    pub addresses: Vec<Checked>,
    /// Why the addresses of one family aren't known. The text names the question: `A of NAME: no answer in time`.
    pub missing: Option<String>,
}

/// Looks up a target's name and judges every address in the answers. A target that is an address needs no look-up. Call it again
/// for each attempt: nothing is kept from one call to the next.
///
/// # Errors
/// `NameNotResolved` when neither A nor AAAA gave an address; `AddressInternal` when *any* address is not allowed, however many
/// others are.
pub async fn resolve(target: &Target, rules: &Rules, resolver: &Resolver) -> Result<Resolved, Refusal> {
    let Found { ips, missing } = match target.host() {
        Host::Ip(ip) => Found { ips: vec![*ip], missing: None },
        Host::Name(name) => resolver.addresses(name).await?,
    };
    Ok(Resolved { addresses: judge_all(&ips, target.port(), rules)?, missing })
}

#[cfg(test)]
mod tests;

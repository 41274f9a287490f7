//! What is told of one namespace: bad news at once, good news once it has held for a while. Pure.
//!
//! Whoever may write a NetworkPolicy can make what is found change as often as they like, and each change of what is told is
//! written into every accepted schedule of the namespace. So the while doubles with each turn to the worse, and what is told
//! changes at most twice in it.

use super::verdict::IsolationStatus;

/// How long good news must have held after the first turn to the worse, in seconds, and after many.
const SHORTEST: i64 = 30;
const LONGEST: i64 = 600;
/// After so many seconds without a change, what comes is the first turn again.
const CALM: i64 = 3_600;

/// What is told of a namespace, and since when something else, that is not worse, is found.
#[derive(Debug)]
pub(super) struct Told {
    verdict: IsolationStatus,
    changed: i64,
    /// How long anything that is not worse must have held, in seconds.
    wait: i64,
    found: Option<Found>,
    /// When a canary was made last.
    canary: Option<i64>,
}

/// Something else than what is told.
#[derive(Debug, Clone, Copy)]
struct Found {
    rank: u8,
    since: i64,
}

impl Told {
    /// The first that is known is told at once.
    pub(super) fn first(verdict: IsolationStatus, now: i64) -> Self {
        Self { verdict, changed: now, wait: 0, found: None, canary: None }
    }

    /// What is told.
    pub(super) fn verdict(&self) -> &IsolationStatus {
        &self.verdict
    }

    /// Notes what is found now, and says whether something else is told than before.
    pub(super) fn note(&mut self, found: IsolationStatus, now: i64) -> bool {
        if found == self.verdict {
            // What isn't worse than that hasn't held.
            self.found = None;
            return false;
        }
        let (rank, worst) = (rank(&found), rank(&self.verdict));
        if rank <= worst {
            // What was as bad as what is told was no good news yet.
            let goes_on = |before: &Found| rank <= before.rank && (before.rank < worst || rank == worst);
            let since = self.found.filter(goes_on).map_or(now, |before| before.since);
            self.found = Some(Found { rank, since });
            if now < since + self.wait {
                return false;
            }
        }
        // Whatever is better has waited its while.
        if rank >= worst && found.reason != "Checking" {
            let is_first = now >= self.changed + CALM;
            self.wait = if is_first { SHORTEST } else { (2 * self.wait).clamp(SHORTEST, LONGEST) };
        }
        self.verdict = found;
        self.changed = now;
        self.found = None;
        true
    }

    /// When what is found now is told, if it goes on until then.
    pub(super) fn until(&self) -> Option<i64> {
        self.found.map(|found| found.since + self.wait)
    }

    /// From when on another canary may be made: what is tried changes with what tenants write, too.
    pub(super) fn next_canary(&self) -> i64 {
        self.canary.map_or(i64::MIN, |made| made + self.wait)
    }

    /// Notes that a canary was made.
    pub(super) fn canary_made(&mut self, now: i64) {
        self.canary = Some(now);
    }
}

/// The higher, the worse.
fn rank(verdict: &IsolationStatus) -> u8 {
    match verdict.status {
        "True" => 0,
        "Unknown" => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests;

//! Which verdict is reported for a namespace: a worse one at once, a better one once it has held for a while. Pure.
//!
//! Anyone who may write a NetworkPolicy can change the observed verdict as often as they like, and each change of the reported
//! verdict is written into every accepted schedule of the namespace. So the wait doubles each time the verdict gets worse, and
//! the reported verdict changes at most twice per wait.

use super::verdict::IsolationStatus;

/// How long a better verdict must have held, in seconds: after it first got worse, and after it did many times.
const SHORTEST: i64 = 30;
const LONGEST: i64 = 600;
/// After this many seconds without a change, the wait starts again at the shortest.
const CALM: i64 = 3_600;

/// The reported verdict of a namespace, and since when another one that is no worse has been observed.
#[derive(Debug)]
pub(super) struct ReportedVerdict {
    verdict: IsolationStatus,
    changed: i64,
    /// How long a verdict that is no worse must have held, in seconds.
    wait: i64,
    candidate: Option<Candidate>,
    /// When the last canary was made.
    canary: Option<i64>,
}

/// An observed verdict that differs from the reported one.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    rank: u8,
    since: i64,
}

impl ReportedVerdict {
    /// Reports the first verdict at once.
    pub(super) fn first(verdict: IsolationStatus, now: i64) -> Self {
        Self { verdict, changed: now, wait: 0, candidate: None, canary: None }
    }

    /// The reported verdict.
    pub(super) fn verdict(&self) -> &IsolationStatus {
        &self.verdict
    }

    /// Notes the observed verdict at `now`, and returns whether the reported one changes.
    pub(super) fn note(&mut self, found: IsolationStatus, now: i64) -> bool {
        if found == self.verdict {
            // A better verdict, if there was one, hasn't held.
            self.candidate = None;
            return false;
        }
        let (rank, worst) = (rank(&found), rank(&self.verdict));
        if rank <= worst {
            // A verdict as bad as the reported one doesn't count as the start of a better one.
            let goes_on = |before: &Candidate| rank <= before.rank && (before.rank < worst || rank == worst);
            let since = self.candidate.filter(goes_on).map_or(now, |before| before.since);
            self.candidate = Some(Candidate { rank, since });
            if now < since + self.wait {
                return false;
            }
        }
        // Raise the wait only for a verdict that isn't better: a better one has waited already.
        if rank >= worst && found.reason != "Checking" {
            let is_first = now >= self.changed + CALM;
            self.wait = if is_first { SHORTEST } else { (2 * self.wait).clamp(SHORTEST, LONGEST) };
        }
        self.verdict = found;
        self.changed = now;
        self.candidate = None;
        true
    }

    /// When the observed verdict is reported, if it holds until then.
    pub(super) fn until(&self) -> Option<i64> {
        self.candidate.map(|found| found.since + self.wait)
    }

    /// When the next canary may be made: what a canary tests also changes with what tenants write.
    pub(super) fn next_canary(&self) -> i64 {
        self.canary.map_or(i64::MIN, |made| made + self.wait)
    }

    /// Notes that a canary was made.
    pub(super) fn canary_made(&mut self, now: i64) {
        self.canary = Some(now);
    }
}

/// How bad a verdict is: higher is worse.
fn rank(verdict: &IsolationStatus) -> u8 {
    match verdict.status {
        "True" => 0,
        "Unknown" => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests;

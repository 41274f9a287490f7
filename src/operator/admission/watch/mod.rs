//! Watches the policies and their bindings, and reports the status that follows from both.

use std::sync::Arc;

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::status::AdmissionStatus;
use crate::operator::cache::watches::Watches;
use crate::operator::cache::watches::optional::Unreadable;

/// All objects of a kind.
type Listing<K> = Result<Vec<Arc<K>>, Unreadable>;

/// What each watch showed last; `None` until it has listed.
#[derive(Default)]
struct Seen {
    policies: Option<Listing<ValidatingAdmissionPolicy>>,
    bindings: Option<Listing<ValidatingAdmissionPolicyBinding>>,
}

impl Seen {
    fn protection(&self) -> Option<AdmissionStatus> {
        Some(match (self.policies.as_ref()?, self.bindings.as_ref()?) {
            (Ok(policies), Ok(bindings)) => AdmissionStatus::of(policies, bindings),
            (Err(Unreadable), _) | (_, Err(Unreadable)) => AdmissionStatus::Unreadable,
        })
    }
}

/// Works out the status, and reports it.
struct Teller<F> {
    seen: Mutex<Seen>,
    told: watch::Sender<Option<AdmissionStatus>>,
    on_change: F,
}

impl<F: Fn(&AdmissionStatus)> Teller<F> {
    fn note(&self, note: impl FnOnce(&mut Seen)) {
        let mut seen = self.seen.lock();
        note(&mut seen);
        let Some(new) = seen.protection() else { return };
        if self.told.send_replace(Some(new.clone())).as_ref() != Some(&new) {
            (self.on_change)(&new);
        }
    }
}

/// Whether schedules are protected, kept up to date by watches.
pub(crate) struct AdmissionWatch(watch::Receiver<Option<AdmissionStatus>>);

impl AdmissionWatch {
    /// Watches the policies and their bindings. Calls `on_change` only when the status changes: clusters have many policies of
    /// other projects, and the status of Postern's own policies changes too.
    pub(crate) fn watch(watches: &mut Watches, on_change: impl Fn(&AdmissionStatus) + Send + Sync + 'static) -> Self {
        let (told, known) = watch::channel(None);
        let teller = Arc::new(Teller { seen: Mutex::default(), told, on_change });
        let of_bindings = Arc::clone(&teller);
        watches.optional(move |policies| teller.note(|seen| seen.policies = Some(policies)));
        watches.optional(move |bindings| of_bindings.note(|seen| seen.bindings = Some(bindings)));
        Self(known)
    }

    /// Waits until both kinds have been listed, or turned out to be unreadable.
    pub(crate) async fn ready(&self) {
        // Ignore the error: a watch that has ended reports nothing more, and the operator can work without it.
        let _ = self.0.clone().wait_for(Option::is_some).await;
    }

    /// The status now.
    pub(crate) fn now(&self) -> AdmissionStatus {
        self.0.borrow().clone().unwrap_or(AdmissionStatus::Unreadable)
    }

    /// A status that knows nothing yet.
    #[cfg(test)]
    pub(crate) fn unknown() -> Self {
        Self(watch::channel(None).1)
    }
}

#[cfg(test)]
mod tests;

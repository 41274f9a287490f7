//! Collects what the API server refused, so that everything possible is done elsewhere first, and the rest is reported at the
//! end.

use std::collections::{BTreeMap, BTreeSet};

use super::UninstallError;

/// The namespaces in which something was refused, and the first refusal of each.
#[derive(Debug, Default)]
pub(super) struct Unreached {
    namespaces: BTreeMap<String, String>,
    /// What was refused for all namespaces at once.
    everywhere: Option<String>,
}

impl Unreached {
    /// The result, or `None` when the API server refused the request; then the refusal is noted. `namespace` is `None` for a
    /// request about all namespaces.
    ///
    /// # Errors
    /// When the API server could not be reached at all.
    pub(super) fn note<T>(
        &mut self,
        namespace: Option<&str>,
        result: Result<T, UninstallError>,
    ) -> Result<Option<T>, UninstallError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(refusal) if refusal.is_an_answer() => {
                match namespace {
                    Some(namespace) => {
                        self.namespaces.entry(namespace.into()).or_insert_with(|| refusal.to_string());
                    }
                    None => {
                        self.everywhere.get_or_insert_with(|| refusal.to_string());
                    }
                }
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.namespaces.is_empty() && self.everywhere.is_none()
    }

    pub(super) fn includes(&self, namespace: &str) -> bool {
        self.everywhere.is_some() || self.namespaces.contains_key(namespace)
    }

    /// Sorts the namespaces by whether they exist and are not being deleted. When `existing` is `None`, each counts as
    /// existing. In a namespace that is being deleted nothing can be created, so nothing fires there.
    pub(super) fn judge(self, existing: Option<&BTreeSet<String>>) -> Verdict {
        let exists = |name: &String| existing.is_none_or(|names| names.contains(name));
        let (refused, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.namespaces.into_iter().partition(|(name, _)| exists(name));
        let everywhere = self.everywhere.map(|refusal| ("all namespaces".to_owned(), refusal));
        let refused: Vec<String> =
            everywhere.into_iter().chain(refused).map(|(name, refusal)| format!("{name}: {refusal}")).collect();
        Verdict { gone: gone.into_keys().collect(), refused: (!refused.is_empty()).then(|| advice(&refused)) }
    }
}

/// What to report at the end.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Namespaces that are deleted, together with everything that Postern made there.
    pub(super) gone: Vec<String>,
    /// What was refused in namespaces that exist, and what to do.
    pub(super) refused: Option<String>,
}

fn advice(refused: &[String]) -> String {
    format!(
        "the uninstallation is incomplete, and CronJobs may still fire in these namespaces:\n  {}\n\
         Where access is forbidden, apply Role and RoleBinding postern-operator again (helm get manifest shows them), and \
         uninstall again. Or suspend the CronJobs yourself (kubectl get cronjobs -A \
         -l app.kubernetes.io/managed-by=postern), and uninstall with --no-hooks",
        refused.join("\n  ")
    )
}

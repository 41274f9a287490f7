//! How what several tasks share is locked.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks what is whole between any two calls: a task that panicked while it held it left nothing half done.
pub(crate) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

//! A value that is in force until it is replaced as a whole, as a reload of the configuration does. Whoever has taken it keeps what
//! it took. Below all layers.

use std::sync::{Arc, PoisonError, RwLock};

/// A value in force.
#[derive(Debug, Default)]
pub(crate) struct Current<T>(RwLock<Arc<T>>);

impl<T> Current<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// What is in force now.
    pub(crate) fn get(&self) -> Arc<T> {
        // Held for the copy of a pointer; what it guards is whole whatever panicked meanwhile.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another value in its place, for all who ask from now on.
    pub(crate) fn replace(&self, value: T) {
        let value = Arc::new(value);
        let old = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), value);
        // What goes with the old value goes without the lock.
        drop(old);
    }
}

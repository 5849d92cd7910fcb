//! Without the feature `planted`: nothing can be planted, and nothing is left of the seams.

use super::defect::Planted;

/// What is planted in one store: nothing in this build.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hooks(());

impl Hooks {
    /// Nothing: there is no defect to plant.
    pub fn of(_: &'static Planted) -> Self {
        Self(())
    }

    pub(crate) const fn is_empty(self) -> bool {
        true
    }

    pub(crate) fn during<T>(self, work: impl FnOnce() -> T) -> T {
        work()
    }

    pub(crate) fn within<F: Future>(self, work: F) -> F {
        work
    }
}

pub(crate) fn carried<F: Future>(task: F) -> F {
    task
}

pub(crate) const fn never() -> bool {
    false
}

pub(crate) const fn first_time(_: &str) -> bool {
    true
}

pub(crate) const fn lua(_: &str) -> Option<String> {
    None
}

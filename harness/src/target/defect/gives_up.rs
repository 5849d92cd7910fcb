//! A store that gives up reconnecting after a few tries, and so never comes back from an outage that was longer.

use firedrill_storage::{RetryProfile, StoreBuilder};

/// Fewer than the ten of the design that had this fault: a drill's outage is shorter than those it stands for.
const TRIES: u32 = 3;

/// Plants the defect in the store's settings.
pub(super) fn adjust(settings: &mut StoreBuilder) {
    settings.retry = RetryProfile { give_up_after: Some(TRIES), ..settings.retry };
}

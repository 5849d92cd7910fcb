//! A store that hides what has expired and never drops it: its memory grows with every session that ever was.

use firedrill_storage::StoreBuilder;

/// Plants the defect in the store's settings.
pub(super) fn adjust(settings: &mut StoreBuilder) {
    settings.cleanup_every = None;
}

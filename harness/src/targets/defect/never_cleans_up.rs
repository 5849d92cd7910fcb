//! A store that hides expired sessions but never drops them: its memory grows with every session ever created.

use firedrill_storage::StoreBuilder;

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "never-cleans-up",
    about: "Expired sessions stay in memory.",
    source: "T3: cleanup drops what was idle for longer than the TTL",
    drills: &[caught_alone("memory-cleanup", &[], &["sessions.held"])],
    plant: Plant::Settings(adjust),
    needs: Needs::Nothing,
};

/// Plants the defect in the store's settings.
fn adjust(settings: &mut StoreBuilder) {
    settings.cleanup_every = None;
}

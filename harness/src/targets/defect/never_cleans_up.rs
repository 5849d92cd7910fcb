//! A store that hides expired sessions but never drops them: its memory grows with every session ever created.

use firedrill_storage::StoreBuilder;

use super::plant::{Needs, Plant, Planted};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "never-cleans-up",
    about: "Expired sessions stay in memory.",
    caught_by: "the gate `sessions.held` (`memory-cleanup`); no read can show it",
    plant: Plant::Settings(adjust),
    needs: Needs::Nothing,
};

/// Plants the defect in the store's settings.
fn adjust(settings: &mut StoreBuilder) {
    settings.cleanup_every = None;
}

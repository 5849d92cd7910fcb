//! A store whose reads do not extend the lifetime of a session: its users are logged out while they use it.

use firedrill_storage::StoreBuilder;

use super::caught::caught;
use super::plant::{Needs, Plant, Planted};

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "lifetime-does-not-slide",
    about: "A read does not extend the session's lifetime.",
    source: "connect-redis#144; T7: every access resets the lifetime",
    drills: &[caught("kept-in-use", &["load.mix={ read = 1 }"], &["checks.ttl"])],
    plant: Plant::Settings(adjust),
    needs: Needs::Nothing,
};

/// Plants the defect in the store's settings.
fn adjust(settings: &mut StoreBuilder) {
    settings.sliding = false;
}

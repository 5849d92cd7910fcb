//! A fallback that is forgotten when Redis is back: what was acknowledged in the outage is lost.

use firedrill_storage::{Policy, StoreBuilder};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted};

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "forgets-its-fallback",
    about: "What the fallback acknowledged is dropped when Redis is back.",
    source: "T: the fallback map is never drained, so sessions made during an outage vanish when Redis returns",
    drills: &[caught("short-outage", &[], &["checks.lost-writes"])],
    plant: Plant::Settings(adjust),
    needs: Needs::Nothing,
};

/// Plants the defect in the store's settings.
fn adjust(settings: &mut StoreBuilder) {
    settings.policy = Policy::Degrade;
}

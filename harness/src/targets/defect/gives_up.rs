//! A store that stops reconnecting after a few attempts, so it never recovers from a longer outage.

use firedrill_storage::{RetryProfile, StoreBuilder};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "gives-up",
    about: "The store stops reconnecting after a few attempts.",
    source: "T: giving up after 10 retries never comes back",
    drills: &[caught("short-outage", &[], &["recovery"])],
    plant: Plant::Settings(adjust),
    needs: Needs::Nothing,
};

/// The design that had this fault gave up after ten attempts; a drill's outage is shorter than a real one.
const TRIES: u32 = 3;

/// Plants the defect in the store's settings.
fn adjust(settings: &mut StoreBuilder) {
    settings.retry = RetryProfile { give_up_after: Some(TRIES), ..settings.retry };
}

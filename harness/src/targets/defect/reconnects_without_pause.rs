//! A store that tries to reconnect without a pause worth the name: every process does so at once when Redis is away, and
//! all of them hammer the Redis that returns.

use std::time::Duration;

use firedrill_storage::{RetryProfile, StoreBuilder};

use super::plant::{Needs, Plant, Planted};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "reconnects-without-pause",
    about: "While Redis is away, the store tries to connect every millisecond.",
    caught_by: "the gate `connections.attempts`",
    plant: Plant::Settings(adjust),
    needs: Needs::Nothing,
};

/// Without any pause, the attempts would also take the CPU that the drill needs.
const PAUSE: Duration = Duration::from_millis(1);

/// Plants the defect in the store's settings.
fn adjust(settings: &mut StoreBuilder) {
    settings.retry = RetryProfile { first: PAUSE, max: PAUSE, ..settings.retry };
}

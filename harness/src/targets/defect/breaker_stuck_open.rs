//! A circuit breaker that does not close again.

use std::time::Duration;

use firedrill_storage::{BreakerConfig, StoreBuilder};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted};

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "breaker-stuck-open",
    about: "A circuit breaker that has opened stays open.",
    source: "resilience4j#544",
    drills: &[caught("breaker-closes", &[], &["recovery"])],
    plant: Plant::Settings(adjust),
    needs: Needs::Nothing,
};

/// Longer than any drill.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// Plants the defect in the store's settings; a store without a breaker gets one.
fn adjust(settings: &mut StoreBuilder) {
    settings.breaker = Some(BreakerConfig { open_for: FOR_EVER, ..settings.breaker.unwrap_or_default() });
}

//! A half-open circuit breaker that lets every call through: a Redis that is just recovering gets them all at once.

use firedrill_storage::{BreakerConfig, StoreBuilder};

use super::plant::{Needs, Plant, Planted};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "half-open-stampede",
    about: "A half-open circuit breaker lets every call through.",
    caught_by: "the gate `breaker.probes`, with a network that is slower than the deadline of a call (`proxy.latency`)",
    plant: Plant::Settings(adjust),
    needs: Needs::Nothing,
};

/// Plants the defect in the store's settings; a store without a breaker gets one.
fn adjust(settings: &mut StoreBuilder) {
    settings.breaker = Some(BreakerConfig { probes: u32::MAX, ..settings.breaker.unwrap_or_default() });
}

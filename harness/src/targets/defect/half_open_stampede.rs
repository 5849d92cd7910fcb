//! A half-open circuit breaker that lets every call through: a Redis that is just recovering gets them all at once.

use firedrill_storage::{BreakerConfig, StoreBuilder};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "half-open-stampede",
    about: "A half-open circuit breaker lets every call through.",
    source: "T: a half-open breaker that lets everybody through; resilience4j#2093",
    drills: &[caught("breaker-recovery", &[SLOW], &["breaker.probes"])],
    plant: Plant::Settings(adjust),
    needs: Needs::Nothing,
};

/// Connections succeed, but calls run into their deadlines: any second call that is let through is a stampede.
const SLOW: &str = r#"fault=[{ kind = "proxy.latency", latency = "600ms", at = "3s", for = "4s" }]"#;

/// Plants the defect in the store's settings; a store without a breaker gets one.
fn adjust(settings: &mut StoreBuilder) {
    settings.breaker = Some(BreakerConfig { probes: u32::MAX, ..settings.breaker.unwrap_or_default() });
}

//! A circuit breaker that lets everybody through when it is half-open: a Redis that is just coming back gets them all at
//! once.

use firedrill_storage::{BreakerConfig, StoreBuilder};

/// Plants the defect in the store's settings; a store without a breaker gets one.
pub(super) fn adjust(settings: &mut StoreBuilder) {
    settings.breaker = Some(BreakerConfig { probes: u32::MAX, ..settings.breaker.unwrap_or_default() });
}

//! A health check that says that all is well, whatever Redis does.

use async_trait::async_trait;
use firedrill_storage::{Health, HealthStatus};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "health-always-up",
    about: "Health is always reported as connected.",
    source: "spring-boot#15542; T13 and S4: health says whether Redis is connected",
    drills: &[caught_alone("refused-in-outage", &[], &["during.health.errors"])],
    plant: Plant::Around(|store, _| Ok(HealthAlwaysUp(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct HealthAlwaysUp(Store);

#[async_trait]
impl Spoil for HealthAlwaysUp {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn health(&self) -> Health {
        Health { status: HealthStatus::Connected, reason: None, ..self.0.health().await }
    }
}

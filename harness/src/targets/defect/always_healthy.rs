//! A store whose health check says that it is configured, not that Redis answers: a load balancer keeps sending it
//! traffic, and nobody is woken.

use async_trait::async_trait;
use firedrill_storage::Health;

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "always-healthy",
    about: "Health says \"connected\", whatever Redis does.",
    source: "spring-boot#15542; T13 and S4: health says whether Redis is connected",
    drills: &[caught_alone("health-asked", &[], &["checks.health-answers"])],
    plant: Plant::Around(|store, _| Ok(AlwaysHealthy { inner: store }.planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store and never asks it about its health.
struct AlwaysHealthy {
    inner: Store,
}

#[async_trait]
impl Spoil for AlwaysHealthy {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn health(&self) -> Health {
        Health::default()
    }
}

//! A store that answers that a session is destroyed, and keeps it.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "keeps-the-destroyed",
    about: "A destroy is acknowledged and does nothing.",
    source: "dotCMS/core#37511: `session.invalidate()` does not delete the Redis key",
    drills: &[caught_alone("everyday", &[], &["checks.resurrection"])],
    plant: Plant::Around(|store, place| Ok(KeepsTheDestroyed { inner: store, ttl: place.ttl }.planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct KeepsTheDestroyed {
    inner: Store,
    ttl: Duration,
}

#[async_trait]
impl Spoil for KeepsTheDestroyed {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        self.inner.touch(id, self.ttl).await
    }
}

//! A logout that clears the session and leaves it there.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "empties-the-destroyed",
    about: "A destroy clears the session's data and leaves the session.",
    source: "mezzio/mezzio-session#2: `clear()` only clears data",
    drills: &[caught("everyday", &[], &["checks.resurrection"])],
    plant: Plant::Around(|store, place| Ok(EmptiesTheDestroyed { inner: store, ttl: place.ttl }.planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct EmptiesTheDestroyed {
    inner: Store,
    ttl: Duration,
}

#[async_trait]
impl Spoil for EmptiesTheDestroyed {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        let read = self.inner.get(id, self.ttl).await?;
        let Some(mut session) = read.value else { return Ok(Acked { value: false, served_by: read.served_by }) };
        session.data.answers.clear();
        let written = self.inner.put(id, session.data, self.ttl).await?;
        Ok(Acked { value: true, served_by: written.served_by })
    }
}

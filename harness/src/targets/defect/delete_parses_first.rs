//! A store that reads and parses a session before deleting it, to learn its user: a value that does not parse can never
//! be deleted.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "delete-parses-first",
    about: "A session is read and parsed before it is deleted.",
    source: "C: delete must first parse the value, so one bad blob cannot be deleted",
    drills: &[caught("bad-values", &[], &["during.destroy.errors"])],
    plant: Plant::Around(|store, place| Ok(DeleteParsesFirst::around(store, place.ttl))),
    needs: Needs::Nothing,
};

/// Wraps a sound store and breaks its destroy.
struct DeleteParsesFirst {
    inner: Store,
    ttl: Duration,
}

impl DeleteParsesFirst {
    /// Plants the defect around `inner`, whose sessions live for `ttl`.
    fn around(inner: Store, ttl: Duration) -> Store {
        Self { inner, ttl }.planted()
    }
}

#[async_trait]
impl Spoil for DeleteParsesFirst {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        let found = self.inner.get(id, self.ttl).await?;
        if found.value.is_none() {
            return Ok(Acked { value: false, served_by: found.served_by });
        }
        self.inner.destroy(id).await
    }
}

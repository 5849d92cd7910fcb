//! A store that reads and parses a session before it deletes it, to learn whose it is: a value that does not parse can
//! never be deleted.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError};

use super::super::store::Store;
use super::spoil::Spoil;

/// Wraps a sound store and spoils its destroy.
pub struct DeleteParsesFirst {
    inner: Store,
    ttl: Duration,
}

impl DeleteParsesFirst {
    /// Plants the defect around `inner`, whose sessions live `ttl`.
    pub fn around(inner: Store, ttl: Duration) -> Store {
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

//! A store in which a reward is claimed by reading and then writing over whatever is there by then: everybody who read
//! before the first write is told that the reward is theirs.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Awardable, SessionId, StoreError, TriviaSession, Version};

use super::super::store::Store;
use super::spoil::Spoil;

/// Wraps a sound store and spoils its claims.
pub struct AwardTwice {
    inner: Store,
}

impl AwardTwice {
    /// Plants the defect around `inner`.
    pub fn around(inner: Store) -> Store {
        Self { inner }.planted()
    }
}

#[async_trait]
impl Spoil for AwardTwice {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: TriviaSession,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        if data.is_awarded() {
            return self.inner.put(id, data, ttl).await;
        }
        self.inner.update(id, expected, data, ttl).await
    }
}

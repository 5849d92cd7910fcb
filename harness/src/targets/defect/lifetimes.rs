//! What the defects about lifetimes share: a store that keeps every session for another time than it was asked to.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, Session, SessionId, StoreError, TriviaSession, Version};

use super::plant::Store;
use super::spoil::Spoil;

/// Wraps a store and changes every lifetime.
pub(super) struct Lifetimes {
    /// The store.
    pub(super) inner: Store,
    /// The lifetime of a session, by the one that was asked for.
    pub(super) of: fn(Duration) -> Duration,
}

#[async_trait]
impl Spoil for Lifetimes {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn create(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.inner.create(id, data, (self.of)(ttl)).await
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        self.inner.get(id, (self.of)(ttl)).await
    }

    async fn put(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.inner.put(id, data, (self.of)(ttl)).await
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: TriviaSession,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        self.inner.update(id, expected, data, (self.of)(ttl)).await
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.inner.append(id, item, (self.of)(ttl)).await
    }

    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError> {
        self.inner.touch(id, (self.of)(ttl)).await
    }
}

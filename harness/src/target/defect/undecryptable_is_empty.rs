//! A store that answers a value which does not decrypt or parse with an empty session, and goes on from there: its user
//! is logged out in silence, and the next answer overwrites what could have been repaired.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{
    Acked, Answer, Health, Session, SessionData, SessionId, SessionStore, StoreError, Timestamp, TriviaSession, UserId,
    Version,
};

use super::super::store::Store;

/// Wraps a sound store and hides its errors about values that cannot be read.
pub struct UndecryptableIsEmpty {
    inner: Store,
}

impl UndecryptableIsEmpty {
    /// Plants the defect around `inner`.
    pub fn around(inner: Store) -> Store {
        Arc::new(Self { inner })
    }
}

fn is_unreadable(error: &StoreError) -> bool {
    matches!(error, StoreError::Undecryptable { .. } | StoreError::Corrupt { .. })
}

fn empty(id: &SessionId) -> TriviaSession {
    TriviaSession::new(id.clone(), UserId::anonymous(), [].into(), Timestamp::now())
}

#[async_trait]
impl SessionStore<TriviaSession> for UndecryptableIsEmpty {
    async fn create(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.inner.create(id, data, ttl).await
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        match self.inner.get(id, ttl).await {
            Err(error) if is_unreadable(&error) => Ok(Acked::primary(Some(Session { version: 0, data: empty(id) }))),
            answered => answered,
        }
    }

    async fn put(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.inner.put(id, data, ttl).await
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: TriviaSession,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        self.inner.update(id, expected, data, ttl).await
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        match self.inner.append(id, item.clone(), ttl).await {
            Err(error) if is_unreadable(&error) => {
                let mut data = empty(id);
                data.append(item);
                self.inner.put(id, data, ttl).await
            }
            answered => answered,
        }
    }

    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError> {
        self.inner.touch(id, ttl).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        self.inner.destroy(id).await
    }

    async fn count(&self) -> Result<Acked<u64>, StoreError> {
        self.inner.count().await
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        self.inner.list_by_user(user, limit).await
    }

    async fn cleanup(&self) -> Result<u64, StoreError> {
        self.inner.cleanup().await
    }

    async fn health(&self) -> Health {
        self.inner.health().await
    }
}

//! What all planted defects share: a sound store behind them that handles every operation they do not break.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{
    Acked, Answer, AppendStore, Health, Session, SessionId, SessionStore, StoreError, TriviaSession, Version,
};

use super::plant::Store;

/// A store with a defect: the sound store does everything that is not overridden.
#[async_trait]
pub(super) trait Spoil: Send + Sync + Sized + 'static {
    /// The sound store.
    fn inner(&self) -> &Store;

    /// The store to drive.
    fn planted(self) -> Store {
        Arc::new(Spoilt(self))
    }

    async fn create(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.inner().create(id, data, ttl).await
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        self.inner().get(id, ttl).await
    }

    async fn peek(&self, id: &SessionId) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        self.inner().peek(id).await
    }

    async fn put(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.inner().put(id, data, ttl).await
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: TriviaSession,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        self.inner().update(id, expected, data, ttl).await
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.inner().append(id, item, ttl).await
    }

    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError> {
        self.inner().touch(id, ttl).await
    }

    async fn rename(&self, from: &SessionId, to: &SessionId, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.inner().rename(from, to, ttl).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        self.inner().destroy(id).await
    }

    async fn destroy_by_user(&self, user: &str, except: Option<&SessionId>) -> Result<Acked<u64>, StoreError> {
        self.inner().destroy_by_user(user, except).await
    }

    async fn count(&self) -> Result<Acked<u64>, StoreError> {
        self.inner().count().await
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        self.inner().list_by_user(user, limit).await
    }

    async fn health(&self) -> Health {
        self.inner().health().await
    }
}

struct Spoilt<S>(S);

#[async_trait]
impl<S: Spoil> SessionStore<TriviaSession> for Spoilt<S> {
    async fn create(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.0.create(id, data, ttl).await
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        self.0.get(id, ttl).await
    }

    async fn peek(&self, id: &SessionId) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        self.0.peek(id).await
    }

    async fn put(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.0.put(id, data, ttl).await
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: TriviaSession,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        self.0.update(id, expected, data, ttl).await
    }

    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError> {
        self.0.touch(id, ttl).await
    }

    async fn rename(&self, from: &SessionId, to: &SessionId, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.0.rename(from, to, ttl).await
    }

    fn successor(&self, from: &SessionId) -> SessionId {
        self.0.inner().successor(from)
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        self.0.destroy(id).await
    }

    async fn destroy_by_user(&self, user: &str, except: Option<&SessionId>) -> Result<Acked<u64>, StoreError> {
        self.0.destroy_by_user(user, except).await
    }

    async fn count(&self) -> Result<Acked<u64>, StoreError> {
        self.0.count().await
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        self.0.list_by_user(user, limit).await
    }

    async fn cleanup(&self) -> Result<u64, StoreError> {
        self.0.inner().cleanup().await
    }

    async fn health(&self) -> Health {
        self.0.health().await
    }
}

#[async_trait]
impl<S: Spoil> AppendStore<TriviaSession> for Spoilt<S> {
    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.0.append(id, item, ttl).await
    }
}

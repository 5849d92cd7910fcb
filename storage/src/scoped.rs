//! A store whose calls carry its planted defect. Its tasks carry it by themselves (`planted::carried`).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::data::SessionData;
use crate::error::StoreError;
use crate::planted::Hooks;
use crate::store::{Acked, AppendStore, Health, Session, SessionId, SessionStore, Version};

/// The store itself if nothing is planted, as in every build without the feature `planted`.
pub(crate) fn scoped<D: SessionData>(inner: Arc<dyn AppendStore<D>>, planted: Hooks) -> Arc<dyn AppendStore<D>> {
    if planted.is_empty() { inner } else { Arc::new(Scoped { inner, planted }) }
}

struct Scoped<D: SessionData> {
    inner: Arc<dyn AppendStore<D>>,
    planted: Hooks,
}

#[async_trait]
impl<D: SessionData> SessionStore<D> for Scoped<D> {
    async fn create(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.planted.within(self.inner.create(id, data, ttl)).await
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<D>>>, StoreError> {
        self.planted.within(self.inner.get(id, ttl)).await
    }

    async fn peek(&self, id: &SessionId) -> Result<Acked<Option<Session<D>>>, StoreError> {
        self.planted.within(self.inner.peek(id)).await
    }

    async fn put(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.planted.within(self.inner.put(id, data, ttl)).await
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: D,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        self.planted.within(self.inner.update(id, expected, data, ttl)).await
    }

    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError> {
        self.planted.within(self.inner.touch(id, ttl)).await
    }

    async fn rename(&self, from: &SessionId, to: &SessionId, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.planted.within(self.inner.rename(from, to, ttl)).await
    }

    fn successor(&self, from: &SessionId) -> SessionId {
        self.inner.successor(from)
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        self.planted.within(self.inner.destroy(id)).await
    }

    async fn destroy_by_user(&self, user: &str, except: Option<&SessionId>) -> Result<Acked<u64>, StoreError> {
        self.planted.within(self.inner.destroy_by_user(user, except)).await
    }

    async fn count(&self) -> Result<Acked<u64>, StoreError> {
        self.planted.within(self.inner.count()).await
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        self.planted.within(self.inner.list_by_user(user, limit)).await
    }

    async fn cleanup(&self) -> Result<u64, StoreError> {
        self.planted.within(self.inner.cleanup()).await
    }

    async fn health(&self) -> Health {
        self.planted.within(self.inner.health()).await
    }
}

#[async_trait]
impl<D: SessionData> AppendStore<D> for Scoped<D> {
    async fn append(&self, id: &SessionId, item: D::Item, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.planted.within(self.inner.append(id, item, ttl)).await
    }
}

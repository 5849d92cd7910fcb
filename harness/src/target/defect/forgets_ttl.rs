//! A store whose writes clear the session's expiry, as a plain SET does: what it wrote lives for ever.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, Health, Session, SessionId, SessionStore, StoreError, TriviaSession, Version};

use super::super::store::Store;
use crate::lab::{Admin, LabError, RedisUrl};

/// Wraps a sound store and spoils its writes.
pub struct ForgetsTtl {
    inner: Store,
    redis: Admin,
    prefix: String,
}

impl ForgetsTtl {
    /// Plants the defect around `inner`, whose keys in the Redis at `url` begin with `prefix`.
    pub fn around(inner: Store, url: &RedisUrl, prefix: &str) -> Result<Store, LabError> {
        let redis = Admin::new(url, Duration::from_secs(1))?;
        Ok(std::sync::Arc::new(Self { inner, redis, prefix: prefix.to_owned() }))
    }

    async fn forget<T>(&self, id: &SessionId, done: Result<T, StoreError>) -> Result<T, StoreError> {
        if done.is_ok() {
            let mut persist = redis::cmd("PERSIST");
            persist.arg(format!("{}{id}", self.prefix));
            // Where Redis is away there is nothing to spoil.
            let _ = self.redis.query::<i64>(&persist).await;
        }
        done
    }
}

#[async_trait]
impl SessionStore<TriviaSession> for ForgetsTtl {
    async fn create(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.forget(id, self.inner.create(id, data, ttl).await).await
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        self.inner.get(id, ttl).await
    }

    async fn put(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.forget(id, self.inner.put(id, data, ttl).await).await
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: TriviaSession,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        self.forget(id, self.inner.update(id, expected, data, ttl).await).await
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.forget(id, self.inner.append(id, item, ttl).await).await
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

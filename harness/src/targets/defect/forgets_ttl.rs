//! A store whose writes clear the session's expiry, as a plain SET does: what it writes lives forever.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, SessionId, StoreError, TriviaSession, Version};

use super::caught::{caught, caught_alone};
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;
use crate::lab::{Admin, LabError, RedisUrl};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "forgets-ttl",
    about: "Every write drops the key's expiry, as a plain SET does.",
    source: "vmware-archive/session-managers#9",
    drills: &[
        caught_alone("everyday", &[], &["checks.immortal-keys"]),
        caught("ttl-expiry", &[], &["checks.ttl", "checks.immortal-keys"]),
    ],
    plant: Plant::Around(|store, place| ForgetsTtl::around(store, place.url, place.prefix)),
    needs: Needs::OneServer,
};

/// Wraps a sound store and breaks its writes.
struct ForgetsTtl {
    inner: Store,
    redis: Admin,
    prefix: String,
}

impl ForgetsTtl {
    /// Plants the defect around `inner`, whose keys in the Redis at `url` begin with `prefix`.
    fn around(inner: Store, url: &RedisUrl, prefix: &str) -> Result<Store, LabError> {
        let redis = Admin::new(url, Duration::from_secs(1))?;
        Ok(Self { inner, redis, prefix: prefix.to_owned() }.planted())
    }

    async fn forget<T>(&self, id: &SessionId, done: Result<T, StoreError>) -> Result<T, StoreError> {
        if done.is_ok() {
            let mut persist = redis::cmd("PERSIST");
            persist.arg(format!("{}{id}", self.prefix));
            // Without Redis there is nothing to break.
            let _ = self.redis.query::<i64>(&persist).await;
        }
        done
    }
}

#[async_trait]
impl Spoil for ForgetsTtl {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn create(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.forget(id, self.inner.create(id, data, ttl).await).await
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
}

//! A store that counts its sessions with a counter in its own process: nobody tells the counter what expires.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError, TriviaSession, Version};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "counts-by-itself",
    about: "Sessions are counted by a counter that expiry does not reach.",
    source: "projectdiscovery/interactsh#1379: expiry never decrements the counter of sessions",
    drills: &[caught_alone("listed-and-counted", &[], &["checks.counts"])],
    plant: Plant::Around(|store, _| Ok(CountsByItself { inner: store, sessions: AtomicU64::new(0) }.planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct CountsByItself {
    inner: Store,
    sessions: AtomicU64,
}

#[async_trait]
impl Spoil for CountsByItself {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn create(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        let done = self.inner.create(id, data, ttl).await?;
        self.sessions.fetch_add(1, Ordering::Relaxed);
        Ok(done)
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        let done = self.inner.destroy(id).await?;
        if done.value {
            self.sessions.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(done)
    }

    async fn count(&self) -> Result<Acked<u64>, StoreError> {
        Ok(Acked::primary(self.sessions.load(Ordering::Relaxed)))
    }
}

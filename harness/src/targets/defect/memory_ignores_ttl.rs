//! Sessions in the memory of the process. Their lifetime is accepted and then ignored: they stay until deleted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, MemoryStore, Session, SessionId, StoreError, TriviaSession, Version};

use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "memory-ignores-ttl",
    about: "Sessions live in memory, where their lifetime is ignored.",
    caught_by: "`ttl`",
    plant: Plant::Around(|_, _| Ok(MemoryIgnoresTtl::empty())),
    needs: Needs::Nothing,
};

/// Longer than any drill.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// A memory store in which nothing expires.
struct MemoryIgnoresTtl {
    inner: Store,
}

impl MemoryIgnoresTtl {
    /// Creates an empty store.
    fn empty() -> Store {
        Self { inner: Arc::new(MemoryStore::default()) }.planted()
    }
}

#[async_trait]
impl Spoil for MemoryIgnoresTtl {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn create(&self, id: &SessionId, data: TriviaSession, _ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.inner.create(id, data, FOR_EVER).await
    }

    async fn get(&self, id: &SessionId, _ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        self.inner.get(id, FOR_EVER).await
    }

    async fn put(&self, id: &SessionId, data: TriviaSession, _ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.inner.put(id, data, FOR_EVER).await
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: TriviaSession,
        _ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        self.inner.update(id, expected, data, FOR_EVER).await
    }

    async fn append(&self, id: &SessionId, item: Answer, _ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.inner.append(id, item, FOR_EVER).await
    }

    async fn touch(&self, id: &SessionId, _ttl: Duration) -> Result<Acked<bool>, StoreError> {
        self.inner.touch(id, FOR_EVER).await
    }
}

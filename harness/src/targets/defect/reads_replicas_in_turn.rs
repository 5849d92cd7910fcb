//! Reads that go to two replicas in turn, one of which is behind.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Session, SessionId, StoreError, TriviaSession};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "reads-replicas-in-turn",
    about: "Every second read shows the version before the last.",
    source: "redisson/redisson#5618: reads from replicas, and nothing waits for them",
    drills: &[caught_alone("reads-only", &[], &["checks.monotonic-reads"])],
    plant: Plant::Around(|store, _| Ok(ReadsReplicasInTurn { inner: store, reads: AtomicU64::new(0) }.planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct ReadsReplicasInTurn {
    inner: Store,
    reads: AtomicU64,
}

#[async_trait]
impl Spoil for ReadsReplicasInTurn {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        let mut read = self.inner.get(id, ttl).await?;
        if let Some(session) = &mut read.value
            && self.reads.fetch_add(1, Ordering::Relaxed).is_multiple_of(2)
        {
            session.version += 1;
        }
        Ok(read)
    }
}

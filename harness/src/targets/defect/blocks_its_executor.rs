//! A store that blocks the thread it is polled on, as a system call or a lock in the middle of asynchronous code does.
//! Everything else on the thread waits too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Session, SessionId, StoreError, TriviaSession};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "blocks-its-executor",
    about: "Every fiftieth read sleeps on the executor's thread.",
    source: "joaquinbejar/OptionChain-Simulator#19: synchronous Redis calls in an asynchronous server",
    drills: &[caught("steady-reads", &[], &["all.p90"])],
    plant: Plant::Around(|store, _| Ok(BlocksItsExecutor { inner: store, reads: AtomicU64::new(0) }.planted())),
    needs: Needs::Nothing,
};

/// One in this many reads blocks.
const EVERY: u64 = 50;

/// How long a read blocks.
const BLOCKED: Duration = Duration::from_millis(300);

/// Wraps a sound store and breaks its reads.
struct BlocksItsExecutor {
    inner: Store,
    reads: AtomicU64,
}

#[async_trait]
impl Spoil for BlocksItsExecutor {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        if self.reads.fetch_add(1, Ordering::Relaxed) % EVERY == EVERY - 1 {
            std::thread::sleep(BLOCKED);
        }
        self.inner.get(id, ttl).await
    }
}

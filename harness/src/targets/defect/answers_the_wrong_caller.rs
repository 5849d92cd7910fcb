//! A connection on which the replies are out of step: a caller gets the session that another one asked for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Session, SessionId, StoreError, TriviaSession};
use parking_lot::Mutex;

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "answers-the-wrong-caller",
    about: "Every fiftieth read shows the session that was read before it.",
    source: "redis-py#2624 (CVE-2023-28858): a cancelled command leaves its reply to the next caller",
    drills: &[caught_alone("reads-only", &[], &["checks.isolation"])],
    plant: Plant::Around(|store, _| {
        Ok(AnswersTheWrongCaller { inner: store, reads: AtomicU64::new(0), before: Mutex::default() }.planted())
    }),
    needs: Needs::Nothing,
};

/// One in this many reads gets another's reply.
const EVERY: u64 = 50;

/// Wraps a sound store.
struct AnswersTheWrongCaller {
    inner: Store,
    reads: AtomicU64,
    before: Mutex<Option<Session<TriviaSession>>>,
}

#[async_trait]
impl Spoil for AnswersTheWrongCaller {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        let read = self.inner.get(id, ttl).await?;
        let before = std::mem::replace(&mut *self.before.lock(), read.value.clone());
        match self.reads.fetch_add(1, Ordering::Relaxed) % EVERY == EVERY - 1 {
            true => Ok(Acked { value: before, ..read }),
            false => Ok(read),
        }
    }
}

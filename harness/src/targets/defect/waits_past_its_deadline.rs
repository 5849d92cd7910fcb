//! A store whose reads and appends wait for Redis instead of failing when it is away: callers wait for as long as the
//! outage lasts, whatever deadline the store was given.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, Session, SessionId, StoreError, TriviaSession, Version};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "waits-past-its-deadline",
    about: "Reads and appends wait for Redis to return instead of failing by their deadline.",
    source: "lettuce#2082, redis-rs#275, ioredis#1318: a call hangs for as long as the connection does",
    drills: &[caught_alone("restart-persistence", &["load.for=7s", "fault.at=2s"], &["calls.longest"])],
    plant: Plant::Around(|store, _| Ok(WaitsPastItsDeadline { inner: store }.planted())),
    needs: Needs::Nothing,
};

/// Shorter than the time in which the load gives up an operation (5 s), so that no operation fails.
const PATIENCE: Duration = Duration::from_secs(4);

const PAUSE: Duration = Duration::from_millis(20);

/// Wraps a sound store and repeats what it refuses.
struct WaitsPastItsDeadline {
    inner: Store,
}

/// Repeats `call` until Redis can be reached. Nothing is repeated that may have taken effect.
async fn patiently<T, F>(call: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let until = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Err(StoreError::Unavailable { .. }) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
    }
}

#[async_trait]
impl Spoil for WaitsPastItsDeadline {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        patiently(|| self.inner.get(id, ttl)).await
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        patiently(|| self.inner.append(id, item.clone(), ttl)).await
    }
}

//! Measures operations on one session, one after another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill_storage::{
    Answer, AppendStore, MemoryStore, Policy, SessionId, StoreBuilder, Timestamp, TriviaSession, UserId,
};

use super::error::MicrobenchError;
use super::site::{Site, TTL};

type Store = Arc<dyn AppendStore<TriviaSession>>;

/// The number of operations of each kind.
const ROUNDS: u64 = 100;

impl Site {
    /// A store whose replies all come from Redis.
    pub(super) fn redis_store(&self) -> Result<Store, MicrobenchError> {
        let settings = StoreBuilder {
            prefix: self.prefix.clone(),
            policy: Policy::FailFast,
            ..StoreBuilder::new(self.url.expose())
        };
        Ok(settings.build::<TriviaSession>()?.store)
    }
}

/// A store in memory.
pub(super) fn memory() -> Store {
    Arc::new(MemoryStore::<TriviaSession>::default())
}

/// Measures reads.
pub(super) async fn read(store: &Store, bytes: usize) -> Result<Vec<Duration>, MicrobenchError> {
    let (id, _) = stored(store, bytes).await?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let found = store.get(&id, TTL).await?;
        times.push(begun.elapsed());
        if found.value.is_none() {
            return Err(MicrobenchError::Never("the session that was written is not found"));
        }
    }
    store.destroy(&id).await?;
    Ok(times)
}

/// Measures writes of the whole session.
pub(super) async fn write(store: &Store, bytes: usize) -> Result<Vec<Duration>, MicrobenchError> {
    let (id, session) = stored(store, bytes).await?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let session = session.clone();
        let begun = Instant::now();
        store.put(&id, session, TTL).await?;
        times.push(begun.elapsed());
    }
    store.destroy(&id).await?;
    Ok(times)
}

/// Measures equal numbers of reads, writes and answers.
pub(super) async fn any(store: &Store, bytes: usize) -> Result<Vec<Duration>, MicrobenchError> {
    let mut times = read(store, bytes).await?;
    times.extend(write(store, bytes).await?);
    let (id, _) = stored(store, bytes).await?;
    for question in 0..ROUNDS {
        let answer = Answer { question, choice: 0, correct: true, score: 1, answered_at: Timestamp::now() };
        let begun = Instant::now();
        store.append(&id, answer, TTL).await?;
        times.push(begun.elapsed());
    }
    store.destroy(&id).await?;
    Ok(times)
}

/// A new session, and its id.
async fn stored(store: &Store, bytes: usize) -> Result<(SessionId, TriviaSession), MicrobenchError> {
    let id = SessionId::random();
    let session = TriviaSession::sized(id.clone(), UserId::anonymous(), bytes, Timestamp::now());
    store.create(&id, session.clone(), TTL).await?;
    Ok((id, session))
}

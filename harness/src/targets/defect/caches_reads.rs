//! A store with a cache of answers beside it that no write invalidates: for a moment, reads show what the session was.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use firedrill_storage::{Acked, Session, SessionId, StoreError, TriviaSession};
use parking_lot::Mutex;

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "caches-reads",
    about: "Answers to reads are cached for 200 ms, whatever is written in the meantime.",
    source: "T: several instances answer from copies of their own; rate-limit-redis#20",
    drills: &[caught("concurrent-writes", &["load.for=2s"], &["checks.stale-reads"])],
    plant: Plant::Around(|store, _| Ok(CachesReads { inner: store, cached: Mutex::default() }.planted())),
    needs: Needs::Nothing,
};

/// How long an answer is repeated.
const FRESH: Duration = Duration::from_millis(200);

type Found = Acked<Option<Session<TriviaSession>>>;

/// Wraps a sound store and repeats its answers.
struct CachesReads {
    inner: Store,
    cached: Mutex<HashMap<SessionId, (Instant, Found)>>,
}

#[async_trait]
impl Spoil for CachesReads {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Found, StoreError> {
        let cached = self.cached.lock().get(id).filter(|(since, _)| since.elapsed() < FRESH).cloned();
        if let Some((_, answer)) = cached {
            return Ok(answer);
        }
        let answer = self.inner.get(id, ttl).await?;
        self.cached.lock().insert(id.clone(), (Instant::now(), answer.clone()));
        Ok(answer)
    }
}

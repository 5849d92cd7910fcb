//! Reads from a replica that lags behind: what was written a moment ago is not there yet.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, Session, SessionId, StoreError, TriviaSession, Version};
use parking_lot::Mutex;

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "reads-a-lagging-replica",
    about: "For 50 ms after an append, reads do not show it.",
    source: "mattermost/mattermost#16888: sessions are read from a replica that lags",
    drills: &[caught_alone("unhurried-users", &[], &["checks.stale-reads"])],
    plant: Plant::Around(|store, _| Ok(ReadsALaggingReplica { inner: store, before: Mutex::default() }.planted())),
    needs: Needs::Nothing,
};

/// How far the replica lags.
const LAG: Duration = Duration::from_millis(50);

type Read = Acked<Option<Session<TriviaSession>>>;

/// Wraps a sound store.
struct ReadsALaggingReplica {
    inner: Store,
    /// What each session was before its last append, and when that was.
    before: Mutex<HashMap<SessionId, (Read, Instant)>>,
}

#[async_trait]
impl Spoil for ReadsALaggingReplica {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Read, StoreError> {
        let lagging = self.before.lock().get(id).filter(|(_, at)| at.elapsed() < LAG).map(|(read, _)| read.clone());
        match lagging {
            Some(read) => Ok(read),
            None => self.inner.get(id, ttl).await,
        }
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        let before = self.inner.get(id, ttl).await?;
        let done = self.inner.append(id, item, ttl).await?;
        self.before.lock().insert(id.clone(), (before, Instant::now()));
        Ok(done)
    }
}

//! A store that works out the version of a write from what it read last, instead of taking the one that Redis gave it.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, Session, SessionId, StoreError, TriviaSession, Version};
use parking_lot::Mutex;

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "guesses-version",
    about: "An append answers with the version that was last read plus one.",
    source: "apache/grails-data-mapping#180: the client counts a version up that the database did not give",
    drills: &[caught_alone("concurrent-writes", &["load.for=2s", "checks.versions=valid"], &["checks.versions"])],
    plant: Plant::Around(|store, _| Ok(GuessesVersion { inner: store, read: Mutex::default() }.planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store and spoils the versions of its appends.
struct GuessesVersion {
    inner: Store,
    /// What was last read of each session.
    read: Mutex<HashMap<SessionId, Version>>,
}

#[async_trait]
impl Spoil for GuessesVersion {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        let found = self.inner.get(id, ttl).await?;
        if let Some(session) = &found.value {
            self.read.lock().insert(id.clone(), session.version);
        }
        Ok(found)
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        // From what it has read before it writes: a guess from a later read could be too high, which a reader notices.
        let read = self.read.lock().get(id).copied();
        let appended = self.inner.append(id, item, ttl).await?;
        Ok(Acked { value: read.map_or(appended.value, |read| read + 1), ..appended })
    }
}

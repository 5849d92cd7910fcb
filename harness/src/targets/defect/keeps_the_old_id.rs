//! Gives a new id at login, but the old one still works: an attacker who planted it beforehand is logged in, too.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Session, SessionId, StoreError, TriviaSession, Version};
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "keeps-the-old-id",
    about: "A renewal leaves a copy of the session under its old id, which still answers.",
    source: "expressjs/session#923; goharbor/harbor#23290",
    drills: &[caught_alone("logins", &[], &["checks.renewals"])],
    plant: Plant::Around(|store, _| Ok(KeepsTheOldId { inner: store, old: Mutex::default() }.planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct KeepsTheOldId {
    inner: Store,
    old: Mutex<HashMap<SessionId, Session<TriviaSession>>>,
}

#[async_trait]
impl Spoil for KeepsTheOldId {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        let mut read = self.inner.get(id, ttl).await?;
        if read.value.is_none() {
            read.value = self.old.lock().get(id).cloned();
        }
        Ok(read)
    }

    async fn rename(&self, from: &SessionId, to: &SessionId, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        let renamed = self.inner.rename(from, to, ttl).await?;
        // Copied afterwards, so that it lacks nothing that was written before.
        if let Ok(Acked { value: Some(session), .. }) = self.inner.get(to, ttl).await {
            self.old.lock().insert(from.clone(), session);
        }
        Ok(renamed)
    }
}

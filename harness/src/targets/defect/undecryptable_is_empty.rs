//! A store that returns an empty session for a value that does not decrypt or parse, and carries on with it: its user
//! is silently logged out, and the next answer overwrites what could have been repaired.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{
    Acked, Answer, Session, SessionData, SessionId, StoreError, Timestamp, TriviaSession, UserId, Version,
};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "undecryptable-is-empty",
    about: "A value that does not decrypt or parse reads as an empty session: its user is silently logged out.",
    source: "R: a value that fails to decrypt becomes an empty session; spring-session#1939",
    drills: &[caught(
        "spoilt-ciphertexts",
        &[],
        &["checks.lost-writes", "checks.read-your-writes", "checks.monotonic-reads"],
    )],
    plant: Plant::Around(|store, _| Ok(UndecryptableIsEmpty::around(store))),
    needs: Needs::Nothing,
};

/// Wraps a sound store and hides its errors about unreadable values.
struct UndecryptableIsEmpty {
    inner: Store,
}

impl UndecryptableIsEmpty {
    /// Plants the defect around `inner`.
    fn around(inner: Store) -> Store {
        Self { inner }.planted()
    }
}

fn is_unreadable(error: &StoreError) -> bool {
    matches!(error, StoreError::Undecryptable { .. } | StoreError::Corrupt { .. })
}

fn empty(id: &SessionId) -> TriviaSession {
    TriviaSession::new(id.clone(), UserId::anonymous(), [].into(), Timestamp::now())
}

#[async_trait]
impl Spoil for UndecryptableIsEmpty {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        match self.inner.get(id, ttl).await {
            Err(error) if is_unreadable(&error) => Ok(Acked::primary(Some(Session { version: 0, data: empty(id) }))),
            answered => answered,
        }
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        match self.inner.append(id, item.clone(), ttl).await {
            Err(error) if is_unreadable(&error) => {
                let mut data = empty(id);
                data.append(item);
                self.inner.put(id, data, ttl).await
            }
            answered => answered,
        }
    }
}

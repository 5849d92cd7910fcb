//! An index that keeps the entries of destroyed sessions.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionData, SessionId, StoreError, TriviaSession, Version};
use parking_lot::Mutex;

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "list-keeps-the-destroyed",
    about: "A list shows sessions that were destroyed.",
    source: "C4: delete removes the value and its index entry; spring-session#2869",
    drills: &[caught_alone("listings", &[], &["checks.user-index"])],
    plant: Plant::Around(|store, _| Ok(ListKeepsTheDestroyed { inner: store, index: Mutex::default() }.planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct ListKeepsTheDestroyed {
    inner: Store,
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    users: HashMap<SessionId, String>,
    destroyed: HashMap<String, Vec<SessionId>>,
}

#[async_trait]
impl Spoil for ListKeepsTheDestroyed {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn create(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        if let Some(user) = data.user() {
            self.index.lock().users.insert(id.clone(), user.into_owned());
        }
        self.inner.create(id, data, ttl).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        let done = self.inner.destroy(id).await?;
        let mut index = self.index.lock();
        if let Some(user) = index.users.remove(id) {
            index.destroyed.entry(user).or_default().push(id.clone());
        }
        Ok(done)
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        let mut listed = self.inner.list_by_user(user, limit).await?;
        listed.value.extend(self.index.lock().destroyed.get(user).into_iter().flatten().cloned());
        Ok(listed)
    }
}

//! An append that creates the session if there is none.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, SessionData, SessionId, StoreError, Timestamp, TriviaSession, UserId, Version};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "append-creates",
    about: "An append to a session that has expired creates it again.",
    source: "tower-sessions' memory store, which upserts on save",
    drills: &[caught("idle-in-memory", &["load.mix={ read = 1, append = 1 }"], &["checks.ttl"])],
    plant: Plant::Around(|store, _| Ok(AppendCreates(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct AppendCreates(Store);

#[async_trait]
impl Spoil for AppendCreates {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        match self.0.append(id, item.clone(), ttl).await {
            Err(StoreError::NotFound) => {
                let mut data = TriviaSession::new(id.clone(), UserId::anonymous(), [].into(), Timestamp::now());
                data.append(item);
                self.0.put(id, data, ttl).await
            }
            done => done,
        }
    }
}

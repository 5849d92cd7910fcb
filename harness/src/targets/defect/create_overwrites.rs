//! A create that takes over the session of another user with the same id.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError, TriviaSession, Version};

use super::caught::escapes;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "create-overwrites",
    about: "A create overwrites a session that has the same id.",
    source: "maxcountryman/tower-sessions#180; oauth2-proxy/oauth2-proxy#1416",
    drills: &[escapes("everyday", &[], "no load creates a session under an id that is taken")],
    plant: Plant::Around(|store, _| Ok(CreateOverwrites(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct CreateOverwrites(Store);

#[async_trait]
impl Spoil for CreateOverwrites {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn create(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.0.put(id, data, ttl).await
    }
}

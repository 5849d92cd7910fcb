//! An update that creates the session if it is gone, as a save that is an upsert does.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError, TriviaSession, Version};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "updates-upsert",
    about: "An update of a destroyed session creates it again.",
    source: "django/django#5950 (ticket 21608): save is an upsert; oauth2-proxy/oauth2-proxy#1416",
    drills: &[caught_alone("everyday", &["store.update=compare-and-set"], &["checks.resurrection"])],
    plant: Plant::Around(|store, _| Ok(UpdatesUpsert(store).planted())),
    needs: Needs::Nothing,
};

/// How long a request takes from reading the session to saving it.
const REQUEST: Duration = Duration::from_millis(150);

/// Wraps a sound store.
struct UpdatesUpsert(Store);

#[async_trait]
impl Spoil for UpdatesUpsert {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: TriviaSession,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        tokio::time::sleep(REQUEST).await;
        match self.0.update(id, expected, data.clone(), ttl).await {
            Err(StoreError::NotFound) => self.0.put(id, data, ttl).await,
            done => done,
        }
    }
}

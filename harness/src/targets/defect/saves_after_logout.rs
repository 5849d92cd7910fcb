//! A save at the end of a slow request, which brings back a session that was destroyed while the request ran.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, SessionData, SessionId, StoreError, Version};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "saves-after-logout",
    about: "A slow request saves its session at its end, although the session was destroyed meanwhile.",
    source: "expressjs/session#632; connect-redis#328; Rack GHSA-9j94-67jr-4cqj",
    drills: &[caught("everyday", &[], &["checks.resurrection"])],
    plant: Plant::Around(|store, _| Ok(SavesAfterLogout(store).planted())),
    needs: Needs::Nothing,
};

/// How long a request takes.
const REQUEST: Duration = Duration::from_millis(150);

/// Wraps a sound store.
struct SavesAfterLogout(Store);

#[async_trait]
impl Spoil for SavesAfterLogout {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        let mut session = self.0.get(id, ttl).await?.value.ok_or(StoreError::NotFound)?;
        session.data.append(item);
        tokio::time::sleep(REQUEST).await;
        self.0.put(id, session.data, ttl).await
    }
}

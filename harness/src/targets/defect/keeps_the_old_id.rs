//! A new id at login, and the old one goes on working: whoever planted it beforehand is logged in, too.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError, Version};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "keeps-the-old-id",
    about: "A renewal copies the session to its new id and leaves it under the old one.",
    source: "expressjs/session#923; goharbor/harbor#23290",
    drills: &[caught_alone("logins", &[], &["checks.renewals"])],
    plant: Plant::Around(|store, _| Ok(KeepsTheOldId(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct KeepsTheOldId(Store);

#[async_trait]
impl Spoil for KeepsTheOldId {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn rename(&self, from: &SessionId, to: &SessionId, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        let mut session = self.0.get(from, ttl).await?.value.ok_or(StoreError::NotFound)?;
        session.data.session_id = to.clone();
        self.0.create(to, session.data, ttl).await
    }
}

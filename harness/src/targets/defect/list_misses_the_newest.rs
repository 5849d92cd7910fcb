//! An index into which a new session is not entered at once.

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "list-misses-the-newest",
    about: "A user's newest session is not in the list.",
    source: "redisson/redisson#2153: the index of a user is not written with the session",
    drills: &[caught_alone("listings", &[], &["checks.user-index"])],
    plant: Plant::Around(|store, _| Ok(ListMissesTheNewest(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct ListMissesTheNewest(Store);

#[async_trait]
impl Spoil for ListMissesTheNewest {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        let mut listed = self.0.list_by_user(user, limit).await?;
        listed.value.drain(..listed.value.len().min(1));
        Ok(listed)
    }
}

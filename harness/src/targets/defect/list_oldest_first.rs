//! A list in the wrong order.

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "list-oldest-first",
    about: "A list begins with the session that was written longest ago.",
    source: "C5: list by user, newest first",
    drills: &[caught_alone("listings", &[], &["checks.user-index"])],
    plant: Plant::Around(|store, _| Ok(ListOldestFirst(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct ListOldestFirst(Store);

#[async_trait]
impl Spoil for ListOldestFirst {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        let mut listed = self.0.list_by_user(user, limit).await?;
        listed.value.reverse();
        Ok(listed)
    }
}

//! A list that is read by SCAN, which may return an entry more than once.

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "list-repeats",
    about: "A list shows one session twice.",
    source: "Redis's SCAN: \"a given element may be returned multiple times\"; vertexproject/synapse#3755",
    drills: &[caught_alone("listings", &[], &["checks.user-index"])],
    plant: Plant::Around(|store, _| Ok(ListRepeats(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct ListRepeats(Store);

#[async_trait]
impl Spoil for ListRepeats {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        let mut listed = self.0.list_by_user(user, limit).await?;
        listed.value.extend(listed.value.last().cloned());
        Ok(listed)
    }
}

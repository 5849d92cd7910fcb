//! An append that reads, changes and writes whatever is there by then.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, SessionData, SessionId, StoreError, Version};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "appends-without-comparing",
    about: "An append reads the session, changes it and writes it, whatever others wrote in between.",
    source: "fastify-session#237; aspnet/Session#60",
    drills: &[caught_alone("appends-only", &[], &["checks.lost-writes"])],
    plant: Plant::Around(|store, _| Ok(AppendsWithoutComparing(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct AppendsWithoutComparing(Store);

#[async_trait]
impl Spoil for AppendsWithoutComparing {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        let mut session = self.0.get(id, ttl).await?.value.ok_or(StoreError::NotFound)?;
        session.data.append(item);
        self.0.put(id, session.data, ttl).await
    }
}

//! A store that acknowledges appends that failed.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, SessionId, StoreError, Version};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "acknowledges-failures",
    about: "An append that fails is acknowledged.",
    source: "tower-sessions' Redis store, which ignored a failed SET XX and reported success",
    drills: &[caught("refused-in-outage", &[], &["checks.lost-writes"])],
    plant: Plant::Around(|store, _| Ok(AcknowledgesFailures(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct AcknowledgesFailures(Store);

#[async_trait]
impl Spoil for AcknowledgesFailures {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        match self.0.append(id, item, ttl).await {
            Err(StoreError::NotFound) => Err(StoreError::NotFound),
            // 0 is the version of a target that reports none.
            done => Ok(done.unwrap_or(Acked::primary(0))),
        }
    }
}

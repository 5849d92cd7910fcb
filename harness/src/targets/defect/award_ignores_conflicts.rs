//! A claim that counts as made although another one came first.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Awardable, SessionId, StoreError, TriviaSession, Version};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "award-ignores-conflicts",
    about: "A claim that lost against another one is answered as if it had won.",
    source: "T: `progressionAwarded` must flip exactly once",
    drills: &[caught_alone("awards", &[], &["checks.double-award"])],
    plant: Plant::Around(|store, _| Ok(AwardIgnoresConflicts(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct AwardIgnoresConflicts(Store);

#[async_trait]
impl Spoil for AwardIgnoresConflicts {
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
        let claims = data.is_awarded();
        match self.0.update(id, expected, data, ttl).await {
            Err(StoreError::Conflict { current }) if claims => Ok(Acked::primary(current)),
            done => done,
        }
    }
}

//! A store that claims a reward by reading and then overwriting whatever is there: every claimant that reads before the
//! first write gets the reward.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Awardable, SessionId, StoreError, TriviaSession, Version};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "award-twice",
    about: "A reward is claimed by reading and then writing over whatever is there.",
    source: "T: `progressionAwarded` pays out a reward and must flip exactly once",
    drills: &[caught("awards", &[], &["checks.double-award"])],
    plant: Plant::Around(|store, _| Ok(AwardTwice::around(store))),
    needs: Needs::Nothing,
};

/// Wraps a sound store and breaks its claims.
struct AwardTwice {
    inner: Store,
}

impl AwardTwice {
    /// Plants the defect around `inner`.
    fn around(inner: Store) -> Store {
        Self { inner }.planted()
    }
}

#[async_trait]
impl Spoil for AwardTwice {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: TriviaSession,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        if data.is_awarded() {
            return self.inner.put(id, data, ttl).await;
        }
        self.inner.update(id, expected, data, ttl).await
    }
}

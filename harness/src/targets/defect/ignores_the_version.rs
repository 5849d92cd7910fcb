//! A compare-and-set that does not compare.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError, TriviaSession, Version};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "ignores-the-version",
    about: "An update writes whatever version is there.",
    source: "conceptadev/nestjs-modules#472: the version that is compared was read just before",
    drills: &[caught("shared-sessions", &["store.update=compare-and-set"], &["checks.lost-writes"])],
    plant: Plant::Around(|store, _| Ok(IgnoresTheVersion(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct IgnoresTheVersion(Store);

#[async_trait]
impl Spoil for IgnoresTheVersion {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn update(
        &self,
        id: &SessionId,
        _expected: Version,
        data: TriviaSession,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        self.0.put(id, data, ttl).await
    }
}

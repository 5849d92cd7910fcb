//! A store that calls an append of unknown outcome failed. Its callers repeat what took effect.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, Effect, SessionId, StoreError, Version};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "calls-unknown-failed",
    about: "An append of unknown outcome is reported as certainly failed.",
    source: "redis/jedis#3187: a read timeout is handled as if the command had not been executed",
    drills: &[caught_alone("replies-lost", &[], &["checks.phantom-writes"])],
    plant: Plant::Around(|store, _| Ok(CallsUnknownFailed(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct CallsUnknownFailed(Store);

#[async_trait]
impl Spoil for CallsUnknownFailed {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.0.append(id, item, ttl).await.map_err(|error| match error.effect() {
            Effect::Unknown => StoreError::Unavailable { reason: error.to_string() },
            Effect::None => error,
        })
    }
}

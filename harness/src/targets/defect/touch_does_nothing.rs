//! A touch that does not extend the session's lifetime.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "touch-does-nothing",
    about: "A touch is acknowledged and does not extend the session's lifetime.",
    source: "connect-redis#144; R3: rolling sessions, touch",
    drills: &[caught("kept-in-use", &["store.sliding=false"], &["checks.ttl"])],
    plant: Plant::Around(|store, _| Ok(TouchDoesNothing(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct TouchDoesNothing(Store);

#[async_trait]
impl Spoil for TouchDoesNothing {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn touch(&self, _id: &SessionId, _ttl: Duration) -> Result<Acked<bool>, StoreError> {
        Ok(Acked::primary(true))
    }
}

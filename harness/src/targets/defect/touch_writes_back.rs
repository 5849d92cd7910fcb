//! A touch that writes back what it read: what others wrote in between is lost.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "touch-writes-back",
    about: "A touch reads the session and writes it back.",
    source: "session-file-store#55; connect-redis#285",
    drills: &[caught("shared-sessions", &[], &["checks.lost-writes"])],
    plant: Plant::Around(|store, _| Ok(TouchWritesBack(store).planted())),
    needs: Needs::Nothing,
};

/// What a request does between reading the session and saving it.
const MEANWHILE: Duration = Duration::from_millis(5);

/// Wraps a sound store.
struct TouchWritesBack(Store);

#[async_trait]
impl Spoil for TouchWritesBack {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError> {
        let read = self.0.get(id, ttl).await?;
        let Some(session) = read.value else { return Ok(Acked { value: false, served_by: read.served_by }) };
        tokio::time::sleep(MEANWHILE).await;
        let written = self.0.put(id, session.data, ttl).await?;
        Ok(Acked { value: true, served_by: written.served_by })
    }
}

//! A read that writes the whole session back, to extend its lifetime.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Session, SessionId, StoreError, TriviaSession};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "reads-rewrite",
    about: "A read writes back what it read.",
    source: "T: reads that rewrite the whole value lose concurrent answers and bring deleted sessions back",
    drills: &[caught("shared-sessions", &[], &["checks.lost-writes"])],
    plant: Plant::Around(|store, _| Ok(ReadsRewrite(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct ReadsRewrite(Store);

#[async_trait]
impl Spoil for ReadsRewrite {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        let read = self.0.get(id, ttl).await?;
        if let Some(session) = &read.value {
            self.0.put(id, session.data.clone(), ttl).await?;
        }
        Ok(read)
    }
}

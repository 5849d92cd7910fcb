//! A store that answers from memory in an outage and does not say so.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, Session, SessionId, StoreError, TriviaSession, Version};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "hides-its-fallback",
    about: "What the fallback answers is reported as Redis's answer.",
    source: "C6: failure is never silently replaced by memory",
    drills: &[caught("short-outage", &[], &["during.degraded"])],
    plant: Plant::Around(|store, _| Ok(HidesItsFallback(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct HidesItsFallback(Store);

/// The answer, by whom it should have come from.
fn hidden<T>(done: Result<Acked<T>, StoreError>) -> Result<Acked<T>, StoreError> {
    done.map(|acked| Acked::primary(acked.value))
}

#[async_trait]
impl Spoil for HidesItsFallback {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn create(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        hidden(self.0.create(id, data, ttl).await)
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        hidden(self.0.get(id, ttl).await)
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        hidden(self.0.append(id, item, ttl).await)
    }
}

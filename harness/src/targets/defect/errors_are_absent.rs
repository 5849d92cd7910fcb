//! A store that answers "no such session" where it could not read: an outage logs its users out.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Session, SessionId, StoreError, TriviaSession};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "errors-are-absent",
    about: "A read that fails answers that there is no such session.",
    source: "sourcegraph/sourcegraph-public-snapshot#37016: a check while Redis is away clears the session",
    drills: &[caught("refused-in-outage", &[], &["checks.ttl"])],
    plant: Plant::Around(|store, _| Ok(ErrorsAreAbsent(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct ErrorsAreAbsent(Store);

#[async_trait]
impl Spoil for ErrorsAreAbsent {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        Ok(self.0.get(id, ttl).await.unwrap_or(Acked::primary(None)))
    }
}

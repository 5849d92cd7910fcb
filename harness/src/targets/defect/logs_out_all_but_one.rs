//! A logout everywhere that leaves one of the user's devices logged in.

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "logs-out-all-but-one",
    about: "A logout everywhere ends all of a user's sessions but the one written least recently.",
    source: "spring-projects/spring-session#2869 (an index that lacks sessions)",
    drills: &[caught_alone("logins", &[], &["checks.logouts"])],
    plant: Plant::Around(|store, _| Ok(LogsOutAllButOne(store).planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct LogsOutAllButOne(Store);

#[async_trait]
impl Spoil for LogsOutAllButOne {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn destroy_by_user(&self, user: &str, except: Option<&SessionId>) -> Result<Acked<u64>, StoreError> {
        let listed = self.0.list_by_user(user, usize::MAX).await?.value;
        self.0.destroy_by_user(user, listed.last().or(except)).await
    }
}

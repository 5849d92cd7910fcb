//! A store that repeats an append whose outcome it does not know. If the first attempt took effect, the item is there twice.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, Effect, SessionId, StoreError, Version};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "appends-again",
    about: "An append of unknown outcome is repeated without a look whether it took effect.",
    source: "ioredis `autoResendUnfulfilledCommands`; redis/redis-py#977: any command can be sent twice",
    drills: &[caught_alone("replies-lost", &[], &["checks.duplicated-writes"])],
    plant: Plant::Around(|store, _| Ok(AppendsAgain(store).planted())),
    needs: Needs::Nothing,
};

/// How often it is tried again, and the pause before each attempt: the connection is down.
const ATTEMPTS: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// Wraps a sound store.
struct AppendsAgain(Store);

#[async_trait]
impl Spoil for AppendsAgain {
    fn inner(&self) -> &Store {
        &self.0
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        match self.0.append(id, item.clone(), ttl).await {
            Err(error) if error.effect() == Effect::Unknown => self.again(id, item, ttl).await.ok_or(error),
            done => done,
        }
    }
}

impl AppendsAgain {
    /// Adds the item to whatever is there by now.
    async fn again(&self, id: &SessionId, item: Answer, ttl: Duration) -> Option<Acked<Version>> {
        for _ in 0..ATTEMPTS {
            tokio::time::sleep(PAUSE).await;
            let Ok(Acked { value: Some(mut session), .. }) = self.0.get(id, ttl).await else { continue };
            session.data.answers.push(item.clone());
            if let Ok(done) = self.0.update(id, session.version, session.data, ttl).await {
                return Some(done);
            }
        }
        None
    }
}

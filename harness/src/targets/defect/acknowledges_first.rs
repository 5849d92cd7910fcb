//! A store that acknowledges an append before it is written, and writes it a moment later.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Answer, SessionId, StoreError, Version};
use tokio::runtime::Handle;

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "acknowledges-first",
    about: "An append is acknowledged before it is sent to Redis.",
    source: "expressjs/session#167: the response is sent before the session is saved",
    drills: &[caught("everyday", &[], &["checks.read-your-writes"])],
    plant: Plant::Around(|store, _| Ok(AcknowledgesFirst { inner: store, runtime: Handle::current() }.planted())),
    needs: Needs::Nothing,
};

/// How much later it is written.
const LATER: Duration = Duration::from_millis(100);

/// Wraps a sound store.
struct AcknowledgesFirst {
    inner: Store,
    /// Lives longer than the load's threads.
    runtime: Handle,
}

#[async_trait]
impl Spoil for AcknowledgesFirst {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn append(&self, id: &SessionId, item: Answer, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        let (inner, id) = (self.inner.clone(), id.clone());
        self.runtime.spawn(async move {
            tokio::time::sleep(LATER).await;
            // Its caller is long gone.
            let _ = inner.append(&id, item, ttl).await;
        });
        // 0 is the version of a target that reports none.
        Ok(Acked::primary(0))
    }
}

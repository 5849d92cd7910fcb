//! The periodic cleanup of sessions in this process. An expired session is never found, but it takes up memory until it
//! is dropped.
//!
//! The store's clock decides when the cleanup is due. That clock may jump, so the task checks it about once a second.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::clock::{Clock, nanos};
use crate::planted;

/// How often a store cleans up by default.
pub const INTERVAL: Duration = Duration::from_secs(300);

/// Time between two checks of the clock, unless the cleanup is due more often.
const LOOK: Duration = Duration::from_secs(1);

/// Calls `clean(true)` on `runtime` every `interval` of `clock`, first after one interval. It returns how many sessions
/// it dropped, or `None` once nothing is left to clean, which ends the task. Every check in between calls
/// `clean(false)` to find that out.
pub(crate) fn every(
    interval: Duration,
    clock: Arc<dyn Clock>,
    runtime: &Handle,
    mut clean: impl FnMut(bool) -> Option<u64> + Send + 'static,
) {
    let mut due = clock.now().saturating_add(nanos(interval));
    runtime.spawn(planted::carried(async move {
        loop {
            tokio::time::sleep(interval.clamp(Duration::from_millis(1), LOOK)).await;
            let now = clock.now();
            let is_due = now >= due;
            let Some(dropped) = clean(is_due) else { return };
            if is_due {
                due = now.saturating_add(nanos(interval));
                tracing::debug!(dropped, "dropped what had expired from memory");
            }
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::time::Instant;

    use super::*;
    use crate::clock::ManualClock;
    use crate::memory::{MemoryConfig, MemoryStore};
    use crate::record::timestamp::Timestamp;
    use crate::record::trivia::{TriviaSession, UserId};
    use crate::store::SessionId;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// A clock set by hand that counts how often it is read.
    #[derive(Default)]
    struct Asked {
        clock: ManualClock,
        times: AtomicU64,
    }

    impl Clock for Asked {
        fn now(&self) -> u64 {
            self.times.fetch_add(1, SeqCst);
            self.clock.now()
        }
    }

    fn store(clock: &Arc<Asked>) -> Arc<MemoryStore<TriviaSession>> {
        Arc::new(MemoryStore::new(MemoryConfig { clock: clock.clone(), ..MemoryConfig::default() }))
    }

    fn insert(store: &MemoryStore<TriviaSession>, ttl: Duration) {
        let id = SessionId::random();
        let data = TriviaSession::sized(id.clone(), UserId::Number(1), 500, Timestamp(0));
        store.insert(&id, Arc::new(data), ttl).unwrap();
    }

    async fn until(what: &str, condition: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !condition() {
            assert!(Instant::now() < end, "{what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn what_has_expired_is_held_until_the_cleanup_is_due_by_the_stores_clock_and_then_dropped() {
        let clock = Arc::new(Asked::default());
        let store = store(&clock);
        insert(&store, HOUR / 60);
        insert(&store, HOUR);
        store.clean_every(INTERVAL, &Handle::current());
        clock.clock.advance(HOUR / 30);
        let before = clock.times.load(SeqCst);
        until("a look at the clock", || clock.times.load(SeqCst) > before + 1).await;
        assert_eq!((store.live(), store.held()), (1, 2), "expired, and the cleanup is not due");
        clock.clock.advance(INTERVAL);
        until("the first cleanup", || store.held() == 1).await;
        clock.clock.advance(HOUR);
        until("the next cleanup", || store.held() == 0).await;
    }

    #[tokio::test]
    async fn it_ends_with_the_store() {
        let clock = Arc::new(Asked::default());
        let store = store(&clock);
        store.clean_every(Duration::from_millis(1), &Handle::current());
        let store = Arc::downgrade(&{ store });
        assert!(store.upgrade().is_none(), "the cleanup must not keep the store alive");
        until("the task's end", || Handle::current().metrics().num_alive_tasks() == 0).await;
    }
}

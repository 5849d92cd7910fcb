//! Two copies of a session that are read in turn and have applied two simultaneous puts in different orders.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, Session, SessionId, StoreError, TriviaSession, Version};
use parking_lot::Mutex;

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "puts-in-two-orders",
    about: "Of two puts at the same time, reads show one and the other in turn.",
    source: "rate-limit-redis#20: each process has a copy of its own",
    drills: &[caught("puts-at-once", &[], &["checks.monotonic-reads"])],
    plant: Plant::Around(|store, _| Ok(PutsInTwoOrders { inner: store, copies: Mutex::default() }.planted())),
    needs: Needs::Nothing,
};

/// Wraps a sound store.
struct PutsInTwoOrders {
    inner: Store,
    copies: Mutex<HashMap<SessionId, Copies>>,
}

/// What is known of one session.
#[derive(Default)]
struct Copies {
    /// The puts that are under way.
    under_way: Vec<(u64, TriviaSession)>,
    /// The puts so far.
    puts: u64,
    /// What the second copy holds; `None`: the same as the first.
    second: Option<TriviaSession>,
    /// The reads so far.
    reads: u64,
}

#[async_trait]
impl Spoil for PutsInTwoOrders {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn put(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        let number = {
            let mut copies = self.copies.lock();
            let copies = copies.entry(id.clone()).or_default();
            copies.puts += 1;
            copies.second = copies.under_way.first().map(|(_, beside)| beside.clone());
            copies.under_way.push((copies.puts, data.clone()));
            copies.puts
        };
        let done = self.inner.put(id, data, ttl).await;
        if let Some(copies) = self.copies.lock().get_mut(id) {
            copies.under_way.retain(|(other, _)| *other != number);
        }
        done
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<TriviaSession>>>, StoreError> {
        let mut read = self.inner.get(id, ttl).await?;
        if let (Some(session), Some(copies)) = (&mut read.value, self.copies.lock().get_mut(id)) {
            copies.reads += 1;
            if let Some(second) = copies.second.as_ref().filter(|_| copies.reads.is_multiple_of(2)) {
                session.data = second.clone();
            }
        }
        Ok(read)
    }
}

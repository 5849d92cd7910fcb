//! Ids that sessions had before they were renamed: nothing may be stored under them for as long as the session could
//! have lived, at least an hour.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::clock::nanos;
use crate::store::SessionId;

/// At least as long as a tombstone in Redis.
const LIFE: Duration = Duration::from_secs(3_600);
/// Number of ids remembered. Beyond that the one that ends next is forgotten.
const REMEMBERED: usize = 100_000;

/// The ids that were given up, and until when.
#[derive(Default)]
pub(crate) struct Retired {
    ids: Mutex<HashMap<SessionId, u64>>,
    /// How many there are, so that a store without renames takes no lock.
    count: AtomicUsize,
}

impl Retired {
    /// Nothing may be stored under this id from `now` on, for at least `ttl`.
    pub(crate) fn add(&self, id: &SessionId, now: u64, ttl: Duration) {
        let mut ids = self.ids.lock();
        if ids.len() >= REMEMBERED {
            ids.retain(|_, until| now < *until);
        }
        if ids.len() >= REMEMBERED
            && let Some(next) = ids.iter().min_by_key(|(_, until)| **until).map(|(id, _)| id.clone())
        {
            ids.remove(&next);
        }
        ids.insert(id.clone(), now.saturating_add(nanos(ttl.max(LIFE))));
        self.count.store(ids.len(), Ordering::SeqCst);
    }

    /// Whether this id was given up.
    pub(crate) fn has(&self, id: &SessionId, now: u64) -> bool {
        self.count.load(Ordering::SeqCst) > 0 && self.ids.lock().get(id).is_some_and(|until| now < *until)
    }

    /// Forgets what has ended.
    pub(crate) fn purge(&self, now: u64) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut ids = self.ids.lock();
        ids.retain(|_, until| now < *until);
        self.count.store(ids.len(), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_retired_for_an_hour_or_as_long_as_its_session_could_have_lived() {
        let (retired, hour) = (Retired::default(), nanos(LIFE));
        let id = |name| SessionId::new(name).unwrap();
        retired.add(&id("short"), 0, Duration::ZERO);
        retired.add(&id("long"), 0, LIFE * 2);
        assert!(retired.has(&id("short"), hour - 1) && !retired.has(&id("other"), 0));
        retired.purge(hour);
        assert!(!retired.has(&id("short"), hour) && retired.has(&id("long"), 2 * hour - 1));
    }
}

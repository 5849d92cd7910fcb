//! Keeping a user's index alive while sessions are only read. A write extends the index to an hour beyond the session;
//! a read extends the session alone, in one command. So a reader extends the index too, but at most every half an hour
//! per user, which keeps the hour's lead and costs next to nothing.

use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::store::SessionId;

const INTERVAL: Duration = Duration::from_secs(30 * 60);
/// Users remembered. Beyond, all are forgotten, and each pays one more round trip.
const REMEMBERED: usize = 100_000;

#[derive(Default)]
pub(super) struct IndexAges(Mutex<HashMap<String, Instant>>);

impl IndexAges {
    /// Whether this user's index is due to be extended; if so, it counts as extended from now.
    pub(super) fn is_due(&self, user: &str) -> bool {
        let now = Instant::now();
        let mut ages = self.0.lock();
        if ages.get(user).is_some_and(|at| now.duration_since(*at) < INTERVAL) {
            return false;
        }
        note(&mut ages, user, now);
        true
    }

    /// A write extends it.
    pub(super) fn extended(&self, user: &str) {
        note(&mut self.0.lock(), user, Instant::now());
    }

    /// Forgets that it was extended: that failed.
    pub(super) fn forget(&self, user: &str) {
        self.0.lock().remove(user);
    }
}

/// Of entries of one user's indexes, each an id and the time of its last write: the newest ids, each once.
pub(super) fn newest(mut entries: Vec<(String, f64)>, limit: usize) -> Vec<SessionId> {
    // Each index comes sorted, and sorting is stable: only where there are several does anything move.
    entries.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let mut seen = HashSet::new();
    let ids = entries.iter().filter_map(|(id, _)| SessionId::new(id));
    ids.filter(|id| seen.insert(id.clone())).take(limit).collect()
}

fn note(ages: &mut HashMap<String, Instant>, user: &str, now: Instant) {
    if let Some(at) = ages.get_mut(user) {
        *at = now;
        return;
    }
    if ages.len() >= REMEMBERED {
        ages.clear();
    }
    ages.insert(user.to_owned(), now);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_several_indexes_become_one_list_newest_first() {
        let entry = |id: &str, at: f64| (id.to_owned(), at);
        let entries = vec![entry("c", 30.0), entry("a", 10.0), entry("b", 20.0), entry("a", 5.0), entry("bad id", 1.0)];
        let listed: Vec<String> = newest(entries.clone(), 9).iter().map(ToString::to_string).collect();
        assert_eq!(listed, ["c", "b", "a"]);
        assert_eq!(newest(entries, 1).len(), 1);
    }
}

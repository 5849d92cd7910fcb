//! Keeping a user's index alive. It must outlive every session in it, and every use extends a session's life. So each
//! read and write would have to extend the index too. But the index lives an hour longer than the session, so it is
//! enough if this process extends it every half an hour per user: that keeps half an hour's lead and costs next to
//! nothing. (A session new to an index always extends it; an append, which does not know its user, checks each time.)

use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::store::SessionId;

const INTERVAL: Duration = Duration::from_secs(30 * 60);
/// Number of users remembered. Beyond that all are forgotten, and each costs one more round trip.
const REMEMBERED: usize = 100_000;

/// When each index was last refreshed, and for which lifetime.
#[derive(Default)]
pub(super) struct IndexAges(Mutex<HashMap<String, Refreshed>>);

struct Refreshed {
    at: Instant,
    ttl: Duration,
}

/// What an operation has to do for its user's index.
pub(super) struct Upkeep {
    /// Empty for no user.
    user: String,
    ttl: Duration,
    due: bool,
}

impl Upkeep {
    /// Whether the index must be extended.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// The session's lifetime.
    pub(super) fn ttl(&self) -> Duration {
        self.ttl
    }
}

impl IndexAges {
    /// What a session of this user (empty for none) with this `ttl` requires.
    pub(super) fn upkeep(&self, user: String, ttl: Duration) -> Upkeep {
        let fresh = |seen: &Refreshed| seen.ttl >= ttl && seen.at.elapsed() < INTERVAL;
        let due = !user.is_empty() && !self.0.lock().get(&user).is_some_and(fresh);
        Upkeep { user, ttl, due }
    }

    /// Records that it was done.
    pub(super) fn kept(&self, upkeep: &Upkeep) {
        if !upkeep.due {
            return;
        }
        let seen = Refreshed { at: Instant::now(), ttl: upkeep.ttl };
        let mut ages = self.0.lock();
        if ages.len() >= REMEMBERED && !ages.contains_key(&upkeep.user) {
            ages.clear();
        }
        ages.insert(upkeep.user.clone(), seen);
    }
}

/// Picks the newest ids, each once, from entries of one user's indexes (an id and the time of its last write).
pub(super) fn newest(mut entries: Vec<(String, f64)>, limit: usize) -> Vec<SessionId> {
    // Each index comes sorted and sorting is stable, so a single index stays as it is.
    entries.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let mut seen = HashSet::new();
    let ids = entries.iter().filter_map(|(id, _)| SessionId::new(id));
    ids.filter(|id| seen.insert(id.clone())).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn an_index_is_seen_to_every_half_an_hour_and_at_once_for_a_longer_life() {
        let ages = IndexAges::default();
        assert!(!ages.upkeep(String::new(), HOUR).is_due(), "no user, no index");
        let first = ages.upkeep("ada".into(), HOUR);
        assert!(first.is_due());
        assert!(ages.upkeep("ada".into(), HOUR).is_due(), "still due until it is done");
        ages.kept(&first);
        assert!(!ages.upkeep("ada".into(), HOUR).is_due());
        assert!(!ages.upkeep("ada".into(), HOUR / 2).is_due());
        assert!(ages.upkeep("ada".into(), HOUR * 2).is_due());
        assert!(ages.upkeep("bob".into(), HOUR).is_due());
        tokio::time::advance(HOUR / 2).await;
        assert!(ages.upkeep("ada".into(), HOUR).is_due());
    }

    #[test]
    fn entries_of_several_indexes_become_one_list_newest_first() {
        let entry = |id: &str, at: f64| (id.to_owned(), at);
        let entries = vec![entry("c", 30.0), entry("a", 10.0), entry("b", 20.0), entry("a", 5.0), entry("bad id", 1.0)];
        let listed: Vec<String> = newest(entries.clone(), 9).iter().map(ToString::to_string).collect();
        assert_eq!(listed, ["c", "b", "a"]);
        assert_eq!(newest(entries, 1).len(), 1);
    }
}

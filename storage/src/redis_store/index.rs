//! Keeping a user's index alive while sessions are only read. A write extends the index to an hour beyond the session;
//! a read extends the session alone, in one command. So a reader extends the index too, but at most every half an hour
//! per user, which keeps the hour's lead and costs next to nothing.

use std::time::Duration;

use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::time::Instant;

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

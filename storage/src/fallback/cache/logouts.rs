//! Users who were logged out everywhere while Redis was away. Their sessions known here ended at once; those that only
//! Redis knows end when this process meets them, or when Redis is back.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::store::SessionId;

/// A logout that Redis does not know of yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::fallback) struct Logout {
    pub(in crate::fallback) user: String,
    /// Sessions that go on.
    pub(in crate::fallback) except: Vec<SessionId>,
}

/// The logouts that Redis does not know of yet.
#[derive(Default)]
pub(super) struct Logouts {
    waiting: Mutex<Vec<Logout>>,
    /// How many there are, so that nobody takes the lock while there are none.
    count: AtomicUsize,
}

impl Logouts {
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    pub(super) fn add(&self, user: &str, except: Option<&SessionId>) {
        let except: Vec<SessionId> = except.into_iter().cloned().collect();
        self.change(|waiting| match waiting.iter_mut().find(|logout| logout.user == user) {
            // Only what both spare goes on.
            Some(logout) => logout.except.retain(|id| except.contains(id)),
            None => waiting.push(Logout { user: user.to_owned(), except }),
        });
    }

    pub(super) fn all(&self) -> Vec<Logout> {
        if self.count() == 0 { Vec::new() } else { self.waiting.lock().clone() }
    }

    pub(super) fn remove(&self, done: &Logout) {
        self.change(|waiting| waiting.retain(|logout| logout != done));
    }

    pub(super) fn clear(&self) {
        self.change(Vec::clear);
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Logout>)) {
        let mut waiting = self.waiting.lock();
        change(&mut waiting);
        self.count.store(waiting.len(), Ordering::SeqCst);
    }
}

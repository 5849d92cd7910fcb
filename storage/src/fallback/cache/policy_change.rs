//! What happens to the copies when the policy is switched, and at the end of an outage under a policy that drops them.

use std::sync::atomic::Ordering;

use super::Cache;
use crate::data::SessionData;
use crate::policy::Policy;
use crate::store::SessionId;

impl<D: SessionData> Cache<D> {
    /// Follows `policy` from now on. If it keeps no copies current, drops all clean ones.
    pub(in crate::fallback) fn follow(&self, policy: Policy) {
        self.keeps_copies.store(policy.rules().keeps_copies, Ordering::SeqCst);
        self.lets_go.store(policy.rules().lets_go, Ordering::SeqCst);
        if !policy.rules().keeps_copies {
            self.drop_where(|copy| !copy.is_dirty());
        }
    }

    /// Forgets everything and returns how many live sessions that lost, evicted ones included.
    pub(in crate::fallback) fn forget_all(&self) -> u64 {
        self.forget_logouts();
        self.forget(|_| true)
    }

    /// Forgets every session and returns how many were lost: those created or written here, and evicted ones. Deletions
    /// stay, to be told to Redis: a user who logged out stays logged out.
    pub(in crate::fallback) fn forget_sessions(&self) -> u64 {
        self.forget(|is_session| is_session)
    }

    fn forget(&self, goes: impl Fn(bool) -> bool) -> u64 {
        let now = self.now();
        let mut lost = self.lost.swap(0, Ordering::Relaxed);
        self.drop_where(|copy| {
            lost += u64::from(copy.is_live(now) && copy.is_written());
            goes(copy.data().is_some())
        });
        lost
    }

    /// Whether this process has a live session that Redis lacks; if so, marks it to be written back whole.
    pub(in crate::fallback) fn misses(&self, id: &SessionId) -> bool {
        let now = self.now();
        self.at(id, |shard| {
            let Some(place) = shard.get_mut(id).filter(|place| place.copy.is_live(now)) else { return false };
            place.copy = place.copy.missed();
            true
        })
    }
}

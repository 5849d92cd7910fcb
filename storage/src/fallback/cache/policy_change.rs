//! What happens to the copies when the policy is switched, and at the end of an outage under a policy that drops them.

use std::sync::atomic::Ordering;

use super::Cache;
use crate::data::SessionData;
use crate::policy::Policy;
use crate::store::SessionId;

impl<D: SessionData> Cache<D> {
    /// Does from now on what `policy` asks of a cache. Where copies are no longer kept current, none is kept.
    pub(in crate::fallback) fn follow(&self, policy: Policy) {
        self.keeps_copies.store(policy.rules().keeps_copies, Ordering::SeqCst);
        self.lets_go.store(policy.rules().lets_go, Ordering::SeqCst);
        if !policy.rules().keeps_copies {
            self.drop_where(|copy| !copy.is_dirty());
        }
    }

    /// Forgets everything and says how many live sessions were lost with it, those that made room included.
    pub(in crate::fallback) fn forget_all(&self) -> u64 {
        self.forget(|_| true)
    }

    /// Forgets every session and says how many were lost: those that were made or written here, and those that made
    /// room. What was destroyed here stays to be told to Redis: whoever logged out stays logged out.
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

    /// Whether a session lives here that Redis says it does not have; then it has to be told to Redis, as a whole.
    pub(in crate::fallback) fn misses(&self, id: &SessionId) -> bool {
        let now = self.now();
        self.at(id, |shard| {
            let Some(place) = shard.get_mut(id).filter(|place| place.copy.is_live(now)) else { return false };
            place.copy = place.copy.missed();
            true
        })
    }
}

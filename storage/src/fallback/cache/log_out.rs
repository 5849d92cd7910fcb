//! Logouts everywhere while Redis is away.

use super::Cache;
use super::copy::Copy;
use super::logouts::Logout;
use super::serve::TOMBSTONE_LIFE;
use crate::data::SessionData;
use crate::store::SessionId;

impl<D: SessionData> Cache<D> {
    /// Remembers that a user was logged out everywhere but in this session.
    pub(in crate::fallback) fn log_out(&self, user: &str, except: Option<&SessionId>) {
        self.logouts.add(user, except);
    }

    /// The logouts that Redis does not know of yet.
    pub(in crate::fallback) fn logouts(&self) -> Vec<Logout> {
        self.logouts.all()
    }

    /// Whether a session that memory does not know ends with a logout, because it is this user's.
    pub(in crate::fallback) fn ends_with_logout(&self, id: &SessionId, user: Option<&str>) -> bool {
        self.logouts().iter().any(|logout| Some(logout.user.as_str()) == user && !logout.except.contains(id))
    }

    /// Ends a session that memory does not know. `false`: there is no room, or memory knows it by now.
    pub(in crate::fallback) fn doom(&self, id: &SessionId) -> bool {
        let now = self.now();
        self.at(id, |shard| {
            let doomed = Copy::doomed(self.first_version(), now, TOMBSTONE_LIFE);
            shard.get(id).is_none_or(|place| !place.copy.is_known(now)) && self.insert(shard, id, doomed)
        })
    }

    /// Whether a session that Redis lists ends with a logout. What memory has alive under its id was made since: it
    /// stays if Redis may have it already; if it is still to be written back, Redis has the one before it, which ends.
    pub(in crate::fallback) fn ends_in_redis(&self, id: &SessionId) -> bool {
        let now = self.now();
        self.at(id, |shard| {
            let Some(place) = shard.get_mut(id).filter(|place| place.copy.is_live(now)) else { return true };
            let Some(next) = place.copy.after_another() else { return false };
            place.copy = next;
            true
        })
    }

    /// Redis knows of this logout. If the user was logged out once more meanwhile, that one is still to come.
    pub(in crate::fallback) fn logged_out(&self, done: &Logout) {
        self.logouts.remove(done);
    }

    /// Forgets all of them.
    pub(super) fn forget_logouts(&self) {
        self.logouts.clear();
    }
}

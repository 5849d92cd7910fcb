//! A session that was given another id. Pure, like [`copy`](super::copy).
//!
//! Its content goes on as the copy under the new id, with everything that Redis lacks of it. Redis may still have it
//! under an older id, and the write-back takes it from there in one step. The copy under the old id says that there is
//! no session; it is not destroyed in Redis on its own account unless the new one has ended without being written back.

use std::time::Duration;

use super::copy::{Copy, Moment, State, after};
use super::ids::Ids;
use super::serve::TOMBSTONE_LIFE;
use crate::data::{MergeReport, SessionData, renamed};
use crate::lineage::Lineage;
use crate::operation::Answer;
use crate::store::{Session, SessionId};

impl<D: SessionData> Copy<D> {
    /// The session under its new id, from this copy under its old one, which has no data if it has ended. `sent`: Redis
    /// may have carried out the rename.
    pub(super) fn continued(
        &self,
        from: &SessionId,
        to: &SessionId,
        ttl: Duration,
        now: u64,
        sent: Option<Lineage>,
    ) -> Option<Self> {
        let (data, version, base, pending) = self.opened();
        let pending = pending.change().renamed();
        let pending = match sent {
            // It took along what Redis had then, not what was done here since.
            Some(line) => pending.sent(line, false),
            None => pending,
        };
        let mut next = self.with(State::Dirty { data: renamed(data?, to), version: version + 1, base, pending });
        next.ids = self.ids.and(from);
        Some(next.slid(now, after(now, ttl)))
    }

    /// What is left under the old id: no session, and a deletion if the new one is not written back.
    pub(super) fn left_for(&self, to: &SessionId, ttl: Duration, now: u64) -> Self {
        let (data, version, base, pending) = self.opened();
        let pending = Some(pending.change().overwrote(data));
        let mut next = self.with(State::Destroyed { version: version + 1, base, pending });
        next.ids = Ids::Now(to.clone());
        next.slid(now, after(now, ttl.max(TOMBSTONE_LIFE)))
    }

    /// Redis has the session under this id, which is new, and had it under `from` before.
    pub(super) fn arrived(mut self, from: &SessionId) -> Self {
        self.ids = self.ids.and(from);
        self
    }

    /// Redis has carried out the rename of this copy, which has changed here meanwhile: what Redis has under the new id,
    /// with these changes.
    pub(super) fn caught_up_as(
        &self,
        from: &SessionId,
        to: &SessionId,
        answer: &Answer<D>,
        ttl: Duration,
        at: Moment,
    ) -> Option<(Self, MergeReport)> {
        let moved = self.continued(from, to, ttl, at.now, None)?;
        let theirs = Session { version: answer.version, data: answer.data.clone()? };
        let (next, outcome) = moved.found(theirs, answer.lineage, at);
        Some((next, outcome.report()))
    }
}

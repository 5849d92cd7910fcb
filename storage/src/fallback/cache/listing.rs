//! A user's sessions known to this process: the whole listing while Redis is away, and merged into Redis's listing
//! while some of them are not written back yet.

use hashbrown::HashSet;

use super::Cache;
use crate::data::SessionData;
use crate::store::SessionId;

/// What Redis lacks, as far as it changes a user's listing.
pub(in crate::fallback) struct Unheard {
    /// Sessions of any user destroyed or written here: Redis has an older state of them, or none.
    changed: HashSet<SessionId>,
    /// Those among them that are alive and the user's, most recently written first.
    theirs: Vec<SessionId>,
}

impl<D: SessionData> Cache<D> {
    /// A user's live sessions known here, most recently written first.
    pub(in crate::fallback) fn of_user(&self, user: &str, limit: usize) -> Vec<SessionId> {
        let now = self.now();
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let theirs = shard.iter().map(|(id, place)| (id, &place.copy));
            let theirs = theirs.filter(|(_, copy)| copy.is_live(now) && copy.belongs_to(user));
            found.extend(theirs.map(|(id, copy)| (copy.written, id.clone())));
        }
        newest(found).take(limit).collect()
    }

    /// What Redis lacks. Call it before asking Redis: a session written back in between is then dropped from Redis's
    /// listing rather than shown in its old place.
    pub(in crate::fallback) fn unheard(&self, user: &str) -> Unheard {
        let now = self.now();
        let (mut changed, mut theirs) = (HashSet::new(), Vec::new());
        if self.dirty() == 0 {
            return Unheard { changed, theirs: Vec::new() };
        }
        for shard in &self.shards {
            for (id, place) in shard.lock().iter() {
                let copy = &place.copy;
                // Redis's listing is right about a session that was only used.
                if !copy.is_dirty() || copy.data().is_some() && !copy.is_written() {
                    continue;
                }
                changed.insert(id.clone());
                if copy.is_live(now) && copy.belongs_to(user) {
                    theirs.push((copy.written, id.clone()));
                }
            }
        }
        Unheard { changed, theirs: newest(theirs).collect() }
    }
}

impl Unheard {
    /// How many sessions Redis must list so that `limit` are left.
    pub(in crate::fallback) fn beyond(&self, limit: usize) -> usize {
        limit.saturating_add(self.changed.len())
    }

    /// Corrects Redis's listing, newest first.
    pub(in crate::fallback) fn over(self, listed: Vec<SessionId>, limit: usize) -> Vec<SessionId> {
        let changed = self.changed;
        let others = listed.into_iter().filter(|id| !changed.contains(id));
        self.theirs.into_iter().chain(others).take(limit).collect()
    }
}

fn newest(mut sessions: Vec<(u64, SessionId)>) -> impl Iterator<Item = SessionId> {
    sessions.sort_by(|a, b| b.cmp(a));
    sessions.into_iter().map(|(_, id)| id)
}

//! The way back: what has to be told to Redis, and what becomes of a copy when it was told.
//!
//! Writing back takes a round trip, and the session is not locked meanwhile: a job is a snapshot, and what was done after
//! it makes another job. A session that is used so often that this would never end is frozen for its last round trip.

use std::time::Duration;

use super::Ledger;
use super::copy::{Copy, same_json};
use crate::data::{MergeReport, SessionData};
use crate::store::{Session, SessionId, Version};

/// What has to be told to Redis about one session.
pub(in crate::fallback) struct Job<D> {
    changes: u64,
    pub(in crate::fallback) version: Version,
    pub(in crate::fallback) base: Version,
    /// What is left of its life.
    pub(in crate::fallback) ttl: Duration,
    pub(in crate::fallback) work: Work<D>,
}

pub(in crate::fallback) enum Work<D> {
    /// It was destroyed.
    Destroy,
    /// It was used.
    Extend,
    /// It was written; `made`: how long ago as a whole; `entombed`: it was destroyed before that, and perhaps in Redis, too.
    Write { data: D, made: Option<Duration>, entombed: bool },
}

/// What became of a copy that met another one in Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fallback) enum Reconciled {
    /// Redis's copy is this process's own doing: nothing of it is missing here.
    Own,
    /// United with another process's.
    Merged(MergeReport),
    /// It was written whole here, over whatever there was, and that was another process's: it is lost.
    Replaced(MergeReport),
}

impl<D: SessionData> Ledger<D> {
    /// The next job for a session; `None`: nothing (more) has to be told. An expired session needs no telling.
    pub(in crate::fallback) fn next_job(&self, id: &SessionId, freeze: bool) -> Option<Job<D>> {
        let now = self.now();
        self.at(id, |shard| {
            let copy = shard.get_mut(id).filter(|copy| copy.dirt.is_some())?;
            if copy.data.is_some() && now >= copy.expires {
                shard.remove(id);
                return None;
            }
            let (version, base) = (copy.version, copy.base.unwrap_or(0));
            let ttl = Duration::from_nanos(copy.expires.saturating_sub(now));
            let data = copy.data.clone();
            let dirt = copy.dirt.as_mut()?;
            dirt.frozen = freeze;
            let work = match data {
                None => Work::Destroy,
                Some(data) if dirt.content.is_some() => {
                    let made = dirt.made.map(|at| Duration::from_nanos(now.saturating_sub(at)));
                    Work::Write { data, made, entombed: dirt.entombed }
                }
                Some(_) => Work::Extend,
            };
            Some(Job { changes: dirt.changes, version, base, ttl, work })
        })
    }

    /// Redis was told, and its copy is at `version` now. `false`: more was done meanwhile.
    pub(in crate::fallback) fn settle(&self, id: &SessionId, job: &Job<D>, version: Version) -> bool {
        self.with_dirty(id, true, |copy| {
            // Versions given out since the job continue above what Redis counted.
            copy.version = copy.version.max(version + copy.version.saturating_sub(job.version));
            copy.base = Some(version);
            let unchanged = copy.dirt.as_ref().is_some_and(|dirt| dirt.changes == job.changes);
            if unchanged {
                copy.dirt = None;
            } else if let Some(dirt) = &mut copy.dirt {
                dirt.settle(job.changes);
            }
            unchanged
        })
    }

    /// Redis lets the session live on; its copy is at `version`. Where that is not the base, another process has
    /// written: a copy that was only used is of no use any more. `false`: more was done meanwhile.
    pub(in crate::fallback) fn settle_extended(&self, id: &SessionId, job: &Job<D>, version: Version) -> bool {
        if job.base == version {
            return self.settle(id, job, version);
        }
        self.at(id, |shard| {
            let changes = shard.get(id).and_then(|copy| copy.dirt.as_ref()).map(|dirt| dirt.changes);
            if changes == Some(job.changes) {
                shard.remove(id);
            } else if let Some(copy) = shard.get_mut(id) {
                thaw(copy);
            }
            changes.is_none_or(|changes| changes == job.changes)
        })
    }

    /// Somebody else has destroyed the session: it stays so, whatever was done here.
    pub(in crate::fallback) fn settle_destroyed(&self, id: &SessionId, tombstone: Version) {
        self.with_dirty(id, (), |copy| {
            copy.data = None;
            copy.version = copy.version.max(tombstone);
            copy.base = Some(copy.version);
            copy.dirt = None;
        });
    }

    /// Redis has no copy to extend: the next job writes the session whole.
    pub(in crate::fallback) fn settle_missing(&self, id: &SessionId) {
        self.with_dirty(id, (), |copy| {
            let dirt = copy.soil();
            dirt.note_written(true);
            dirt.frozen = false;
        });
    }

    /// Redis has another copy than the base: takes in what is missing here. The next job tells Redis the result.
    ///
    /// Whose the other copy is, its version can only suggest: where the outcome of this process's own operations is not
    /// known, another's write may have the version that theirs would have. So what was never seen here is another's. Written
    /// after the base, it is united with what is here; where there is no base, because it was written whole here over
    /// whatever there was, nobody knows when it was written, and it is replaced.
    pub(in crate::fallback) fn reconcile(&self, id: &SessionId, theirs: Session<D>) -> Reconciled {
        self.with_dirty(id, Reconciled::Own, |copy| {
            let base = copy.base.replace(theirs.version);
            let dirt = copy.soil();
            dirt.frozen = false;
            let sent = dirt.sent.iter().any(|(_, sent)| same_json(sent, &theirs.data));
            let own = base.is_none_or(|base| theirs.version <= base + dirt.uncertain);
            let overwrote = dirt.overwrote;
            dirt.clear_doubt();
            let Some(data) = &mut copy.data else { return Reconciled::Own };
            if theirs.version >= copy.version && same_json(data, &theirs.data) {
                // All that was done here has reached Redis: only the lifetime is left to be told.
                copy.version = theirs.version;
                copy.soil().content = None;
                return Reconciled::Own;
            }
            if sent {
                return Reconciled::Own;
            }
            if overwrote && own {
                // A whole write came after whatever of this process's own reached Redis, and replaces it.
                match (copy.never_seen(&theirs.data), base) {
                    (0, _) => return Reconciled::Own,
                    (lost, None) => return Reconciled::Replaced(MergeReport { united: 0, lost }),
                    (_, Some(_)) => {}
                }
            }
            let Some(data) = &mut copy.data else { return Reconciled::Own };
            let report = data.merge(theirs.data);
            let news = report.united + report.lost > 0;
            copy.version = copy.version.max(theirs.version) + u64::from(news);
            if own && !news { Reconciled::Own } else { Reconciled::Merged(report) }
        })
    }

    /// The job failed. `sent`: perhaps it took effect all the same.
    pub(in crate::fallback) fn put_off(&self, id: &SessionId, job: Job<D>, sent: bool) {
        self.with_dirty(id, (), |copy| {
            thaw(copy);
            let Some(dirt) = copy.dirt.as_mut().filter(|_| sent) else { return };
            match job.work {
                Work::Write { data, .. } => dirt.note_sent(job.changes, Some(data)),
                Work::Destroy => dirt.note_sent(job.changes, None),
                Work::Extend => {}
            }
        });
    }

    /// Redis refuses this session for good: it is given up.
    pub(in crate::fallback) fn give_up(&self, id: &SessionId) {
        self.at(id, |shard| shard.remove(id));
    }

    fn with_dirty<T>(&self, id: &SessionId, otherwise: T, work: impl FnOnce(&mut Copy<D>) -> T) -> T {
        self.at(id, |shard| match shard.get_mut(id).filter(|copy| copy.dirt.is_some()) {
            Some(copy) => work(copy),
            None => otherwise,
        })
    }
}

fn thaw<D: SessionData>(copy: &mut Copy<D>) {
    if let Some(dirt) = &mut copy.dirt {
        dirt.frozen = false;
    }
}

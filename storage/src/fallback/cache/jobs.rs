//! Write-back jobs, taken and committed under the lock of the session's shard.

use super::copy::{Copy, Moment};
use super::{Asked, Cache, Job, Outcome, Shard, Work};
use crate::data::SessionData;
use crate::redis_store::back::WriteBack;
use crate::store::SessionId;

impl<D: SessionData> Cache<D> {
    /// The next job for a session; `None`: nothing (more) to tell. `freeze`: callers wait until it is done.
    pub(in crate::fallback) fn next_job(&self, id: &SessionId, freeze: bool) -> Option<Job<D>> {
        let now = self.now();
        self.at_own(id, |shard| {
            let place = shard.get_mut(id).filter(|place| place.copy.is_dirty())?;
            let job = place.copy.write_back(now);
            place.frozen = freeze && job.is_some();
            if job.is_none() {
                self.remove(shard, id);
            }
            job
        })
    }

    /// Commits Redis's reply to a job.
    pub(in crate::fallback) fn commit(
        &self,
        id: &SessionId,
        job: &Job<D>,
        told: WriteBack<D>,
        asked: Asked,
    ) -> Outcome {
        let written = matches!(told, WriteBack::Written(..));
        // An id under which another process has ended it may belong to others by now.
        let settled = match &told {
            WriteBack::Written(..) => job.others.clone(),
            WriteBack::Destroyed { under, .. } => under.iter().cloned().collect(),
            _ => Vec::new(),
        };
        if let WriteBack::Renamed(_, heir) = &told
            && self.pursue(id, heir, asked)
        {
            return Outcome::Done;
        }
        let (outcome, heir) = self.at(id, |shard| {
            let at = self.moment(asked);
            let Some(place) = shard.get_mut(id) else { return (Outcome::Done, None) };
            if let Some(heir) = renamed_since(&place.copy, job) {
                return (Outcome::Done, Some(heir));
            }
            (self.commit_here(shard, id, job, told, at), None)
        });
        if let Some(heir) = heir {
            // The session has another id by now, and its write-back meets what this job left.
            self.put_off(&heir, job, written);
        } else if (written || outcome != Outcome::Again) && is_content(job) {
            self.settle(&settled, id);
        }
        outcome
    }

    fn commit_here(
        &self,
        shard: &mut Shard<D>,
        id: &SessionId,
        job: &Job<D>,
        told: WriteBack<D>,
        at: Moment,
    ) -> Outcome {
        let Some(place) = shard.get_mut(id) else { return Outcome::Done };
        let (next, outcome) = place.copy.resolve(job, told, at);
        if outcome == Outcome::Unknown {
            self.remove(shard, id);
            return Outcome::Done;
        }
        if at.doubtful && !next.is_dirty() {
            // The process that has it may be gone, and the present one was not asked.
            place.copy = next.suspected();
            return Outcome::Again;
        }
        place.copy = next;
        outcome
    }

    /// The job failed. `sent`: it may have taken effect anyway.
    pub(in crate::fallback) fn put_off(&self, id: &SessionId, job: &Job<D>, sent: bool) {
        let heir = self.at(id, |shard| {
            let place = shard.get_mut(id)?;
            let heir = renamed_since(&place.copy, job);
            if heir.is_none() {
                place.copy = place.copy.put_off(job, sent);
            }
            heir
        });
        if let Some(heir) = heir {
            self.put_off(&heir, job, sent);
        }
    }

    /// Gives up a job that Redis refuses for good. `false`: the session has changed meanwhile.
    pub(in crate::fallback) fn give_up(&self, id: &SessionId, job: &Job<D>) -> bool {
        self.at(id, |shard| {
            let same = shard.get(id).is_some_and(|place| place.copy.is_as_of(job));
            if same {
                self.remove(shard, id);
            }
            same
        })
    }

    /// Lets callers continue.
    pub(in crate::fallback) fn thaw(&self, id: &SessionId) {
        self.at(id, |shard| {
            if let Some(place) = shard.get_mut(id) {
                place.frozen = false;
            }
        });
    }
}

/// The id that the session has by now, if it was renamed after this job for its content was taken.
fn renamed_since<D: SessionData>(copy: &Copy<D>, job: &Job<D>) -> Option<SessionId> {
    copy.ids.now().filter(|_| is_content(job) && copy.data().is_none()).cloned()
}

fn is_content<D>(job: &Job<D>) -> bool {
    matches!(job.work, Work::Write { .. } | Work::Extend)
}

//! Write-back jobs, taken and committed under the lock of the session's shard.

use super::{Asked, Cache, Job, Outcome};
use crate::data::SessionData;
use crate::redis_store::back::WriteBack;
use crate::store::SessionId;

impl<D: SessionData> Cache<D> {
    /// The next job for a session; `None`: nothing (more) to tell. `freeze`: callers wait until it is done.
    pub(in crate::fallback) fn next_job(&self, id: &SessionId, freeze: bool) -> Option<Job<D>> {
        let now = self.now();
        self.at(id, |shard| {
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
        self.at(id, |shard| {
            let at = self.moment(asked);
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
        })
    }

    /// The job failed. `sent`: it may have taken effect anyway.
    pub(in crate::fallback) fn put_off(&self, id: &SessionId, job: &Job<D>, sent: bool) {
        self.at(id, |shard| {
            if let Some(place) = shard.get_mut(id) {
                place.copy = place.copy.put_off(job, sent);
            }
        });
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

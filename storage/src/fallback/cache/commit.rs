//! Write-back: what must be written to Redis, and the state of a copy afterwards. Pure, like [`copy`](super::copy).
//!
//! A write-back takes a round trip during which the session is not locked: a job is a snapshot, and later changes need
//! another job. The result is committed only as far as it still applies to the copy.

use std::time::Duration;

use super::copy::{Base, Copy, Moment, State};
use super::ids::Ids;
use super::pending::{PendingWrite, merged, same_json};
use crate::data::{MergeReport, SessionData};
use crate::lineage::Lineage;
use crate::planted;
use crate::redis_store::back::{Ancestor, WriteBack};
use crate::store::{Session, SessionId, Version};

/// What to tell Redis about one session.
pub(in crate::fallback) struct Job<D> {
    changes: u64,
    pub(in crate::fallback) version: Version,
    pub(in crate::fallback) base: Option<Ancestor>,
    /// The rest of its lifetime.
    pub(in crate::fallback) ttl: Duration,
    pub(in crate::fallback) work: Work<D>,
    /// The other ids under which Redis may have it.
    pub(in crate::fallback) others: Vec<SessionId>,
}

pub(in crate::fallback) enum Work<D> {
    /// The session was destroyed. `heir`: it had got this id here before; without one, it is to end also under the id
    /// that another process has given it.
    Destroy { heir: Option<SessionId> },
    /// It was destroyed, which Redis had already acknowledged.
    DestroyAgain,
    /// It was used, or Redis may have lost it.
    Extend,
    /// It was written. `made`: how long ago it was created or put.
    Write { data: D, line: Lineage, made: Option<Duration>, maybe_deleted: bool },
}

impl<D> Work<D> {
    /// Whether a tombstone that a destroy by this store may have left is not taken for another's.
    fn allows_for_own_destroy(&self) -> bool {
        !matches!(self, Work::Write { maybe_deleted: false, .. })
    }
}

/// The result of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fallback) enum Outcome {
    /// Redis has everything.
    Done,
    /// Another job is needed.
    Again,
    /// Another process has made another session under the id of one that was destroyed here: nothing is known of it.
    Unknown,
    /// Merged with another process's writes.
    Merged(MergeReport),
    /// Written whole here over a state with another process's writes, which are lost.
    Replaced(MergeReport),
    /// Redis's state stands, and what was written here is lost: the session has ended since, or the two cannot be
    /// merged.
    Superseded(MergeReport),
}

impl Outcome {
    /// What it cost.
    pub(super) fn report(self) -> MergeReport {
        match self {
            Outcome::Done | Outcome::Again | Outcome::Unknown => MergeReport::default(),
            Outcome::Merged(report) => MergeReport { united: 0, ..report },
            Outcome::Replaced(report) | Outcome::Superseded(report) => report,
        }
    }
}

impl<D: SessionData> Copy<D> {
    /// What to tell Redis; `None`: nothing. An expired session needs no write-back.
    pub(super) fn write_back(&self, now: u64) -> Option<Job<D>> {
        let pending = self.pending()?;
        let ttl = Duration::from_nanos(self.expires.saturating_sub(now));
        let base = self.base().map(|base| Ancestor {
            version: base.version,
            lineage: base.lineage,
            heard: Duration::from_nanos(now.saturating_sub(base.heard)),
        });
        let work = match self.data() {
            None if planted::seam!(drain_forgets_deletions) => return None,
            None if pending.content.is_none() => Work::DestroyAgain,
            None => Work::Destroy { heir: self.ids.now().cloned() },
            Some(_) if now >= self.expires => return None,
            Some(_) if !self.is_written() && base.is_some() => Work::Extend,
            Some(data) => Work::Write {
                data: data.clone(),
                line: base.map_or_else(Lineage::random, |base| base.lineage.next()),
                made: pending.made.map(|(_, at)| Duration::from_nanos(now.saturating_sub(at))),
                maybe_deleted: pending.maybe_deleted,
            },
        };
        let others = self.ids.before().to_vec();
        Some(Job { changes: pending.changes, version: self.version(), base, ttl, work, others })
    }

    /// The next state after Redis has replied to a job.
    pub(super) fn resolve(&self, job: &Job<D>, told: WriteBack<D>, at: Moment) -> (Self, Outcome) {
        let Some(pending) = self.pending() else { return (self.clone(), Outcome::Done) };
        match told {
            WriteBack::Written(version, lineage) => self.committed(pending, job, version, lineage, at),
            WriteBack::Missing => match &self.state {
                State::Destroyed { .. } if pending.changes == job.changes => (self.told(), Outcome::Done),
                _ => (self.missed(), Outcome::Again),
            },
            WriteBack::Destroyed { .. } if pending.made.is_some_and(|(made, _)| made > job.changes) => {
                // It was created again here meanwhile.
                (self.clone(), Outcome::Again)
            }
            WriteBack::Destroyed { .. } if pending.maybe_deleted && !job.work.allows_for_own_destroy() => {
                // The tombstone may be this store's, which has ended the session before this one.
                (self.clone(), Outcome::Again)
            }
            WriteBack::Destroyed { tombstone, doubtful, .. } => {
                let version = self.version().max(tombstone);
                let gone = Copy::tombstone(version, self.base(), Lineage::default(), at, self.expires);
                let lost = MergeReport { lost: pending.weight(), ..MergeReport::default() };
                (gone, if doubtful && lost.lost > 0 { Outcome::Superseded(lost) } else { Outcome::Done })
            }
            WriteBack::Renamed(tombstone, to) => {
                let lost = MergeReport { lost: pending.weight(), ..MergeReport::default() };
                let mut gone =
                    Copy::tombstone(self.version().max(tombstone), self.base(), Lineage::default(), at, self.expires);
                gone.ids = Ids::Now(to);
                (gone, if lost.lost > 0 && self.data().is_some() { Outcome::Superseded(lost) } else { Outcome::Done })
            }
            WriteBack::Conflict(theirs, lineage) => self.reconcile(pending, theirs, lineage, at),
            WriteBack::ConflictElsewhere(theirs, lineage) => self.found_elsewhere(theirs, lineage, at),
        }
    }

    /// Redis has this state of the session, and it has changed here.
    pub(super) fn found(&self, theirs: Session<D>, lineage: Lineage, at: Moment) -> (Self, Outcome) {
        match self.pending() {
            Some(pending) => self.reconcile(pending, theirs, lineage, at),
            None => (self.clone(), Outcome::Done),
        }
    }

    /// The same, and Redis has it under the id that it had before: whatever is done about the content, it has to move.
    fn found_elsewhere(&self, theirs: Session<D>, lineage: Lineage, at: Moment) -> (Self, Outcome) {
        let (next, outcome) = self.found(theirs, lineage, at);
        (next.missed(), if outcome == Outcome::Done { Outcome::Again } else { outcome })
    }

    /// Redis has what the job wrote.
    fn committed(
        &self,
        pending: &PendingWrite<D>,
        job: &Job<D>,
        version: Version,
        lineage: Lineage,
        at: Moment,
    ) -> (Self, Outcome) {
        let base = Base { version, lineage, heard: at.now, boot: at.boot };
        // Versions returned to callers since the job continue above Redis's.
        let now_at = self.version().max(version + self.version().saturating_sub(job.version));
        let mut next = self.clone();
        if pending.changes == job.changes || planted::seam!(commits_late_replies) {
            let settled = match self.data() {
                Some(data) => Copy::clean(data.clone(), base, at.now, self.expires),
                None => Copy::tombstone(now_at, Some(base), Lineage::default(), at, self.expires),
            };
            return (self.same_life(settled), Outcome::Done);
        }
        let pending = pending.clone().settled(job.changes);
        next.state = match &self.state {
            State::Dirty { data, .. } => {
                State::Dirty { data: data.clone(), version: now_at, base: Some(base), pending }
            }
            _ => State::Destroyed { version: now_at, base: Some(base), pending: Some(pending.change().written()) },
        };
        (next, Outcome::Again)
    }

    /// Nothing is left to write back.
    pub(super) fn told(&self) -> Self {
        let mut next = self.clone();
        if let State::Destroyed { pending, .. } = &mut next.state {
            *pending = None;
        }
        next
    }

    fn same_life(&self, mut next: Self) -> Self {
        (next.used, next.written) = (self.used, self.written);
        next.ids = self.ids.clone();
        next
    }

    /// Redis's state is not the base: take in what is missing here, and let the next job write the result back.
    fn reconcile(
        &self,
        pending: &PendingWrite<D>,
        theirs: Session<D>,
        lineage: Lineage,
        at: Moment,
    ) -> (Self, Outcome) {
        let known = Base { version: theirs.version, lineage, heard: at.now, boot: at.boot };
        let State::Dirty { data, version, base, .. } = &self.state else {
            return self.destroyed_under(pending, known);
        };
        let dirty = |data: D, version: Version, pending: PendingWrite<D>| {
            let mut next = self.clone();
            next.state = State::Dirty { data, version, base: Some(known), pending };
            next
        };
        let held = data;
        let adopted = || {
            let mut next = self.same_life(Copy::clean(theirs.data.clone(), known, at.now, self.expires));
            if !same_json(held, &theirs.data) {
                next.written = at.now;
            }
            next
        };
        let open = pending.clone().change().without_doubt();

        // Everything that a whole write by this process left is known here.
        if let Some(changes) = pending.left(lineage) {
            // Mere use since then only extends the lifetime.
            let whole = pending.content.is_none_or(|content| content <= changes) && theirs.version >= *version;
            let open = if whole { open.settled(changes) } else { open };
            let next = dirty(data.clone(), (*version).max(theirs.version), open);
            let made_again = pending.made.is_some_and(|(made, _)| made > changes);
            return (if made_again { next.of_its_own() } else { next }, Outcome::Again);
        }
        if same_json(data, &theirs.data) && theirs.version >= *version {
            // Redis has everything that was done here, except the lifetime.
            return (dirty(data.clone(), theirs.version, open.settled(pending.changes)), Outcome::Again);
        }
        // Whether Redis may have lost writes that it had acknowledged.
        let lossy = base.is_some_and(|base| base.boot < at.boot);
        let behind = base.is_some_and(|base| base.version >= theirs.version);
        let open = if lossy { open.with_all() } else { open };
        // This is another session than the one in Redis, and gets its own root.
        let replaced = |lost| {
            let next = dirty(data.clone(), (*version).max(theirs.version + 1), open.clone().written());
            (next.of_its_own(), Outcome::Replaced(lost))
        };
        let superseded = |lost| {
            let next = match theirs.version < *version {
                // Callers got higher versions here, so Redis continues above them: no version goes back.
                true => dirty(
                    theirs.data.clone(),
                    *version + 1,
                    open.clone().settled(pending.changes + 1).change().written(),
                ),
                false => adopted(),
            };
            (next, Outcome::Superseded(lost))
        };

        if base.is_some_and(|base| lineage.is_foreign_to(base.lineage)) {
            // Another session has this id: the newer one stays.
            return if pending.made.is_some() || (lossy && behind) {
                replaced(MergeReport { lost: pending.never_seen(data, &theirs.data), ..MergeReport::default() })
            } else if pending.content.is_some() {
                superseded(missing_from(&theirs.data, data))
            } else {
                (adopted(), Outcome::Done)
            };
        }
        if pending.content.is_none() {
            // Only used here: another process's writes stand, and what Redis has lost is restored.
            let missing = missing_from(&theirs.data, data);
            let complete = !lossy || missing == MergeReport::default();
            return if complete && theirs.version < *version {
                // Redis has lost the versions that callers got.
                let next = if same_json(data, &theirs.data) { *version } else { *version + 1 };
                (dirty(theirs.data.clone(), next, open.written()), Outcome::Again)
            } else if complete {
                (adopted(), Outcome::Done)
            } else if behind || missing.lost == 0 {
                let (data, report) = merged(data, theirs.data.clone());
                (
                    dirty(data, (*version).max(theirs.version) + 1, open.written()),
                    Outcome::Merged(report.counted(lossy)),
                )
            } else {
                superseded(missing)
            };
        }
        if pending.whole.is_some() {
            // A whole write came after everything of this process that reached Redis, and replaces it.
            match (pending.never_seen(data, &theirs.data), base) {
                (0, base) => {
                    let next = dirty(data.clone(), (*version).max(theirs.version), open);
                    let made_again = base.is_some_and(|base| !base.lineage.has_root());
                    return (if made_again { next.of_its_own() } else { next }, Outcome::Again);
                }
                (_, Some(base)) if base.lineage.has_root() => {}
                // As far as known here, it was made where no session lived, so it is newer than whatever is there.
                (lost, _) => return replaced(MergeReport { lost, ..MergeReport::default() }),
            }
        } else if let Some(data) = pending.rebased(&theirs.data).filter(|_| !lossy) {
            // Only appends: repeat them on Redis's state.
            let report = missing_from(held, &theirs.data);
            return (dirty(data, (*version).max(theirs.version) + 1, open), Outcome::Merged(report));
        }
        let (data, report) = merged(data, theirs.data);
        let news = report != MergeReport::default();
        let next = dirty(data, (*version).max(theirs.version) + u64::from(news), open);
        if news { (next, Outcome::Merged(report.counted(lossy))) } else { (next, Outcome::Again) }
    }

    /// The same as another session than the one that has its id in Redis: with its own root.
    fn of_its_own(mut self) -> Self {
        if let State::Dirty { base: Some(base), .. } = &mut self.state {
            base.lineage = base.lineage.rooted(0);
        }
        self
    }

    /// The session was destroyed here, and Redis has a state of it.
    fn destroyed_under(&self, pending: &PendingWrite<D>, known: Base) -> (Self, Outcome) {
        let State::Destroyed { version, base, .. } = &self.state else { return (self.clone(), Outcome::Again) };
        let mut next = self.clone();
        let again = pending.content.is_none();
        // Another process has created it since: that is another session.
        let another = base.is_some_and(|base| known.lineage.is_foreign_to(base.lineage)) || known.version > *version;
        next.state = match again && another {
            true => State::Destroyed { version: *version, base: *base, pending: None },
            false => State::Destroyed {
                version: (*version).max(known.version + 1),
                base: *base,
                pending: Some(pending.clone().change().written()),
            },
        };
        (next, if again && another { Outcome::Unknown } else { Outcome::Again })
    }

    /// The job failed. `sent`: it may have taken effect anyway.
    pub(super) fn put_off(&self, job: &Job<D>, sent: bool) -> Self {
        let mut next = self.clone();
        let pending = match &mut next.state {
            State::Dirty { pending, .. } => Some(pending),
            State::Destroyed { pending, .. } => pending.as_mut(),
            State::Clean { .. } => None,
        };
        if let (true, Some(pending)) = (sent, pending) {
            let before = std::mem::take(pending);
            *pending = match &job.work {
                // It contains the changes up to the job.
                Work::Write { line, .. } => before.sent_as_of(*line, job.changes),
                Work::Destroy { .. } | Work::DestroyAgain => before.maybe_destroyed(),
                Work::Extend => before,
            };
        }
        next
    }

    /// Whether nothing changed here since the job.
    pub(super) fn is_as_of(&self, job: &Job<D>) -> bool {
        self.pending().is_some_and(|pending| pending.changes == job.changes)
    }
}

/// What `mine` has and `theirs` lacks.
fn missing_from<D: SessionData>(theirs: &D, mine: &D) -> MergeReport {
    merged(theirs, mine.clone()).1.counted(true)
}

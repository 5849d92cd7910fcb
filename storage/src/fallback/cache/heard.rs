//! What a copy becomes when Redis has carried out an operation of this process. Pure, like [`copy`](super::copy).
//!
//! Replies can arrive after the session has changed here, and from a server process that serves no more.

use std::cmp::Ordering;
use std::time::Duration;

use super::copy::{Base, Copy, Moment, State, after};
use super::pending::{added, merged};
use crate::data::{MergeReport, SessionData};
use crate::lineage::Lineage;
use crate::operation::{Answer, Operation};
use crate::planted;
use crate::store::Version;

/// Maximum number of appends kept that were acknowledged ahead of one whose reply is still on its way.
pub(super) const AHEAD: usize = 64;

/// What a whole write left in Redis.
struct Whole<D> {
    data: D,
    /// Whether it creates the session if there is none.
    makes: bool,
}

impl<D: SessionData> Copy<D> {
    /// A whole write by this process was acknowledged, and nothing was written here since `known`. Redis still has to
    /// confirm that it has it.
    fn followed(&self, known: Base, whole: Whole<D>, left: Base, line: Lineage, ttl: Duration, at: Moment) -> Self {
        let Whole { data: theirs, makes } = whole;
        let (data, version, _, pending) = self.opened();
        let foreign = left.lineage.is_foreign_to(known.lineage);
        let pending = pending.change();
        let dirty = |version, base, pending| {
            let mut next = self.with(State::Dirty { data: theirs, version, base: Some(base), pending });
            next.written = at.now;
            next.slid(at.now, after(at.now, ttl))
        };
        match &data {
            // Redis has lost the destroy of the updated session: the destroy stands.
            None if !makes && !foreign && left.boot != known.boot => self.clone(),
            _ if self.is_outdated_by(known, left, true, at) => {
                let continues = foreign || left.version > version;
                // A version that was returned to a caller never comes back.
                let (version, pending) =
                    if continues { (left.version, pending) } else { (version + 1, pending.written()) };
                dirty(version, left, pending)
            }
            // The process that acknowledged it is gone, and the present one may lack it. Its versions are not those of
            // the present one, to which more may have been written back.
            Some(held) if left.boot < known.boot && (foreign || left.version > version || at.asked > self.written) => {
                let pending = pending.overwrote(Some(held.clone())).sent(line, true);
                dirty(version.max(left.version) + 1, known, pending)
            }
            _ => self.clone(),
        }
    }

    /// Whether the session was destroyed here, and created again by the time that it had this version.
    pub(super) fn is_older_session(&self, version: Version) -> bool {
        self.data().is_none() && version > self.version() && !planted::seam!(keeps_old_tombstone)
    }

    /// Applies an append that Redis acknowledged, in Redis's order. `None`: too many are missing, and the copy is
    /// useless.
    pub(super) fn heard_append(self, version: Version, item: D::Item, line: Lineage, at: Moment) -> Option<Self> {
        let Self { state, expires, used, written, ids } = self;
        let State::Clean { mut data, mut base, mut ahead } = state else {
            let known = Self { state, expires, used, written, ids };
            return (!known.is_older_session(version)).then_some(known);
        };
        if version > base.version {
            ahead.insert(version, (item, line));
        }
        while let Some((item, line)) = ahead.remove(&(base.version + 1)) {
            added(&mut data, item);
            let lineage = base.lineage.written_by(line);
            base = Base { version: base.version + 1, lineage, heard: at.now, ..base };
        }
        let useful = ahead.len() <= AHEAD;
        useful.then_some(Self { state: State::Clean { data, base, ahead }, expires, used, written, ids })
    }

    /// Returns the newer of this copy and what Redis just replied, with the appends acknowledged ahead. `wrote`: see
    /// [`is_outdated_by`](Self::is_outdated_by).
    pub(super) fn heard_whole(self, theirs: Self, wrote: bool, at: Moment) -> Option<Self> {
        let (Some(known), Some(new)) = (self.base(), theirs.base()) else { return Some(self) };
        if !self.is_outdated_by(known, new, wrote, at) {
            return Some(self);
        }
        let State::Clean { ahead, .. } = self.state else { return Some(theirs) };
        let later = ahead.into_iter().filter(|(version, _)| *version > new.version);
        later.into_iter().try_fold(theirs, |copy, (version, (item, line))| copy.heard_append(version, item, line, at))
    }

    /// Whether the state of Redis in a reply is newer than the base. `wrote`: a call of this process has just left it.
    fn is_outdated_by(&self, known: Base, new: Base, wrote: bool, at: Moment) -> bool {
        let same = new.lineage.is(known.lineage) && new.version == known.version;
        // A write requested after the base was learned came after it, whatever Redis lost in between.
        let followed = wrote && at.asked > known.heard;
        // Within one life of Redis, what is requested later is newer; for earlier requests the versions decide.
        match at.boot.cmp(&known.boot) {
            Ordering::Less => false,
            _ if same => true,
            Ordering::Greater => followed || new.version > known.version,
            Ordering::Equal if new.lineage.is_foreign_to(known.lineage) => at.asked > known.heard,
            Ordering::Equal => followed && at.doubtful || new.version > self.version_known(),
        }
    }

    /// The version up to which nothing is missing.
    fn version_known(&self) -> Version {
        match &self.state {
            State::Clean { base, .. } => base.version,
            _ => self.version(),
        }
    }

    /// Redis has acknowledged an operation after the session changed here. The two overlapped in time, so either order
    /// is true; the one that loses nothing is taken. If both lose something (both wrote over the same version), Redis's
    /// state stands, merged with what was written here, and the report says what that cost.
    pub(super) fn caught_up(
        &self,
        operation: Operation<D>,
        answer: &Answer<D>,
        line: Lineage,
        ttl: Duration,
        at: Moment,
    ) -> (Self, MergeReport) {
        let (data, version, base, pending) = self.opened();
        let left = Base { version: answer.version, lineage: answer.lineage, heard: at.now, boot: at.boot };
        if let (None, Some(known)) = (pending.content, base) {
            // Nothing was written here since, so Redis's order of the writes counts.
            match operation {
                Operation::Create(data) | Operation::Put(data) if answer.found => {
                    let whole = Whole { data, makes: true };
                    return (self.followed(known, whole, left, line, ttl, at), MergeReport::default());
                }
                Operation::Update(_, data) if answer.found => {
                    let whole = Whole { data, makes: false };
                    return (self.followed(known, whole, left, line, ttl, at), MergeReport::default());
                }
                Operation::Append(_) | Operation::Destroy if at.boot == known.boot && answer.version < version => {
                    // A doubtful reply may come from the next server process, whose versions say nothing about the
                    // order: an append counts then, and a destroy that was requested after the base was heard.
                    let append = matches!(operation, Operation::Append(_));
                    if !at.doubtful || !append && at.asked <= known.heard {
                        return (self.clone(), MergeReport::default());
                    }
                }
                _ => {}
            }
        }
        let writes_whole = matches!(operation, Operation::Create(_) | Operation::Put(_) | Operation::Update(..));
        let precedes = |known: Base| {
            let same_life = at.boot == known.boot && !at.doubtful && !left.lineage.is_foreign_to(known.lineage);
            same_life && left.version <= known.version
        };
        if writes_whole && base.is_some_and(precedes) {
            // A delayed reply: what Redis had when it last replied came after that.
            return (self.clone(), MergeReport::default());
        }
        let Some(data) = data else {
            // The session was destroyed here after that.
            return (self.clone(), MergeReport::default());
        };
        let mut report = MergeReport::default();
        let newer = version.max(answer.version);
        let left = Some(left);
        let dirty = |data, version, base, pending| self.with(State::Dirty { data, version, base, pending });
        let next = match operation {
            Operation::Append(item) => {
                let mut data = data;
                let added = added(&mut data, item.clone());
                let pending = pending.change();
                let pending = if added { pending.appended(item) } else { pending };
                dirty(data, (version + u64::from(added)).max(answer.version), base, pending.sent(line, false))
            }
            // The session was created or put here after that.
            Operation::Put(_) | Operation::Update(..) | Operation::Create(_)
                if pending.made.is_some() || (planted::seam!(overwrites_update) && pending.whole.is_some()) =>
            {
                dirty(data, newer + 1, base, pending.change().sent(line, true))
            }
            Operation::Update(_, theirs) if pending.whole.is_some() => {
                let (data, united) = merged(&data, theirs);
                report = united.counted(base.is_some_and(|known| known.boot != at.boot));
                let next = dirty(data, newer + 1, left, pending.change().written());
                next.slid(at.now, after(at.now, ttl))
            }
            Operation::Put(theirs) | Operation::Update(_, theirs) => {
                let data = pending.over(theirs);
                let next = dirty(data, newer + 1, left, pending.change().written());
                next.slid(at.now, after(at.now, ttl))
            }
            Operation::Create(_) => dirty(data, version, base, pending.change().sent(line, true)),
            Operation::Destroy if answer.found && pending.made.is_none() => {
                let gone = Self::tombstone(newer, base, answer.lineage, at, after(at.now, ttl));
                // Jobs may be under way, so keep counting the changes.
                let changes = pending.changes;
                if at.doubtful { gone.with_pending(pending.settled(changes).change()) } else { gone }
            }
            Operation::Destroy if answer.found => {
                let mut pending = pending.change().written();
                pending.maybe_deleted = true;
                dirty(data, newer + 1, base, pending)
            }
            Operation::Touch if answer.found => self.clone().slid(at.now, after(at.now, ttl).max(self.expires)),
            // What was done here belongs to the session under its new id.
            Operation::Destroy | Operation::Get | Operation::Peek | Operation::Touch | Operation::Rename(_) => {
                self.clone()
            }
        };
        (next, report)
    }
}

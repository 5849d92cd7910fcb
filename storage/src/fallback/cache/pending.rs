//! The changes of one session that are not written back yet.

use crate::data::{MergeReport, SessionData};
use crate::defect::{self, Defect};
use crate::lineage::Lineage;

/// Writes of unknown outcome that are remembered.
const SENT: usize = 16;

/// What was done here since Redis was last heard.
#[derive(Clone)]
pub(super) struct PendingWrite<D: SessionData> {
    /// Counts what was done here, to see whether what was written back is still all of it.
    pub(super) changes: u64,
    /// The last change that wrote the data; `None`: it was only used.
    pub(super) content: Option<u64>,
    /// The last change that wrote the data whole: then what Redis had before does not come back.
    pub(super) whole: Option<u64>,
    /// The change by which a create or put last made the session whole, and when.
    pub(super) made: Option<(u64, u64)>,
    /// Items appended since the base, or since the data was last written whole.
    appended: Vec<(u64, D::Item)>,
    /// Writes that were sent to Redis and may have taken effect.
    sent: Vec<Sent>,
    /// Whether a destroy was sent to Redis with unknown outcome: a tombstone there may be its own.
    pub(super) maybe_deleted: bool,
    /// What was known here before it was first written whole.
    replaced: Option<D>,
}

/// A write of unknown outcome.
#[derive(Clone, Copy)]
struct Sent {
    line: Lineage,
    /// Whether it left the session whole, so that everything in it is known here.
    whole: bool,
    /// The changes that it is made of.
    changes: u64,
}

impl<D: SessionData> Default for PendingWrite<D> {
    fn default() -> Self {
        Self {
            changes: 0,
            content: None,
            whole: None,
            made: None,
            appended: Vec::new(),
            sent: Vec::new(),
            maybe_deleted: false,
            replaced: None,
        }
    }
}

impl<D: SessionData> PendingWrite<D> {
    /// One more thing was done here.
    pub(super) fn change(mut self) -> Self {
        self.changes += 1;
        self
    }

    /// The last change wrote the data.
    pub(super) fn written(mut self) -> Self {
        self.content = Some(self.changes);
        self
    }

    /// The last change appended an item.
    pub(super) fn appended(mut self, item: D::Item) -> Self {
        self.appended.push((self.changes, item));
        self.written()
    }

    /// The last change wrote the session whole, over `before`.
    pub(super) fn overwrote(mut self, before: Option<D>) -> Self {
        self.whole = Some(self.changes);
        self.appended.clear();
        self.replaced = match (self.replaced, before) {
            // What can have reached Redis since is known here, too.
            (Some(replaced), Some(before)) if !self.sent.is_empty() => Some(merged(&replaced, before).0),
            (Some(replaced), _) => Some(replaced),
            (None, before) => before,
        };
        self.written()
    }

    /// The last change made the session whole: it is newer than whatever stood under its id.
    pub(super) fn made(mut self, now: u64) -> Self {
        self.made = Some((self.changes, now));
        self
    }

    /// Redis may have carried this write out, too.
    pub(super) fn sent(mut self, line: Lineage, whole: bool) -> Self {
        if self.sent.len() == SENT {
            self.sent.remove(0);
        }
        self.sent.push(Sent { line, whole, changes: self.changes });
        self
    }

    /// Redis may have been left as everything up to this change makes it, by this write.
    pub(super) fn sent_as_of(self, line: Lineage, changes: u64) -> Self {
        let mut next = self.sent(line, true);
        if let Some(sent) = next.sent.last_mut() {
            sent.changes = changes;
        }
        next
    }

    /// A destroy was sent to Redis, with unknown outcome.
    pub(super) fn maybe_destroyed(mut self) -> Self {
        self.maybe_deleted = true;
        self
    }

    /// What was sent may have taken effect until now, and never will from now on.
    pub(super) fn without_doubt(mut self) -> Self {
        self.sent.clear();
        self.maybe_deleted = false;
        self
    }

    /// What was appended since the base is not all that Redis may lack.
    pub(super) fn with_all(mut self) -> Self {
        self.appended.clear();
        self
    }

    /// Redis has everything up to this change.
    pub(super) fn settled(self, changes: u64) -> Self {
        let later = |at: &u64| *at > changes;
        let mut settled = self.without_doubt();
        settled.content = settled.content.filter(later);
        settled.whole = settled.whole.filter(later);
        settled.made = settled.made.filter(|(at, _)| later(at));
        settled.appended.retain(|(at, _)| later(at));
        if settled.whole.is_none() {
            settled.replaced = None;
        }
        settled
    }

    /// The changes that a whole write of this process's own left in Redis, if that is the state with this lineage.
    pub(super) fn left(&self, lineage: Lineage) -> Option<u64> {
        self.sent.iter().find(|sent| sent.whole && lineage.was_left_by(sent.line)).map(|sent| sent.changes)
    }

    /// Whether a write of this process's own left the state with this lineage.
    pub(super) fn is_own(&self, lineage: Lineage) -> bool {
        self.sent.iter().any(|sent| lineage.was_left_by(sent.line))
    }

    /// `theirs` with what was appended here; `None` where that is not all that was done here, or an item cannot be
    /// added.
    pub(super) fn rebased(&self, theirs: &D) -> Option<D> {
        let mut data = theirs.clone();
        let fits = self.whole.is_none() && !self.appended.is_empty();
        (fits && self.appended.iter().all(|(_, item)| added(&mut data, item.clone()))).then_some(data)
    }

    /// `data`, which Redis wrote whole, with what was appended here since.
    pub(super) fn over(&self, mut data: D) -> D {
        for (_, item) in &self.appended {
            added(&mut data, item.clone());
        }
        data
    }

    /// How many items of `theirs` were never known here, so that they are another process's.
    pub(super) fn never_seen(&self, mine: &D, theirs: &D) -> u64 {
        if same_json(mine, theirs) || self.replaced.as_ref().is_some_and(|replaced| same_json(replaced, theirs)) {
            return 0;
        }
        let known = match &self.replaced {
            Some(replaced) => merged(replaced, mine.clone()).0,
            None => mine.clone(),
        };
        let (_, report) = merged(&known, theirs.clone());
        report.united + report.lost
    }
}

/// Adds an item; a user's code that panics adds none.
pub(super) fn added<D: SessionData>(data: &mut D, item: D::Item) -> bool {
    let mut with = data.clone();
    match guarded(|| (with.append(item), with)) {
        Some((added, with)) => {
            *data = with;
            added
        }
        None => false,
    }
}

/// Both copies as one, `mine` being the newer. A user's code that panics keeps `mine`, and `theirs` is lost.
pub(super) fn merged<D: SessionData>(mine: &D, theirs: D) -> (D, MergeReport) {
    let mut data = mine.clone();
    let united = guarded(|| (data.merge(theirs), data));
    match united {
        Some((report, data)) => (data, report),
        None => (mine.clone(), MergeReport { united: 0, lost: 1 }),
    }
}

/// Runs a user's code on what belongs to it alone; `None`: it panicked.
fn guarded<T>(code: impl FnOnce() -> T) -> Option<T> {
    if defect::has(Defect::Panic) {
        return Some(code());
    }
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(code));
    done.map_err(|_| {
        tracing::error!("the session data's own code panicked: what it was about to change stays as it was")
    })
    .ok()
}

pub(super) fn same_json<D: SessionData>(one: &D, other: &D) -> bool {
    match (serde_json::to_vec(one), serde_json::to_vec(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

//! The changes of one session that are not written back yet.

use crate::data::{MergeReport, SessionData, guarded};
use crate::lineage::Lineage;

/// Maximum number of writes of unknown outcome to remember.
const SENT: usize = 16;

/// What was done here since Redis last replied.
#[derive(Clone)]
pub(super) struct PendingWrite<D: SessionData> {
    /// Counts the changes, to see whether a write-back still covers all of them.
    pub(super) changes: u64,
    /// How many changes wrote data.
    writes: u64,
    /// The last change that wrote data; `None`: the session was only used.
    pub(super) content: Option<u64>,
    /// The last change that wrote the data whole: what Redis had before must not come back.
    pub(super) whole: Option<u64>,
    /// The last create or put: its change, and when it happened.
    pub(super) made: Option<(u64, u64)>,
    /// The last change that gave the session another id.
    pub(super) renamed: Option<u64>,
    /// The last change that put back what Redis may have lost: more than was appended.
    restored: Option<u64>,
    /// Items appended since the base, or since the last whole write.
    appended: Vec<(u64, D::Item)>,
    /// Writes sent to Redis that may have taken effect.
    sent: Vec<Sent>,
    /// Whether a destroy was sent to Redis with unknown outcome: a tombstone there may come from it.
    pub(super) maybe_deleted: bool,
    /// What was known here before the first whole write.
    replaced: Option<D>,
}

/// A write of unknown outcome.
#[derive(Clone, Copy)]
struct Sent {
    line: Lineage,
    /// Whether it left the session whole, so that everything in it is known here.
    whole: bool,
    /// The changes it contains.
    changes: u64,
}

impl<D: SessionData> Default for PendingWrite<D> {
    fn default() -> Self {
        Self {
            changes: 0,
            writes: 0,
            content: None,
            whole: None,
            made: None,
            renamed: None,
            restored: None,
            appended: Vec::new(),
            sent: Vec::new(),
            maybe_deleted: false,
            replaced: None,
        }
    }
}

impl<D: SessionData> PendingWrite<D> {
    /// Counts one more change.
    pub(super) fn change(mut self) -> Self {
        self.changes += 1;
        self
    }

    /// The last change wrote data.
    pub(super) fn written(mut self) -> Self {
        self.content = Some(self.changes);
        self.writes += 1;
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
            // A write that may have reached Redis since is known here too.
            (Some(replaced), Some(before)) if !self.sent.is_empty() => Some(merged(&replaced, before).0),
            (Some(replaced), _) => Some(replaced),
            (None, before) => before,
        };
        self.written()
    }

    /// The last change created or put the session: it is newer than whatever had its id.
    pub(super) fn made(mut self, now: u64) -> Self {
        self.made = Some((self.changes, now));
        self
    }

    /// The last change gave the session another id.
    pub(super) fn renamed(mut self) -> Self {
        self.renamed = Some(self.changes);
        self
    }

    /// Redis may have carried out this write.
    pub(super) fn sent(mut self, line: Lineage, whole: bool) -> Self {
        if self.sent.len() == SENT {
            self.sent.remove(0);
        }
        self.sent.push(Sent { line, whole, changes: self.changes });
        self
    }

    /// This write may have left in Redis everything up to this change.
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

    /// What was sent either has taken effect by now or never will.
    pub(super) fn without_doubt(mut self) -> Self {
        self.sent.clear();
        self.maybe_deleted = false;
        self
    }

    /// Redis may lack more than what was appended since the base: whatever is appended from now on, all is written.
    pub(super) fn with_all(mut self) -> Self {
        self.appended.clear();
        self.restored = Some(self.changes);
        self
    }

    /// Redis has everything up to this change.
    pub(super) fn settled(self, changes: u64) -> Self {
        let later = |at: &u64| *at > changes;
        let mut settled = self.without_doubt();
        settled.content = settled.content.filter(later);
        settled.whole = settled.whole.filter(later);
        settled.renamed = settled.renamed.filter(later);
        settled.made = settled.made.filter(|(at, _)| later(at));
        settled.restored = settled.restored.filter(later);
        settled.appended.retain(|(at, _)| later(at));
        if settled.whole.is_none() {
            settled.replaced = None;
        }
        if settled.content.is_none() {
            settled.writes = 0;
        }
        settled
    }

    /// The changes that a whole write by this process left in Redis, if this lineage is that write's.
    pub(super) fn left(&self, lineage: Lineage) -> Option<u64> {
        self.sent.iter().find(|sent| sent.whole && lineage.was_left_by(sent.line)).map(|sent| sent.changes)
    }

    /// `theirs` with the items appended here. `None`: more than appends was done here, or an item cannot be added.
    pub(super) fn rebased(&self, theirs: &D) -> Option<D> {
        let mut data = theirs.clone();
        let fits = self.whole.is_none() && self.restored.is_none() && !self.appended.is_empty();
        (fits && self.appended.iter().all(|(_, item)| added(&mut data, item.clone()))).then_some(data)
    }

    /// `data`, which Redis has as a whole write, with the items appended here since.
    pub(super) fn over(&self, mut data: D) -> D {
        for (_, item) in &self.appended {
            added(&mut data, item.clone());
        }
        data
    }

    /// How many changes are lost if they cannot be written back.
    pub(super) fn weight(&self) -> u64 {
        self.writes.max(u64::from(self.renamed.is_some()))
    }

    /// How many items of `theirs` were never known here, and so are another process's.
    pub(super) fn never_seen(&self, mine: &D, theirs: &D) -> u64 {
        if same_json(mine, theirs) || self.replaced.as_ref().is_some_and(|replaced| same_json(replaced, theirs)) {
            return 0;
        }
        let known = match &self.replaced {
            Some(replaced) => merged(replaced, mine.clone()).0,
            None => mine.clone(),
        };
        let report = merged(&known, theirs.clone()).1.counted(true);
        report.united + report.lost
    }
}

/// Adds an item; if user code panics, none is added.
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

/// Merges both copies, `mine` being the newer. If user code panics, `mine` stays and `theirs` is lost.
pub(super) fn merged<D: SessionData>(mine: &D, theirs: D) -> (D, MergeReport) {
    let mut data = mine.clone();
    let united = guarded(|| (data.merge(theirs), data));
    match united {
        Some((report, data)) => (data, report),
        None => (mine.clone(), MergeReport { lost: 1, ..MergeReport::default() }),
    }
}

pub(super) fn same_json<D: SessionData>(one: &D, other: &D) -> bool {
    match (serde_json::to_vec(one), serde_json::to_vec(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

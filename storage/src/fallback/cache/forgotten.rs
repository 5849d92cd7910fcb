//! What this process has recently forgotten, by session: the reply to an earlier request may be older than that, and then makes
//! no copy. Appends that Redis acknowledged while there was no copy are kept, so that the reply to an earlier request can
//! still make a copy with all of them.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::SeedableRandomState;
use parking_lot::Mutex;

use super::copy::{Copy, Moment};
use super::heard::AHEAD;
use crate::data::SessionData;
use crate::lineage::Lineage;
use crate::planted;
use crate::store::{SessionId, Version};

/// Slots that record what was forgotten; a few sessions share one.
const SLOTS: usize = 1_024;

pub(super) struct Forgotten<D: SessionData> {
    hasher: SeedableRandomState,
    /// How often something was forgotten so far.
    count: AtomicU64,
    slots: Box<[Mutex<Slot<D>>]>,
}

/// What was last forgotten of the sessions that share a slot.
struct Slot<D: SessionData> {
    /// The count at that time.
    at: u64,
    /// The highest version forgotten.
    version: Version,
    /// The session that was appended to last without a copy, and its appends by version.
    appended: Option<(SessionId, BTreeMap<Version, Append<D>>)>,
}

/// An append that Redis acknowledged while there was no copy.
pub(super) struct Append<D: SessionData> {
    pub(super) item: D::Item,
    pub(super) line: Lineage,
    /// Which Redis process acknowledged it.
    pub(super) boot: u64,
}

impl<D: SessionData> Forgotten<D> {
    pub(super) fn new(hasher: SeedableRandomState) -> Self {
        let slot = || Mutex::new(Slot { at: 0, version: 0, appended: None });
        Self { hasher, count: AtomicU64::new(0), slots: (0..SLOTS).map(|_| slot()).collect() }
    }

    /// How often something was forgotten so far: the `since` of a request that is sent now.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Records that what was known up to this version is forgotten.
    pub(super) fn note(&self, id: &SessionId, version: Version) {
        let mut slot = self.slot(id).lock();
        slot.appended.take_if(|(of, _)| of == id);
        self.forget(&mut slot, version);
    }

    fn forget(&self, slot: &mut Slot<D>, version: Version) {
        slot.version = slot.version.max(version);
        slot.at = slot.at.max(self.count.fetch_add(1, Ordering::SeqCst) + 1);
    }

    /// Records an append that there is no copy to add to.
    pub(super) fn note_append(&self, id: &SessionId, version: Version, append: Append<D>) {
        let mut slot = self.slot(id).lock();
        self.forget(&mut slot, version);
        let kept = slot.appended.take().filter(|(of, appends)| of == id && appends.len() < AHEAD);
        let (of, mut appends) = kept.unwrap_or_else(|| (id.clone(), BTreeMap::new()));
        appends.insert(version, append);
        slot.appended = Some((of, appends));
    }

    /// Whether Redis acknowledged an append to this session while there was no copy: it exists, as far as this process knows.
    pub(super) fn was_appended_to(&self, id: &SessionId) -> bool {
        self.slot(id).lock().appended.as_ref().is_some_and(|(of, _)| of == id)
    }

    /// Whether something at least as new as this version was forgotten since.
    pub(super) fn since(&self, id: &SessionId, version: Version, since: u64) -> bool {
        let slot = self.slot(id).lock();
        !planted::seam!(installs_stale_read) && slot.at > since && slot.version >= version
    }

    /// A state of Redis's that was asked for before something newer was forgotten, with the appends kept since. `None` if
    /// these are not all that was forgotten.
    pub(super) fn caught_up(&self, id: &SessionId, theirs: Copy<D>, at: Moment) -> Option<Copy<D>> {
        let mut slot = self.slot(id).lock();
        let forgotten = slot.version;
        let (_, appends) = slot.appended.take_if(|(of, _)| of == id)?;
        drop(slot);
        let base = theirs.base()?;
        let mut copy = theirs;
        for (version, append) in appends.into_iter().filter(|(version, _)| *version > base.version) {
            if version != copy.version() + 1 || append.boot != base.boot {
                return None;
            }
            copy = copy.heard_append(version, append.item, append.line, at)?;
        }
        (copy.version() >= forgotten).then_some(copy)
    }

    fn slot(&self, id: &SessionId) -> &Mutex<Slot<D>> {
        &self.slots[self.hasher.hash_one(id) as usize % SLOTS]
    }
}

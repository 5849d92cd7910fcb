//! One session as this process knows it.
//!
//! Every copy has a *base*: the version in Redis that it descends from. When it is written back, Redis's copy is either
//! still at the base, or somebody wrote meanwhile: this process itself (operations sent to Redis with an unknown outcome
//! and then done here are counted), or another one; then the data's own merge unites the two.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::nanos;
use crate::data::SessionData;
use crate::error::StoreError;
use crate::operation::{Answer, Operation};
use crate::store::{Session, Version};

/// States kept that Redis may have by a call of unknown outcome.
const SENT: usize = 16;

/// Appends kept that were acknowledged ahead of one whose answer is still under way.
const AHEAD: usize = 64;

pub(super) struct Copy<D: SessionData> {
    /// `None`: destroyed.
    pub(super) data: Option<D>,
    pub(super) version: Version,
    /// The version in Redis that this descends from, 0 where Redis had none; `None`: not known, because it was written
    /// whole here, over whatever was there.
    pub(super) base: Option<Version>,
    pub(super) expires: u64,
    pub(super) used: u64,
    /// When the data was last written.
    pub(super) written: u64,
    /// Appends that Redis acknowledged, by version, whose predecessors have not been heard of: their answers are still
    /// under way (the tasks that wait for them run in any order), or they are another process's.
    pub(super) ahead: BTreeMap<Version, D::Item>,
    pub(super) dirt: Option<Dirt<D>>,
}

/// What Redis still has to hear of.
pub(super) struct Dirt<D> {
    /// Counts what was done here, to see whether what was written back is still all of it.
    pub(super) changes: u64,
    /// The last change that wrote the data; `None`: it was only used.
    pub(super) content: Option<u64>,
    /// Whether the data was written whole since the base: then what Redis had before does not come back.
    pub(super) overwrote: bool,
    /// When a create or put last made the session whole.
    pub(super) made: Option<u64>,
    /// Operations that were sent to Redis with unknown outcome and then done here.
    pub(super) uncertain: u64,
    /// What Redis has if one of these, or an attempt to write back, took effect; each with the changes it is made of.
    pub(super) sent: Vec<(u64, D)>,
    /// Whether a destroy was sent to Redis with unknown outcome: a tombstone there may be its own.
    pub(super) entombed: bool,
    /// What was known here before it was written whole.
    pub(super) replaced: Option<D>,
    /// Whether this copy is just being written back for good: whoever wants it waits.
    pub(super) frozen: bool,
}

impl<D> Default for Dirt<D> {
    fn default() -> Self {
        Self {
            changes: 0,
            content: None,
            overwrote: false,
            made: None,
            uncertain: 0,
            sent: Vec::new(),
            entombed: false,
            replaced: None,
            frozen: false,
        }
    }
}

impl<D: SessionData> Dirt<D> {
    /// Redis may have this now, `None` for a destroyed session: nobody heard whether it took effect. It was made of so
    /// many changes.
    pub(super) fn note_sent(&mut self, changes: u64, data: Option<D>) {
        let Some(data) = data else {
            self.entombed = true;
            return;
        };
        if self.sent.last().is_none_or(|(known, _)| *known != changes) {
            if self.sent.len() == SENT {
                self.sent.remove(0);
            }
            self.sent.push((changes, data));
        }
    }

    /// Whether the last change wrote the data.
    pub(super) fn note_written(&mut self, written: bool) {
        if written {
            self.content = Some(self.changes);
        }
    }

    /// Redis has the data as it was after so many changes.
    pub(super) fn settle(&mut self, changes: u64) {
        self.clear_doubt();
        self.frozen = false;
        if self.content.is_none_or(|written| written <= changes) {
            self.content = None;
            self.overwrote = false;
            self.replaced = None;
        }
    }

    /// Redis was heard: what was sent before has taken effect by now, or never will.
    pub(super) fn clear_doubt(&mut self) {
        self.uncertain = 0;
        self.sent.clear();
        self.entombed = false;
    }

    /// Remembers what was known here before a whole write: the first of them, and what can have reached Redis since.
    fn note_replaced(&mut self, data: Option<D>) {
        match (&mut self.replaced, data) {
            (Some(replaced), Some(data)) if self.uncertain > 0 || !self.sent.is_empty() => {
                replaced.merge(data);
            }
            (Some(_), _) => {}
            (none, data) => *none = data,
        }
    }
}

impl<D: SessionData> Copy<D> {
    /// A clean copy of what Redis has at `version`; `None`: nothing but a tombstone.
    pub(super) fn clean(data: Option<D>, version: Version, now: u64, ttl: Duration) -> Self {
        Self {
            data,
            version,
            base: Some(version),
            expires: now.saturating_add(nanos(ttl)),
            used: now,
            written: now,
            ahead: BTreeMap::new(),
            dirt: None,
        }
    }

    /// A session made (or, without data, destroyed) here that Redis has not heard of.
    pub(super) fn made(data: Option<D>, version: Version, base: Option<Version>, now: u64, ttl: Duration) -> Self {
        let mut copy = Self::clean(data, version, now, ttl);
        copy.base = base;
        let dirt = copy.soil();
        dirt.note_written(true);
        dirt.overwrote = true;
        dirt.made = Some(now);
        copy
    }

    pub(super) fn is_live(&self, now: u64) -> bool {
        self.data.is_some() && now < self.expires
    }

    /// Whether it can be answered from: a clean copy that has expired may have been kept alive by another process.
    pub(super) fn is_known(&self, now: u64) -> bool {
        self.dirt.is_some() || self.data.is_none() || now < self.expires
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.dirt.as_ref().is_some_and(|dirt| dirt.frozen)
    }

    pub(super) fn belongs_to(&self, user: &str) -> bool {
        self.data.as_ref().and_then(SessionData::user).is_some_and(|owner| owner == user)
    }

    pub(super) fn slide(&mut self, now: u64, ttl: Duration) {
        self.expires = now.saturating_add(nanos(ttl));
        self.used = now;
    }

    /// Marks it as changed here.
    pub(super) fn soil(&mut self) -> &mut Dirt<D> {
        let dirt = self.dirt.get_or_insert_default();
        dirt.changes += 1;
        dirt
    }

    /// Takes an append that Redis has acknowledged at `version`, in its order. `false`: too much has not been heard of,
    /// and the copy is of no use any more.
    #[must_use]
    pub(super) fn hear_append(&mut self, version: Version, item: D::Item) -> bool {
        if version <= self.version {
            return true;
        }
        self.ahead.insert(version, item);
        while let Some(item) = self.ahead.remove(&(self.version + 1)) {
            self.version += 1;
            self.base = Some(self.version);
            if let Some(data) = &mut self.data {
                data.append(item);
            }
        }
        self.ahead.len() <= AHEAD
    }

    /// Takes what was acknowledged ahead, gaps or not: no more answers are waited for. The base stays below the gap, so
    /// that what is missing here is merged in when the copy is written back.
    pub(super) fn close_gaps(&mut self) {
        for (version, item) in std::mem::take(&mut self.ahead) {
            self.version = version;
            if let Some(data) = &mut self.data {
                data.append(item);
            }
        }
    }

    /// Carries out an operation here. `uncertain`: it was sent to Redis before, with unknown outcome.
    pub(super) fn answer(
        &mut self,
        operation: &Operation<D>,
        ttl: Duration,
        now: u64,
        sliding: bool,
        uncertain: bool,
    ) -> Result<Answer<D>, StoreError> {
        self.close_gaps();
        let live = self.is_live(now);
        let answer = match (operation, live) {
            (Operation::Create(_), true) => return Err(StoreError::AlreadyExists),
            (Operation::Create(data), false) | (Operation::Put(data), _) => {
                self.write(data.clone(), now).made = Some(now);
                Answer::at(self.version)
            }
            (Operation::Get, true) => return Ok(self.read(ttl, now, sliding)),
            (Operation::Get, false) => return Ok(Answer::absent()),
            (Operation::Update(..) | Operation::Append(_), false) => return Err(StoreError::NotFound),
            (Operation::Update(expected, _), true) if *expected != self.version => {
                return Err(StoreError::Conflict { current: self.version });
            }
            (Operation::Update(_, data), true) => {
                self.write(data.clone(), now);
                Answer::at(self.version)
            }
            (Operation::Append(item), true) => {
                let added = self.data.as_mut().is_some_and(|data| data.append(item.clone()));
                // Of an encrypted session the server does not see all items, and may have counted one that is there.
                let counted = added || uncertain;
                self.version += u64::from(counted);
                self.soil().note_written(counted);
                self.written = if added { now } else { self.written };
                Answer::at(self.version)
            }
            (Operation::Touch, live) => {
                if live {
                    self.soil();
                    self.slide(now, ttl);
                }
                return Ok(Answer::touched(live));
            }
            (Operation::Destroy, false) => {
                if uncertain {
                    // Redis may have had it, made by another process: it is told again.
                    self.void(now, ttl);
                    self.doubt();
                }
                return Ok(Answer::absent());
            }
            (Operation::Destroy, true) => {
                self.data = None;
                self.version += 1;
                self.soil().note_written(true);
                Answer::at(self.version)
            }
        };
        self.slide(now, ttl);
        if uncertain {
            self.doubt();
        }
        Ok(answer)
    }

    /// Redis may have carried out the last operation, too.
    pub(super) fn doubt(&mut self) {
        if let Some(dirt) = &mut self.dirt {
            dirt.uncertain += 1;
            dirt.note_sent(dirt.changes, self.data.clone());
        }
    }

    /// How many items of another copy were never known here, so that they are another process's.
    pub(super) fn never_seen(&self, theirs: &D) -> u64 {
        let Some(mine) = &self.data else { return 0 };
        let replaced = self.dirt.as_ref().and_then(|dirt| dirt.replaced.as_ref());
        if same_json(mine, theirs) || replaced.is_some_and(|replaced| same_json(replaced, theirs)) {
            return 0;
        }
        let mut known = mine.clone();
        if let Some(replaced) = replaced {
            known = replaced.clone();
            known.merge(mine.clone());
        }
        let report = known.merge(theirs.clone());
        report.united + report.lost
    }

    /// Something was to be written here and was dropped: whatever Redis has is stale.
    pub(super) fn void(&mut self, now: u64, ttl: Duration) {
        self.data = None;
        self.version += 1;
        self.soil().note_written(true);
        self.slide(now, ttl);
    }

    pub(super) fn write(&mut self, data: D, now: u64) -> &mut Dirt<D> {
        let before = self.data.replace(data);
        self.version += 1;
        self.written = now;
        let dirt = self.soil();
        dirt.note_written(true);
        dirt.overwrote = true;
        dirt.note_replaced(before);
        dirt
    }

    fn read(&mut self, ttl: Duration, now: u64, sliding: bool) -> Answer<D> {
        if sliding {
            self.soil();
            self.slide(now, ttl);
        }
        self.used = now;
        Answer::read(self.data.clone().map(|data| Session { version: self.version, data }))
    }
}

pub(super) fn same_json<D: SessionData>(one: &D, other: &D) -> bool {
    match (serde_json::to_vec(one), serde_json::to_vec(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

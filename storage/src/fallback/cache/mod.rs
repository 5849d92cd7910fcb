//! What this process knows about sessions: a write-back cache of warm copies, and of what was done to them while Redis
//! was away.
//!
//! A copy is *clean* if it is what Redis last reported, and *dirty* if Redis lacks something of it. Clean copies are
//! bounded, and the least recently used leave first. Dirty ones stay, because they were acknowledged (unless the policy
//! allows evicting them): once they fill the cache, it refuses new ones. A destroyed session stays as a copy without
//! data, so that no delayed reply brings it back.
//!
//! [`copy`], [`pending`] and [`commit`] are the state machine of one session, without locks or I/O. This module holds
//! many of them, under locks: [`observe`] keeps copies current from Redis's replies, [`serve`] answers instead of
//! Redis, [`jobs`] writes back, and [`policy_change`] handles the copies when the policy is switched.

mod commit;
mod copy;
mod forgotten;
mod heard;
mod ids;
mod jobs;
mod listing;
mod log_out;
mod logouts;
mod observe;
mod pending;
mod policy_change;
mod rename;
mod renamed;
mod serve;
#[cfg(test)]
mod table;

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use foldhash::fast::SeedableRandomState;
use parking_lot::Mutex;

use crate::clock::Clock;
use crate::data::SessionData;
use crate::event::EventSink;
use crate::eviction::Evictions;
use crate::lineage::Lineage;
use crate::planted;
use crate::policy::Policy;
use crate::slab::Slab;
use crate::store::{SessionId, Version};
use copy::{Copy, Moment};
use forgotten::Forgotten;
use logouts::Logouts;

pub(super) use commit::{Job, Outcome, Work};
pub(super) use observe::Observed;
pub(super) use serve::{Local, TOMBSTONE_LIFE, Unknowns};

const SHARDS: usize = 16;
/// A cache gets at most one shard per this many copies, so that a small one looks for its least recently used copy in a
/// single shard.
const SHARD_MIN: usize = 1_024;

pub(super) struct CacheConfig {
    /// Maximum number of copies.
    pub(super) capacity: usize,
    pub(super) policy: Policy,
    pub(super) sliding: bool,
    pub(super) clock: Arc<dyn Clock>,
    /// Divides the copies among the shards.
    pub(super) hasher: SeedableRandomState,
    /// Receives evictions.
    pub(super) events: EventSink,
}

pub(super) struct Cache<D: SessionData> {
    shards: Box<[Mutex<Shard<D>>]>,
    hasher: SeedableRandomState,
    capacity: usize,
    sliding: bool,
    clock: Arc<dyn Clock>,
    /// What the policy requires of the cache; see there.
    keeps_copies: AtomicBool,
    lets_go: AtomicBool,
    len: AtomicUsize,
    dirty: AtomicUsize,
    /// What was evicted to make room: clean copies, and acknowledged sessions if the policy allows it.
    evictions: Evictions,
    /// Acknowledged sessions evicted since the last call.
    lost: AtomicU64,
    /// Operations refused because nothing could make room.
    refused: AtomicU64,
    /// The highest version of any evicted copy. A session of unknown version continues above it, so that no version
    /// ever goes back.
    floor: AtomicU64,
    forgotten: Forgotten<D>,
    logouts: Logouts,
    /// The Redis process that serves, as far as copies have been suspected because of it.
    boot: AtomicU64,
}

type Shard<D> = Slab<Place<D>>;

/// A copy in the cache.
struct Place<D: SessionData> {
    copy: Copy<D>,
    /// Whether its final write-back is under way, and callers wait.
    frozen: bool,
}

/// What was known when a request was sent to Redis.
#[derive(Debug, Clone, std::marker::Copy)]
pub(super) struct Asked {
    at: u64,
    pub(super) boot: u64,
    forgotten: u64,
}

/// A write sent to Redis, with unknown outcome.
#[derive(Debug, Clone, std::marker::Copy)]
pub(super) struct Sent {
    /// Which write it was.
    pub(super) line: Lineage,
    /// What was known when it was sent.
    pub(super) asked: Asked,
}

impl<D: SessionData> Cache<D> {
    pub(super) fn new(config: CacheConfig) -> Self {
        let capacity = config.capacity.max(1);
        let shards = (capacity / SHARD_MIN).clamp(1, SHARDS);
        let hasher = config.hasher;
        let forgotten = Forgotten::new(hasher.clone());
        Self {
            shards: (0..shards).map(|_| Mutex::new(Slab::new(hasher.clone()))).collect(),
            hasher,
            capacity,
            sliding: config.sliding,
            clock: config.clock,
            keeps_copies: AtomicBool::new(config.policy.rules().keeps_copies),
            lets_go: AtomicBool::new(config.policy.rules().lets_go),
            len: AtomicUsize::new(0),
            dirty: AtomicUsize::new(0),
            evictions: Evictions::new(config.events),
            lost: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            forgotten,
            logouts: Logouts::default(),
            boot: AtomicU64::new(0),
        }
    }

    /// The clock for expiry.
    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Copies with something that Redis lacks, and logouts that it does not know of.
    pub(super) fn dirty(&self) -> usize {
        self.dirty.load(Ordering::SeqCst) + self.logouts.count()
    }

    /// Live sessions, deletions and logouts that Redis lacks: written here, not merely used.
    pub(super) fn unsaved(&self) -> u64 {
        let now = self.now();
        let unsaved = |shard: &Mutex<Shard<D>>| {
            let shard = shard.lock();
            let copies = shard.iter().map(|(_, place)| &place.copy);
            copies.filter(|copy| copy.is_written() && (copy.data().is_none() || copy.is_live(now))).count()
        };
        (self.shards.iter().map(unsaved).sum::<usize>() + self.logouts.count()) as u64
    }

    /// Number of copies, clean and dirty.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::SeqCst)
    }

    /// Whether another session would need an eviction.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// Copies evicted to make room.
    pub(super) fn evictions(&self) -> &Evictions {
        &self.evictions
    }

    /// Operations refused so far because the cache was full of sessions that Redis lacks.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether Redis lacks something of this session.
    pub(super) fn is_dirty(&self, id: &SessionId) -> bool {
        self.at(id, |shard| is_dirty(shard, id))
    }

    /// Whether anything is known of this session.
    pub(super) fn holds(&self, id: &SessionId) -> bool {
        self.at(id, |shard| shard.get(id).is_some())
    }

    /// The sessions that have to be written back; an id that was given up goes with the new one.
    pub(super) fn dirty_ids(&self) -> Vec<SessionId> {
        let mut ids = Vec::with_capacity(self.dirty());
        for shard in &self.shards {
            ids.extend(shard.lock().iter().filter(|(_, place)| place.copy.is_dirty()).map(|(id, _)| id.clone()));
        }
        ids.retain(|id| !self.goes_along(id));
        ids
    }

    /// Live sessions known here.
    pub(super) fn live(&self) -> u64 {
        let now = self.now();
        let live = |shard: &Mutex<Shard<D>>| shard.lock().iter().filter(|(_, place)| place.copy.is_live(now)).count();
        self.shards.iter().map(live).sum::<usize>() as u64
    }

    /// Drops what has expired, except deletions that Redis lacks, and returns how many sessions that were.
    pub(super) fn purge(&self) -> u64 {
        let now = self.now();
        let mut expired = 0;
        self.drop_where(|copy| {
            let gone = now >= copy.expires && (copy.data().is_some() || !copy.is_dirty());
            expired += u64::from(gone && copy.data().is_some());
            if gone {
                self.floor.fetch_max(copy.version(), Ordering::Relaxed);
            }
            gone
        });
        expired
    }

    /// Marks what Redis may have lost, so that it is asked for: whatever a Redis process before `boot` had reported.
    /// Returns the number of sessions marked.
    pub(super) fn suspect(&self, boot: u64) -> u64 {
        let now = self.now();
        // This comes before the first copy is looked at: replies that arrive meanwhile are then doubted on arrival.
        self.boot.fetch_max(boot, Ordering::SeqCst);
        let mut suspects = 0;
        for shard in &self.shards {
            shard.lock().for_each_mut(|place| {
                let copy = &place.copy;
                let known_to_redis = !copy.is_dirty() && (copy.data().is_none() || now < copy.expires);
                if known_to_redis && copy.base().is_some_and(|base| base.boot < boot) {
                    place.copy = copy.suspected();
                    suspects += 1;
                }
            });
        }
        let waiting = self.dirty.fetch_add(suspects, Ordering::SeqCst) + suspects;
        self.evictions.waiting(waiting as u64, self.capacity as u64);
        suspects as u64
    }

    /// What is known now, before a request to a Redis process.
    pub(super) fn ask(&self, boot: u64) -> Asked {
        Asked { at: self.now(), boot, forgotten: self.forgotten.count() }
    }

    /// The moment at which a reply arrives. Call it under the lock of the session's shard.
    fn moment(&self, asked: Asked) -> Moment {
        let doubtful = self.boot.load(Ordering::SeqCst) > asked.boot && !planted::seam!(trusts_versions);
        Moment { now: self.now(), asked: asked.at, boot: asked.boot, doubtful }
    }

    /// Drops copies, clean or dirty.
    fn drop_where(&self, mut gone: impl FnMut(&Copy<D>) -> bool) {
        for shard in &self.shards {
            let (mut dirty, mut ids) = (0, Vec::new());
            let mut shard = shard.lock();
            for (id, place) in shard.iter() {
                if gone(&place.copy) {
                    dirty += usize::from(place.copy.is_dirty());
                    ids.push((id.clone(), place.copy.version()));
                }
            }
            for (id, version) in &ids {
                shard.remove(id);
                self.forgotten.note(id, *version);
            }
            self.len.fetch_sub(ids.len(), Ordering::SeqCst);
            self.dirty.fetch_sub(dirty, Ordering::SeqCst);
        }
    }

    fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Works on the copy of one session under its shard's lock, and updates the counters.
    fn at<T>(&self, id: &SessionId, work: impl FnOnce(&mut Shard<D>) -> T) -> T {
        let mut shard = self.shards[self.shard(id)].lock();
        let before = is_dirty(&shard, id);
        let result = work(&mut shard);
        self.recount(before, is_dirty(&shard, id));
        result
    }

    fn shard(&self, id: &SessionId) -> usize {
        (self.hasher.hash_one(id) >> 32) as usize % self.shards.len()
    }

    /// Counts a session that was dirty before and is dirty now, or was or is not.
    fn recount(&self, before: bool, now: bool) {
        match (before, now) {
            (false, true) => {
                let waiting = self.dirty.fetch_add(1, Ordering::SeqCst) + 1;
                self.evictions.waiting(waiting as u64, self.capacity as u64);
            }
            (true, false) => {
                self.dirty.fetch_sub(1, Ordering::SeqCst);
            }
            _ => {}
        }
    }

    /// Inserts a copy. `false`: there is no room, because everything here is dirty.
    fn insert(&self, shard: &mut Shard<D>, id: &SessionId, copy: Copy<D>) -> bool {
        if let Some(place) = shard.get_mut(id) {
            *place = Place { copy, frozen: false };
            return true;
        }
        let full = match planted::seam!(splits_capacity) {
            true => shard.len() >= self.capacity / self.shards.len(),
            false => self.len() >= self.capacity,
        };
        if full && !planted::seam!(memory_without_bound) && !self.make_room(shard) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.len.fetch_add(1, Ordering::SeqCst);
        shard.insert(id.clone(), Place { copy, frozen: false });
        true
    }

    fn remove(&self, shard: &mut Shard<D>, id: &SessionId) {
        if let Some(gone) = shard.remove(id) {
            self.floor.fetch_max(gone.copy.version(), Ordering::Relaxed);
            self.len.fetch_sub(1, Ordering::SeqCst);
            self.forgotten.note(id, gone.copy.version());
        }
    }

    /// Evicts the least recently used copy of this shard, or else of another. It skips busy shards: one copy too many
    /// for a moment is better than refusing a session for which there is room.
    fn make_room(&self, shard: &mut Shard<D>) -> bool {
        if self.evict(shard) {
            return true;
        }
        let mut busy = false;
        for other in &self.shards {
            match other.try_lock() {
                Some(mut other) => {
                    if self.evict(&mut other) {
                        return true;
                    }
                }
                // One of these locks is this shard's.
                None => busy |= !other_is(other, shard),
            }
        }
        busy
    }

    fn evict(&self, shard: &mut Shard<D>) -> bool {
        let clean = shard.least_recently_used(|place| {
            (!place.copy.is_dirty() || planted::seam!(evicts_unsaved)).then_some(place.copy.used)
        });
        let victim = match clean {
            Some(id) => Some(id),
            None if self.lets_go.load(Ordering::Relaxed) => shard.least_recently_used(|place| Some(place.copy.used)),
            None => None,
        };
        let Some(id) = victim else { return false };
        let Some(gone) = shard.remove(&id) else { return false };
        self.len.fetch_sub(1, Ordering::SeqCst);
        self.forgotten.note(&id, gone.copy.version());
        self.floor.fetch_max(gone.copy.version(), Ordering::Relaxed);
        if planted::seam!(evicts_unsaved) {
            self.dirty.fetch_sub(usize::from(gone.copy.is_dirty()), Ordering::SeqCst);
            self.evictions.copy();
        } else if gone.copy.is_dirty() {
            self.dirty.fetch_sub(1, Ordering::SeqCst);
            self.lost.fetch_add(1, Ordering::Relaxed);
            self.evictions.session();
        } else {
            self.evictions.copy();
        }
        true
    }

    /// The first version of a session whose version in Redis is unknown.
    fn first_version(&self) -> Version {
        self.floor.load(Ordering::Relaxed) + 1
    }
}

fn is_dirty<D: SessionData>(shard: &Shard<D>, id: &SessionId) -> bool {
    shard.get(id).is_some_and(|place| place.copy.is_dirty())
}

/// Whether a lock is that of the shard already held.
fn other_is<D: SessionData>(lock: &Mutex<Shard<D>>, shard: &Shard<D>) -> bool {
    std::ptr::eq(lock.data_ptr().cast_const(), std::ptr::from_ref(shard))
}

//! What this process knows of sessions: warm copies of those it used lately, and what was done with them while Redis was
//! away.
//!
//! A copy is *clean* when it is what Redis was last heard to have, *dirty* when Redis still has to hear of something.
//! Clean copies are bounded and leave by least recent use; dirty ones never leave on their own, because they were
//! acknowledged: where they fill the ledger, new ones are refused. A destroyed session stays as a copy without data, so
//! that no late answer brings it back.
//!
//! [`hear`] keeps copies current from Redis's answers, [`answer`] answers in Redis's place, [`settle`] is the way back,
//! [`hand_over`] what becomes of copies when the policy is switched.

mod answer;
mod copy;
mod hand_over;
mod hear;
mod listing;
mod settle;

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use hashbrown::DefaultHashBuilder;
use parking_lot::Mutex;

use crate::clock::Clock;
use crate::data::SessionData;
use crate::event::EventSink;
use crate::eviction::Evictions;
use crate::fallback::policy::Policy;
use crate::slab::Slab;
use crate::store::{SessionId, Version};
use copy::Copy;

pub(super) use answer::{Local, TOMBSTONE_LIFE, Unknowns};
pub(super) use settle::{Job, Reconciled, Work};

const SHARDS: usize = 16;
/// Below this many copies per shard the least recently used one is not searched in more than one shard.
const SHARD_MIN: usize = 1_024;

pub(super) struct LedgerConfig {
    /// Most copies kept.
    pub(super) capacity: usize,
    pub(super) policy: Policy,
    pub(super) sliding: bool,
    pub(super) clock: Arc<dyn Clock>,
    /// Told of evictions.
    pub(super) events: EventSink,
}

pub(super) struct Ledger<D: SessionData> {
    shards: Box<[Mutex<Slab<Copy<D>>>]>,
    hasher: DefaultHashBuilder,
    shard_bound: usize,
    sliding: bool,
    clock: Arc<dyn Clock>,
    /// What the policy asks of a ledger, see there.
    keeps_copies: AtomicBool,
    lets_go: AtomicBool,
    dirty: AtomicUsize,
    /// What made room: clean copies, and acknowledged sessions where the policy lets them go.
    evictions: Evictions,
    /// Acknowledged sessions that made room since this was last asked.
    lost: AtomicU64,
    /// Operations refused because nothing could make room.
    refused: AtomicU64,
    /// The highest version of any copy that made room: a session of unknown version continues above it, so that no
    /// version ever goes back.
    floor: AtomicU64,
}

impl<D: SessionData> Ledger<D> {
    pub(super) fn new(config: LedgerConfig) -> Self {
        let capacity = config.capacity.max(1);
        let shards = (capacity / SHARD_MIN).clamp(1, SHARDS);
        let hasher = DefaultHashBuilder::default();
        Self {
            shards: (0..shards).map(|_| Mutex::new(Slab::new(hasher.clone()))).collect(),
            hasher,
            shard_bound: capacity / shards,
            sliding: config.sliding,
            clock: config.clock,
            keeps_copies: AtomicBool::new(config.policy.keeps_copies()),
            lets_go: AtomicBool::new(config.policy.lets_go()),
            dirty: AtomicUsize::new(0),
            evictions: Evictions::new(config.events),
            lost: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            floor: AtomicU64::new(0),
        }
    }

    /// The clock for expiry.
    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Copies that Redis still has to hear of.
    pub(super) fn dirty(&self) -> usize {
        self.dirty.load(Ordering::SeqCst)
    }

    /// Copies kept, clean and dirty.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether a further session would have to take another one's place.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.shard_bound * self.shards.len()
    }

    /// Copies that made room for others.
    pub(super) fn evictions(&self) -> &Evictions {
        &self.evictions
    }

    /// Operations refused so far because the ledger was full of what Redis has not heard of.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn dirty_ids(&self) -> Vec<SessionId> {
        let mut ids = Vec::with_capacity(self.dirty());
        for shard in &self.shards {
            ids.extend(shard.lock().iter().filter(|(_, copy)| copy.dirt.is_some()).map(|(id, _)| id.clone()));
        }
        ids
    }

    /// Live sessions known here.
    pub(super) fn live(&self) -> u64 {
        let now = self.now();
        let live = |shard: &Mutex<Slab<Copy<D>>>| shard.lock().iter().filter(|(_, copy)| copy.is_live(now)).count();
        self.shards.iter().map(live).sum::<usize>() as u64
    }

    /// Drops what has expired, but for deletions that Redis has not heard of, and says how many sessions that were.
    pub(super) fn purge(&self) -> u64 {
        let now = self.now();
        let mut expired = 0;
        self.drop_where(|copy| {
            let gone = now >= copy.expires && (copy.data.is_some() || copy.dirt.is_none());
            expired += u64::from(gone && copy.data.is_some());
            if gone {
                self.floor.fetch_max(copy.version, Ordering::Relaxed);
            }
            gone
        });
        expired
    }

    /// Drops copies, clean or dirty.
    fn drop_where(&self, mut gone: impl FnMut(&Copy<D>) -> bool) {
        for shard in &self.shards {
            let mut dirty = 0;
            shard.lock().remove_where(|copy| {
                let gone = gone(copy);
                dirty += usize::from(gone && copy.dirt.is_some());
                gone
            });
            self.dirty.fetch_sub(dirty, Ordering::SeqCst);
        }
    }

    fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Works on the copy of one session under its shard's lock, and keeps count of the dirty ones.
    fn at<T>(&self, id: &SessionId, work: impl FnOnce(&mut Slab<Copy<D>>) -> T) -> T {
        let at = (self.hasher.hash_one(id) >> 32) as usize % self.shards.len();
        let mut shard = self.shards[at].lock();
        let is_dirty = |shard: &Slab<Copy<D>>| shard.get(id).is_some_and(|copy| copy.dirt.is_some());
        let before = is_dirty(&shard);
        let result = work(&mut shard);
        match (before, is_dirty(&shard)) {
            (false, true) => self.dirty.fetch_add(1, Ordering::SeqCst),
            (true, false) => self.dirty.fetch_sub(1, Ordering::SeqCst),
            _ => self.dirty(),
        };
        result
    }

    /// Puts a copy in. `false`: there is no room, because everything here is dirty.
    fn insert(&self, shard: &mut Slab<Copy<D>>, id: &SessionId, copy: Copy<D>) -> bool {
        if shard.get(id).is_none() && shard.len() >= self.shard_bound && !self.make_room(shard) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        shard.insert(id.clone(), copy);
        true
    }

    fn make_room(&self, shard: &mut Slab<Copy<D>>) -> bool {
        let clean = shard.least_recently_used(|copy| copy.dirt.is_none().then_some(copy.used));
        let victim = match clean {
            Some(id) => Some(id),
            None if self.lets_go.load(Ordering::Relaxed) => shard.least_recently_used(|copy| Some(copy.used)),
            None => None,
        };
        let Some(gone) = victim.and_then(|id| shard.remove(&id)) else { return false };
        self.floor.fetch_max(gone.version, Ordering::Relaxed);
        if gone.dirt.is_some() {
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

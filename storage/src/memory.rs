//! Sessions in the memory of this process: the store behind `USE_MEMORY_SESSIONS`, and the reference for every other
//! store's behaviour.
//!
//! The map is split into shards, each under its own read-write lock. A read takes only the shared lock: expiry and last
//! use are atomics beside the data, so updating them needs no exclusive access. Data is behind an `Arc`, and
//! [`MemoryStore::read`] returns it without a copy. With a bound, a shard evicts its least recently used session (see
//! [`MemoryStore::evicted`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use foldhash::fast::SeedableRandomState;
use parking_lot::{RwLock, RwLockWriteGuard};
use std::hash::BuildHasher;
use tokio::runtime::Handle;

use crate::cleanup;
use crate::clock::{Clock, MonotonicClock, nanos};
use crate::data::{SessionData, renamed};
use crate::error::StoreError;
use crate::event::EventSink;
use crate::eviction::Evictions;
use crate::retired::Retired;
use crate::slab::Slab;
use crate::store::{Acked, AppendStore, Health, Session, SessionId, SessionStore, Version};

/// Shards of an unbounded store. A bounded one has fewer if a shard would hold less than [`SHARD_MIN`] sessions.
const SHARDS: usize = 64;
const SHARD_MIN: usize = 1_024;

struct Entry<D> {
    version: Version,
    data: Arc<D>,
    /// When the data was last written.
    written: u64,
    expires: AtomicU64,
    used: AtomicU64,
}

impl<D> Entry<D> {
    fn new(version: Version, data: Arc<D>, now: u64, ttl: Duration) -> Self {
        Self { version, data, written: now, expires: expiry(now, ttl), used: AtomicU64::new(now) }
    }

    fn is_live(&self, now: u64) -> bool {
        now < self.expires.load(Ordering::Relaxed)
    }

    fn slide(&self, now: u64, ttl: Duration) {
        self.expires.store(now.saturating_add(nanos(ttl)), Ordering::Relaxed);
        self.used.store(now, Ordering::Relaxed);
    }
}

fn expiry(now: u64, ttl: Duration) -> AtomicU64 {
    AtomicU64::new(now.saturating_add(nanos(ttl)))
}

type Shard<D> = RwLock<Slab<Entry<D>>>;
type Locked<'a, D> = RwLockWriteGuard<'a, Slab<Entry<D>>>;

/// A store in memory. Its operations never wait; use the plain methods where no trait is needed.
pub struct MemoryStore<D> {
    shards: Box<[Shard<D>]>,
    hasher: SeedableRandomState,
    shard_bound: usize,
    sliding: bool,
    clock: Arc<dyn Clock>,
    evictions: Evictions,
    /// The ids of sessions that were renamed.
    retired: Retired,
}

/// Settings of a [`MemoryStore`].
pub struct MemoryConfig {
    /// Maximum number of sessions; the least recently used is evicted first. `None`: no bound.
    pub capacity: Option<usize>,
    /// Whether a read restarts a session's lifetime.
    pub sliding: bool,
    /// The clock for expiry.
    pub clock: Arc<dyn Clock>,
    /// Receives evictions, from within operations: must not block.
    pub events: EventSink,
}

impl Default for MemoryConfig {
    /// Unbounded, sliding, with the machine's monotonic clock and no callback for evictions.
    fn default() -> Self {
        Self { capacity: None, sliding: true, clock: Arc::new(MonotonicClock::default()), events: Arc::new(|_| {}) }
    }
}

impl<D: SessionData> Default for MemoryStore<D> {
    fn default() -> Self {
        Self::new(MemoryConfig::default())
    }
}

impl<D: SessionData> MemoryStore<D> {
    /// An empty store.
    pub fn new(config: MemoryConfig) -> Self {
        let capacity = config.capacity.unwrap_or(usize::MAX).max(1);
        let shards = (capacity / SHARD_MIN).clamp(1, SHARDS);
        let hasher = SeedableRandomState::random();
        Self {
            shards: (0..shards).map(|_| RwLock::new(Slab::new(hasher.clone()))).collect(),
            hasher,
            shard_bound: capacity / shards,
            sliding: config.sliding,
            clock: config.clock,
            evictions: Evictions::new(config.events),
            retired: Retired::default(),
        }
    }

    /// Sessions evicted since the store was created.
    pub fn evicted(&self) -> u64 {
        self.evictions.lost()
    }

    /// Reads a session without copying its data; if the store slides, this restarts its lifetime with `ttl`.
    pub fn read(&self, id: &SessionId, ttl: Duration) -> Option<(Version, Arc<D>)> {
        self.look_up(id, self.sliding.then_some(ttl))
    }

    /// Reads a session without copying its data, and restarts its lifetime with `slid_by`, if given.
    fn look_up(&self, id: &SessionId, slid_by: Option<Duration>) -> Option<(Version, Arc<D>)> {
        let (now, hash) = (self.clock.now(), self.hasher.hash_one(id));
        let shard = self.shard(hash).read();
        let entry = shard.get_hashed(hash, id).filter(|entry| entry.is_live(now))?;
        match slid_by {
            Some(ttl) => entry.slide(now, ttl),
            None => entry.used.store(now, Ordering::Relaxed),
        }
        Some((entry.version, Arc::clone(&entry.data)))
    }

    /// Stores a new session. [`StoreError::AlreadyExists`] if the id is taken, [`StoreError::Renamed`] if its session
    /// has another id now.
    pub fn insert(&self, id: &SessionId, data: Arc<D>, ttl: Duration) -> Result<Version, StoreError> {
        let now = self.clock.now();
        let mut shard = self.shard_of(id).write();
        if shard.get(id).is_some_and(|entry| entry.is_live(now)) {
            return Err(StoreError::AlreadyExists);
        }
        if self.retired.has(id, now) {
            return Err(StoreError::Renamed);
        }
        self.store(&mut shard, id, Entry::new(1, data, now, ttl), now);
        Ok(1)
    }

    /// Writes a session whole, whatever was there. [`StoreError::Renamed`] if the session has another id now.
    pub fn write(&self, id: &SessionId, data: Arc<D>, ttl: Duration) -> Result<Version, StoreError> {
        let (now, hash) = (self.clock.now(), self.hasher.hash_one(id));
        let mut shard = self.shard(hash).write();
        if self.retired.has(id, now) {
            return Err(StoreError::Renamed);
        }
        match shard.get_mut_hashed(hash, id) {
            Some(entry) => {
                let version = if entry.is_live(now) { entry.version + 1 } else { 1 };
                let before = std::mem::replace(entry, Entry::new(version, data, now, ttl));
                // The old data may be large, so it is not dropped under the lock.
                drop(shard);
                drop(before);
                Ok(version)
            }
            None => {
                self.store(&mut shard, id, Entry::new(1, data, now, ttl), now);
                Ok(1)
            }
        }
    }

    /// Changes a session in place under its lock. `change` returns what the caller gets; an error leaves the version
    /// unchanged. The data is copied only if a reader still holds it.
    pub fn modify<T>(
        &self,
        id: &SessionId,
        ttl: Duration,
        change: impl FnOnce(Version, &mut Arc<D>) -> Result<Changed<T>, StoreError>,
    ) -> Result<T, StoreError> {
        let now = self.clock.now();
        let mut shard = self.shard_of(id).write();
        let entry = shard.get_mut(id).filter(|entry| entry.is_live(now)).ok_or(StoreError::NotFound)?;
        let changed = change(entry.version, &mut entry.data)?;
        if changed.written {
            entry.version += 1;
            entry.written = now;
        }
        entry.slide(now, ttl);
        Ok(changed.answer)
    }

    /// Restarts a session's lifetime with `ttl`. `false`: no such session.
    pub fn extend(&self, id: &SessionId, ttl: Duration) -> bool {
        let now = self.clock.now();
        let shard = self.shard_of(id).read();
        let live = shard.get(id).filter(|entry| entry.is_live(now));
        if let Some(entry) = live {
            entry.slide(now, ttl);
        }
        live.is_some()
    }

    /// Gives the session `from` the id `to`, whose data says so from then on, and restarts its lifetime with `ttl`.
    /// [`StoreError::NotFound`] if there is no session `from`, [`StoreError::AlreadyExists`] if `to` has or lately had
    /// one.
    pub fn rename(&self, from: &SessionId, to: &SessionId, ttl: Duration) -> Result<Version, StoreError> {
        let now = self.clock.now();
        let (source, target) = (self.place(from), self.place(to));
        // In one order, so that two renames never wait for each other.
        let mut low = self.shards[source.min(target)].write();
        let mut high = (source != target).then(|| self.shards[source.max(target)].write());
        let taken = of(&mut low, &mut high, target > source).get(to).is_some_and(|entry| entry.is_live(now));
        let shard = of(&mut low, &mut high, source > target);
        if !shard.get(from).is_some_and(|entry| entry.is_live(now)) {
            return Err(StoreError::NotFound);
        }
        if taken || self.retired.has(to, now) {
            return Err(StoreError::AlreadyExists);
        }
        let Some(entry) = shard.remove(from) else { return Err(StoreError::NotFound) };
        let (version, data) = (entry.version + 1, renamed(Arc::unwrap_or_clone(entry.data), to));
        let entry = Entry::new(version, Arc::new(data), now, ttl);
        self.store(of(&mut low, &mut high, target > source), to, entry, now);
        self.retired.add(from, now, ttl);
        Ok(version)
    }

    /// Ends a session. `false`: there was none.
    pub fn remove(&self, id: &SessionId) -> bool {
        let now = self.clock.now();
        self.shard_of(id).write().remove(id).is_some_and(|entry| entry.is_live(now))
    }

    /// Number of live sessions.
    pub fn live(&self) -> u64 {
        let now = self.clock.now();
        let live = |shard: &Shard<D>| shard.read().iter().filter(|(_, e)| e.is_live(now)).count();
        self.shards.iter().map(live).sum::<usize>() as u64
    }

    /// Drops expired sessions and returns their number.
    pub fn purge(&self) -> u64 {
        let now = self.clock.now();
        self.retired.purge(now);
        self.shards.iter().map(|shard| shard.write().remove_where(|entry| !entry.is_live(now))).sum()
    }

    /// Number of sessions in memory, including expired ones not dropped yet.
    pub fn held(&self) -> u64 {
        self.shards.iter().map(|shard| shard.read().len()).sum::<usize>() as u64
    }

    /// Drops expired sessions every `interval` of the store's clock, on `runtime`, while the store exists.
    pub fn clean_every(self: &Arc<Self>, interval: Duration, runtime: &Handle) {
        let store = Arc::downgrade(self);
        cleanup::every(interval, Arc::clone(&self.clock), runtime, move |is_due| {
            store.upgrade().map(|store| if is_due { store.purge() } else { 0 })
        });
    }

    /// A user's live sessions, most recently written first. Looks at every session.
    pub fn of_user(&self, user: &str, limit: usize) -> Vec<SessionId> {
        let now = self.clock.now();
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.read();
            let theirs = shard.iter().filter(|(_, e)| e.is_live(now) && e.data.user().as_deref() == Some(user));
            found.extend(theirs.map(|(id, entry)| (entry.written, id.clone())));
        }
        found.sort_by(|a, b| b.cmp(a));
        found.into_iter().take(limit).map(|(_, id)| id).collect()
    }

    fn store(&self, shard: &mut Slab<Entry<D>>, id: &SessionId, entry: Entry<D>, now: u64) {
        if shard.len() >= self.shard_bound && shard.get(id).is_none() {
            self.make_room(shard, now);
        }
        shard.insert(id.clone(), entry);
    }

    fn make_room(&self, shard: &mut Slab<Entry<D>>, now: u64) {
        // An expired session goes first, which does not count as an eviction.
        let stamp = |entry: &Entry<D>| if entry.is_live(now) { entry.used.load(Ordering::Relaxed) } else { 0 };
        let victim = shard.least_recently_used(|entry| Some(stamp(entry)));
        if victim.and_then(|victim| shard.remove(&victim)).is_some_and(|gone| gone.is_live(now)) {
            self.evictions.session();
        }
    }

    fn shard_of(&self, id: &SessionId) -> &Shard<D> {
        self.shard(self.hasher.hash_one(id))
    }

    fn place(&self, id: &SessionId) -> usize {
        self.place_of(self.hasher.hash_one(id))
    }

    fn place_of(&self, hash: u64) -> usize {
        // These bits are not used by the shard's own index.
        (hash >> 32) as usize % self.shards.len()
    }

    fn shard(&self, hash: u64) -> &Shard<D> {
        &self.shards[self.place_of(hash)]
    }
}

/// The higher of two locked shards if there are two, or else the only one.
fn of<'a, D>(low: &'a mut Locked<'_, D>, high: &'a mut Option<Locked<'_, D>>, is_high: bool) -> &'a mut Slab<Entry<D>> {
    match high {
        Some(high) if is_high => high,
        _ => low,
    }
}

/// What a change in [`MemoryStore::modify`] did.
pub struct Changed<T> {
    /// Whether the data was written, which increments the version.
    pub written: bool,
    /// What the caller gets.
    pub answer: T,
}

fn owned<D: SessionData>((version, data): (Version, Arc<D>)) -> Session<D> {
    Session { version, data: Arc::unwrap_or_clone(data) }
}

#[async_trait]
impl<D: SessionData> SessionStore<D> for MemoryStore<D> {
    async fn create(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.insert(id, Arc::new(data), ttl).map(Acked::primary)
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<D>>>, StoreError> {
        Ok(Acked::primary(self.read(id, ttl).map(owned)))
    }

    async fn peek(&self, id: &SessionId) -> Result<Acked<Option<Session<D>>>, StoreError> {
        Ok(Acked::primary(self.look_up(id, None).map(owned)))
    }

    async fn put(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.write(id, Arc::new(data), ttl).map(Acked::primary)
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: D,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        let swap = |current: Version, stored: &mut Arc<D>| {
            if current != expected {
                return Err(StoreError::Conflict { current });
            }
            *stored = Arc::new(data);
            Ok(Changed { written: true, answer: current + 1 })
        };
        self.modify(id, ttl, swap).map(Acked::primary)
    }

    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError> {
        Ok(Acked::primary(self.extend(id, ttl)))
    }

    async fn rename(&self, from: &SessionId, to: &SessionId, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        MemoryStore::rename(self, from, to, ttl).map(Acked::primary)
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        Ok(Acked::primary(self.remove(id)))
    }

    async fn count(&self) -> Result<Acked<u64>, StoreError> {
        Ok(Acked::primary(self.live()))
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        Ok(Acked::primary(self.of_user(user, limit)))
    }

    async fn cleanup(&self) -> Result<u64, StoreError> {
        Ok(self.purge())
    }

    async fn health(&self) -> Health {
        Health::default()
    }
}

#[async_trait]
impl<D: SessionData> AppendStore<D> for MemoryStore<D> {
    async fn append(&self, id: &SessionId, item: D::Item, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        let add = |current: Version, stored: &mut Arc<D>| {
            let added = Arc::make_mut(stored).append(item);
            Ok(Changed { written: added, answer: current + u64::from(added) })
        };
        self.modify(id, ttl, add).map(Acked::primary)
    }
}

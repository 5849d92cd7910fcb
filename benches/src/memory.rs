//! `MemoryStore` under two threads with nine reads to one write, with lifetimes, sliding expiry and a bound, compared
//! with a common cache and a common map.

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use firedrill_storage::{MemoryConfig, MemoryStore, SessionId, SessionStore, TriviaSession};
use moka::sync::Cache;
use nix::time::{ClockId, clock_gettime};
use tokio::runtime::Builder;

use crate::Fallible;
use crate::sample::{Sample, TTL};

const THREADS: usize = 2;
/// Operations per thread and turn.
const OPERATIONS: usize = 300_000;

/// A session and its stored data.
pub type Stored = (SessionId, Arc<TriviaSession>);

/// A workload for the threads.
pub struct Mixture {
    /// Its name.
    pub name: &'static str,
    /// Sessions in use, all equally often.
    sessions: u32,
    /// The most sessions held.
    capacity: usize,
    holder: Holder,
}

/// What holds the sessions.
#[derive(Clone, Copy)]
enum Holder {
    /// `MemoryStore`, through its own methods.
    Store,
    /// The same through the trait, which copies what it reads and boxes its futures.
    Trait,
    /// A cache with all of it: lifetimes, sliding expiry and a bound.
    Moka,
    /// A map with none of it.
    DashMap,
}

/// Something that holds sessions.
trait Holds: Sync {
    fn write(&self, id: &SessionId, data: &Arc<TriviaSession>);
    fn read(&self, id: &SessionId) -> Option<Arc<TriviaSession>>;
}

impl Holds for MemoryStore<TriviaSession> {
    fn write(&self, id: &SessionId, data: &Arc<TriviaSession>) {
        let _ = MemoryStore::write(self, id, Arc::clone(data), TTL);
    }

    fn read(&self, id: &SessionId) -> Option<Arc<TriviaSession>> {
        MemoryStore::read(self, id, TTL).map(|(_, data)| data)
    }
}

impl Holds for Cache<SessionId, Arc<TriviaSession>> {
    fn write(&self, id: &SessionId, data: &Arc<TriviaSession>) {
        self.insert(id.clone(), Arc::clone(data));
    }

    fn read(&self, id: &SessionId) -> Option<Arc<TriviaSession>> {
        self.get(id)
    }
}

impl Holds for DashMap<SessionId, Arc<TriviaSession>> {
    fn write(&self, id: &SessionId, data: &Arc<TriviaSession>) {
        self.insert(id.clone(), Arc::clone(data));
    }

    fn read(&self, id: &SessionId) -> Option<Arc<TriviaSession>> {
        self.get(id).map(|found| Arc::clone(&found))
    }
}

/// The result of one turn.
#[derive(Clone, Copy)]
pub struct Measured {
    /// Operations per second of both threads together.
    pub per_second: f64,
    /// CPU time per operation, in nanoseconds.
    pub cpu_nanos: f64,
}

impl Mixture {
    /// All workloads. If the bound is reached, one session in five is always missing and most writes evict another
    /// session.
    pub const ALL: [Mixture; 6] = [
        Mixture { name: "10,000 sessions", ..Self::USUAL },
        Mixture { name: "the same, by the trait", holder: Holder::Trait, ..Self::USUAL },
        Mixture { name: "the same, moka in its place", holder: Holder::Moka, ..Self::USUAL },
        Mixture { name: "the same, dashmap: no lifetimes, no bound", holder: Holder::DashMap, ..Self::USUAL },
        Mixture { name: "10,000 sessions, bound of 8,000", capacity: 8_000, ..Self::USUAL },
        Mixture { name: "100,000 sessions", sessions: 100_000, capacity: 131_072, ..Self::USUAL },
    ];

    const USUAL: Mixture = Mixture { name: "", sessions: 10_000, capacity: 65_536, holder: Holder::Store };

    /// The sessions it uses; create them only once.
    ///
    /// # Errors
    /// Same as [`Sample::new`].
    pub fn sessions(&self) -> Fallible<Vec<Stored>> {
        let stored = |number| Sample::new(number, 1_024).map(|sample| (sample.id, Arc::new(sample.session)));
        (0..self.sessions).map(stored).collect()
    }

    /// Fills a holder and runs two threads on it.
    ///
    /// # Errors
    /// If the system refuses a thread or a clock.
    pub fn measure(&self, sessions: &[Stored]) -> Fallible<Measured> {
        match self.holder {
            Holder::Store => hold(&self.store(), sessions),
            Holder::Trait => {
                let store = self.store();
                fill(&store, sessions);
                race(sessions.len(), |picks| through_trait(&store, sessions, picks))
            }
            Holder::Moka => {
                let cache = Cache::builder().max_capacity(self.capacity as u64).time_to_idle(TTL);
                hold(&cache.build(), sessions)
            }
            Holder::DashMap => hold(&DashMap::new(), sessions),
        }
    }

    fn store(&self) -> MemoryStore<TriviaSession> {
        MemoryStore::new(MemoryConfig { capacity: Some(self.capacity), ..MemoryConfig::default() })
    }
}

fn fill(holder: &impl Holds, sessions: &[Stored]) {
    sessions.iter().for_each(|(id, data)| holder.write(id, data));
}

fn hold(holder: &impl Holds, sessions: &[Stored]) -> Fallible<Measured> {
    fill(holder, sessions);
    race(sessions.len(), |picks| {
        for (at, write) in picks {
            let (id, data) = &sessions[at];
            if write {
                holder.write(id, data);
            } else {
                std::hint::black_box(holder.read(id));
            }
        }
        Ok(())
    })
}

/// Runs `work` on each thread with its own picks from `of` sessions.
fn race(of: usize, work: impl Fn(std::iter::Take<Picks>) -> Fallible<()> + Sync) -> Fallible<Measured> {
    let start = Barrier::new(THREADS);
    let drive = |thread: usize| {
        start.wait();
        let (began, cpu_before) = (Instant::now(), cpu()?);
        work(Picks { state: thread as u64 + 1, of }.take(OPERATIONS))?;
        Fallible::Ok((began, Instant::now(), cpu()? - cpu_before))
    };
    let drive = &drive;
    let ends = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || drive(thread))).collect();
        let joined = threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?);
        joined.collect::<Fallible<Vec<_>>>()
    })?;
    let operations = (THREADS * OPERATIONS) as f64;
    let began = ends.iter().map(|end| end.0).min().ok_or("no thread ran")?;
    let ended = ends.iter().map(|end| end.1).max().ok_or("no thread ran")?;
    let cpu: Duration = ends.iter().map(|end| end.2).sum();
    Ok(Measured {
        per_second: operations / (ended - began).as_secs_f64(),
        cpu_nanos: cpu.as_secs_f64() * 1e9 / operations,
    })
}

fn through_trait(
    store: &MemoryStore<TriviaSession>,
    sessions: &[Stored],
    picks: impl Iterator<Item = (usize, bool)>,
) -> Fallible<()> {
    Builder::new_current_thread().build()?.block_on(async {
        for (at, write) in picks {
            let (id, data) = &sessions[at];
            if write {
                store.put(id, TriviaSession::clone(data), TTL).await?;
            } else {
                std::hint::black_box(store.get(id, TTL).await?);
            }
        }
        Ok(())
    })
}

/// A reproducible stream of sessions, each with whether to write it (SplitMix64).
struct Picks {
    state: u64,
    of: usize,
}

impl Iterator for Picks {
    type Item = (usize, bool);

    fn next(&mut self) -> Option<Self::Item> {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        Some(((z >> 32) as usize % self.of, (z as u32).is_multiple_of(10)))
    }
}

fn cpu() -> Fallible<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

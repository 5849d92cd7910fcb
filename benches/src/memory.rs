//! `MemoryStore` under two threads that read nine times out of ten, with lifetimes, sliding expiry and a bound.

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use firedrill_storage::{MemoryConfig, MemoryStore, SessionId, SessionStore, TriviaSession};
use nix::time::{ClockId, clock_gettime};
use tokio::runtime::Builder;

use crate::Fallible;
use crate::sample::{Sample, TTL};

const THREADS: usize = 2;
/// Operations of one thread in one turn.
const OPERATIONS: usize = 300_000;

/// A session and what is stored for it.
pub type Stored = (SessionId, Arc<TriviaSession>);

/// What the threads do.
pub struct Mixture {
    /// Its name.
    pub name: &'static str,
    /// Sessions used, all equally often.
    sessions: u32,
    /// Most sessions held.
    capacity: usize,
    /// Through the trait, which copies what it reads and boxes its futures.
    through_trait: bool,
}

/// What one turn came to.
#[derive(Clone, Copy)]
pub struct Measured {
    /// Operations per second of both threads together.
    pub per_second: f64,
    /// Processor time of an operation, in nanoseconds.
    pub cpu_nanos: f64,
}

impl Mixture {
    /// All of them. Where the bound is reached, one session in five is always missing and most writes evict another.
    pub const ALL: [Mixture; 4] = [
        Mixture { name: "10,000 sessions", sessions: 10_000, capacity: 65_536, through_trait: false },
        Mixture { name: "10,000 sessions, by the trait", sessions: 10_000, capacity: 65_536, through_trait: true },
        Mixture { name: "10,000 sessions, bound of 8,000", sessions: 10_000, capacity: 8_000, through_trait: false },
        Mixture { name: "100,000 sessions", sessions: 100_000, capacity: 131_072, through_trait: false },
    ];

    /// The sessions it uses, to be made once.
    ///
    /// # Errors
    /// As [`Sample::new`].
    pub fn sessions(&self) -> Fallible<Vec<Stored>> {
        let stored = |number| Sample::new(number, 1_024).map(|sample| (sample.id, Arc::new(sample.session)));
        (0..self.sessions).map(stored).collect()
    }

    /// Fills a store and lets two threads loose on it.
    ///
    /// # Errors
    /// Where the system refuses a thread or a clock.
    pub fn measure(&self, sessions: &[Stored]) -> Fallible<Measured> {
        let store = MemoryStore::new(MemoryConfig { capacity: Some(self.capacity), ..MemoryConfig::default() });
        for (id, data) in sessions {
            store.write(id, Arc::clone(data), TTL);
        }
        let start = Barrier::new(THREADS);
        let drive = |thread: usize| {
            start.wait();
            let began = (Instant::now(), cpu()?);
            let picks = Picks { state: thread as u64 + 1, of: sessions.len() }.take(OPERATIONS);
            if self.through_trait {
                through_trait(&store, sessions, picks)?;
            } else {
                directly(&store, sessions, picks);
            }
            Fallible::Ok((began.0, Instant::now(), cpu()? - began.1))
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
}

fn directly(store: &MemoryStore<TriviaSession>, sessions: &[Stored], picks: impl Iterator<Item = (usize, bool)>) {
    for (at, write) in picks {
        let (id, data) = &sessions[at];
        if write {
            store.write(id, Arc::clone(data), TTL);
        } else {
            std::hint::black_box(store.read(id, TTL));
        }
    }
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

/// A repeatable stream of sessions, and whether each is to be written (SplitMix64).
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

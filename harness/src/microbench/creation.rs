//! Measures the creation of a store.

use std::time::{Duration, Instant};

use firedrill_storage::{MemoryStore, StoreBuilder, TriviaSession};

use super::error::MicrobenchError;
use super::site::Site;

/// The number of stores created, one after another.
const ROUNDS: usize = 50;

/// Creates stores in Redis with the default policy, without waiting for Redis: `connect` measures that.
pub(super) fn in_redis(site: &Site) -> Result<Vec<Duration>, MicrobenchError> {
    (0..ROUNDS)
        .map(|_| {
            let settings = StoreBuilder { prefix: site.prefix.clone(), ..StoreBuilder::new(site.url.expose()) };
            let begun = Instant::now();
            let store = settings.build::<TriviaSession>()?;
            let time = begun.elapsed();
            drop(store);
            Ok(time)
        })
        .collect()
}

/// Creates stores in memory.
pub(super) fn in_memory() -> Vec<Duration> {
    let time = || {
        let begun = Instant::now();
        let store = MemoryStore::<TriviaSession>::default();
        let time = begun.elapsed();
        drop(store);
        time
    };
    (0..ROUNDS).map(|_| time()).collect()
}

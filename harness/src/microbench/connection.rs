//! Measures connecting and disconnecting.

use std::time::{Duration, Instant};

use firedrill_storage::{RedisStore, TriviaSession};

use super::error::MicrobenchError;
use super::site::Site;
use crate::lab::RedisUrl;

/// The number of stores connected, one after another.
const ROUNDS: usize = 20;

/// How long to wait for a connection to close.
const PATIENCE: Duration = Duration::from_secs(5);

impl Site {
    async fn connected(&self, url: &RedisUrl) -> Result<RedisStore<TriviaSession>, MicrobenchError> {
        let store = RedisStore::builder(url.expose()).prefix(self.prefix.clone()).build()?;
        store.connect().await?;
        Ok(store)
    }
}

/// The time until a new store's first PING is answered.
pub(super) async fn connect(site: &Site) -> Result<Vec<Duration>, MicrobenchError> {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let _store = site.connected(&site.url).await?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// The time from dropping a store until none of its connections to the proxy in front of Redis is left.
pub(super) async fn disconnect(site: &Site) -> Result<Vec<Duration>, MicrobenchError> {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let before = site.proxy.stats().open;
        let store = site.connected(&site.proxied).await?;
        let begun = Instant::now();
        drop(store);
        while site.proxy.stats().open > before {
            if begun.elapsed() > PATIENCE {
                return Err(MicrobenchError::Never("the store was dropped and its connection stays open"));
            }
            tokio::task::yield_now().await;
        }
        times.push(begun.elapsed());
    }
    Ok(times)
}

//! Connecting and disconnecting.

use std::time::{Duration, Instant};

use firedrill_storage::{RedisStore, TriviaSession};

use super::error::ClaimError;
use super::site::Site;
use crate::lab::RedisUrl;

/// Stores that are connected one after the other.
const ROUNDS: usize = 20;

/// A connection that is not gone by then is said never to go.
const PATIENCE: Duration = Duration::from_secs(5);

impl Site {
    async fn connected(&self, url: &RedisUrl) -> Result<RedisStore<TriviaSession>, ClaimError> {
        let store = RedisStore::builder(url.expose()).prefix(self.prefix.clone()).build()?;
        store.connect().await?;
        Ok(store)
    }
}

/// How long a new store takes until its first PING is answered.
pub(super) async fn connect(site: &Site) -> Result<Vec<Duration>, ClaimError> {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let _store = site.connected(&site.url).await?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// How long it takes after dropping a store until the proxy in front of Redis has no connection of it.
pub(super) async fn disconnect(site: &Site) -> Result<Vec<Duration>, ClaimError> {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let before = site.proxy.stats().open;
        let store = site.connected(&site.proxied).await?;
        let begun = Instant::now();
        drop(store);
        while site.proxy.stats().open > before {
            if begun.elapsed() > PATIENCE {
                return Err(ClaimError::Never("the store was dropped and its connection stays open"));
            }
            tokio::task::yield_now().await;
        }
        times.push(begun.elapsed());
    }
    Ok(times)
}

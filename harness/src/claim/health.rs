//! The health question, with Redis there and with Redis off the network.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill_storage::{HealthStatus, SessionStore, StoreBuilder, TriviaSession};

use super::error::ClaimError;
use super::site::Site;

/// Questions asked while Redis is there.
const HEALTHY_ROUNDS: usize = 50;

/// Stores that are asked while it is away: each may take its whole deadline.
const DEGRADED_ROUNDS: usize = 10;

/// A store that is not as expected by then is said never to be.
const PATIENCE: Duration = Duration::from_secs(10);

impl Site {
    /// A store with the default policy that reaches Redis through the proxy.
    async fn behind_proxy(&self) -> Result<Arc<dyn SessionStore<TriviaSession>>, ClaimError> {
        let settings = StoreBuilder { prefix: self.prefix.clone(), ..StoreBuilder::new(self.proxied.expose()) };
        let store = settings.build::<TriviaSession>()?.store;
        let begun = Instant::now();
        while store.health().await.status != HealthStatus::Connected {
            if begun.elapsed() > PATIENCE {
                return Err(ClaimError::Never("the store never was healthy"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(store)
    }
}

/// Health of a store whose Redis is there.
pub(super) async fn healthy(site: &Site) -> Result<Vec<Duration>, ClaimError> {
    let store = site.behind_proxy().await?;
    let mut times = Vec::with_capacity(HEALTHY_ROUNDS);
    for _ in 0..HEALTHY_ROUNDS {
        let begun = Instant::now();
        let health = store.health().await;
        times.push(begun.elapsed());
        if health.status != HealthStatus::Connected {
            return Err(ClaimError::Never("the store was not healthy all the time"));
        }
    }
    Ok(times)
}

/// Health of a store whose Redis has just gone: the first question is the one that may have to wait, so each is asked of a
/// store of its own.
pub(super) async fn degraded(site: &Site) -> Result<Vec<Duration>, ClaimError> {
    let mut times = Vec::with_capacity(DEGRADED_ROUNDS);
    for _ in 0..DEGRADED_ROUNDS {
        let store = site.behind_proxy().await?;
        site.proxy.set_enabled(false).await?;
        let begun = Instant::now();
        let health = store.health().await;
        times.push(begun.elapsed());
        site.proxy.set_enabled(true).await?;
        if health.status == HealthStatus::Connected {
            return Err(ClaimError::Never("the store said that Redis is there when it was not"));
        }
    }
    Ok(times)
}

//! Measures health checks, with Redis up and with Redis off the network.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill_storage::{AppendStore, HealthStatus, StoreBuilder, TriviaSession};

use super::error::MicrobenchError;
use super::site::Site;

/// The number of health checks while Redis is up.
const HEALTHY_ROUNDS: usize = 50;

/// The number of stores checked while Redis is away: each check may take its whole deadline.
const DEGRADED_ROUNDS: usize = 10;

/// How long to wait for a healthy store.
const PATIENCE: Duration = Duration::from_secs(10);

impl Site {
    /// A store with the default policy that reaches Redis through the proxy.
    async fn behind_proxy(&self) -> Result<Arc<dyn AppendStore<TriviaSession>>, MicrobenchError> {
        let settings = StoreBuilder { prefix: self.prefix.clone(), ..StoreBuilder::new(self.proxied.expose()) };
        let store = settings.build::<TriviaSession>()?.store;
        let begun = Instant::now();
        while store.health().await.status != HealthStatus::Connected {
            if begun.elapsed() > PATIENCE {
                return Err(MicrobenchError::Never("the store never became healthy"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(store)
    }
}

/// Measures the health check of a store whose Redis is up.
pub(super) async fn healthy(site: &Site) -> Result<Vec<Duration>, MicrobenchError> {
    let store = site.behind_proxy().await?;
    let mut times = Vec::with_capacity(HEALTHY_ROUNDS);
    for _ in 0..HEALTHY_ROUNDS {
        let begun = Instant::now();
        let health = store.health().await;
        times.push(begun.elapsed());
        if health.status != HealthStatus::Connected {
            return Err(MicrobenchError::Never("the store was not healthy all the time"));
        }
    }
    Ok(times)
}

/// Measures the health check of a store whose Redis has just gone away. Only a store's first check may have to wait, so
/// each uses a new store.
pub(super) async fn degraded(site: &Site) -> Result<Vec<Duration>, MicrobenchError> {
    let mut times = Vec::with_capacity(DEGRADED_ROUNDS);
    for _ in 0..DEGRADED_ROUNDS {
        let store = site.behind_proxy().await?;
        site.proxy.set_enabled(false).await?;
        let begun = Instant::now();
        let health = store.health().await;
        times.push(begun.elapsed());
        site.proxy.set_enabled(true).await?;
        if health.status == HealthStatus::Connected {
            return Err(MicrobenchError::Never("the store reported a connection to Redis while Redis was away"));
        }
    }
    Ok(times)
}

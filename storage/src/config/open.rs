//! Turns settings into a store (T4), and says which storage it uses, whether it is degraded, and whether Redis is
//! healthy.

use std::sync::Arc;
use std::time::Duration;

use super::{MemoryReason, Place, Start, StoreConfig};
use crate::builder::BuiltStore;
use crate::data::SessionData;
use crate::event::EventSink;
use crate::health::HealthReport;
use crate::memory::{MemoryConfig, MemoryStore};
use crate::metrics::{self, Metered};
use crate::redis_store::BuildError;
use crate::store::AppendStore;

/// Why a store could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The settings cannot be used.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Redis had to answer before the start, but did not.
    #[error("Redis did not answer at startup ({reason}); REDIS_CONNECT=lazy starts without it")]
    NoRedis {
        /// The reason, without addresses or credentials.
        reason: String,
    },
}

/// An opened store.
pub struct OpenStore<D: SessionData> {
    /// The store.
    pub store: Arc<dyn AppendStore<D>>,
    redis: Result<BuiltStore<D>, MemoryReason>,
}

impl StoreConfig {
    /// Sends the events of the store to `events`; a store in memory has none.
    pub fn report_to(&mut self, events: EventSink) {
        if let Place::Redis(builder, _) = &mut self.place {
            builder.events = events;
        }
    }

    /// Opens the store inside the current tokio runtime.
    pub async fn open<D: SessionData>(&self) -> Result<OpenStore<D>, OpenError> {
        let (builder, start) = match &self.place {
            Place::Memory(reason) => return Ok(self.in_memory(reason.clone())),
            Place::Redis(builder, start) => (builder, *start),
        };
        let built = builder.as_ref().clone().build::<D>()?;
        if start == Start::Lazy {
            return Ok(OpenStore::in_redis(built));
        }
        match (built.connect().await, start) {
            (Ok(()), _) => Ok(OpenStore::in_redis(built)),
            (Err(error), Start::OrMemory) => Ok(self.in_memory(MemoryReason::NoRedis(error.to_string()))),
            (Err(error), _) => Err(OpenError::NoRedis { reason: error.to_string() }),
        }
    }

    fn in_memory<D: SessionData>(&self, reason: MemoryReason) -> OpenStore<D> {
        match &reason {
            MemoryReason::Forced => tracing::info!("sessions live in memory, as asked for; a restart ends them"),
            MemoryReason::NoAddress => {
                tracing::warn!(
                    "sessions live in memory, because neither REDIS_URL nor REDIS_HOST is set; \
                     a restart ends them"
                );
            }
            MemoryReason::NoRedis(why) => {
                tracing::warn!(why, "Redis did not answer: sessions live in memory until the next start");
            }
        }
        let config = MemoryConfig { capacity: self.memory_capacity, sliding: self.sliding, ..MemoryConfig::default() };
        let memory = Arc::new(MemoryStore::<D>::new(config));
        memory.clean_every(self.cleanup_every, &tokio::runtime::Handle::current());
        OpenStore { store: metered(memory), redis: Err(reason) }
    }
}

fn metered<D: SessionData>(store: Arc<dyn AppendStore<D>>) -> Arc<dyn AppendStore<D>> {
    Arc::new(Metered::new(store))
}

impl<D: SessionData> OpenStore<D> {
    fn in_redis(built: BuiltStore<D>) -> Self {
        Self { store: metered(Arc::clone(&built.store)), redis: Ok(built) }
    }

    /// The storage in use: `redis` or `memory`.
    pub fn storage(&self) -> &'static str {
        if self.redis.is_ok() { "redis" } else { "memory" }
    }

    /// Why sessions live in memory; `None` if they live in Redis.
    pub fn memory_reason(&self) -> Option<&MemoryReason> {
        self.redis.as_ref().err()
    }

    /// Whether the service is degraded: memory instead of Redis, or an active fallback.
    pub fn is_degraded(&self) -> bool {
        match &self.redis {
            Ok(built) => built.fallback_stats().active,
            Err(reason) => *reason != MemoryReason::Forced,
        }
    }

    /// Waits at most `within` until Redis has everything that only this process knows, and returns how many sessions
    /// and deletions are left ([`BuiltStore::flush`]). Sessions that live in memory for good do not count. Exports the
    /// number to the installed `metrics` recorder.
    pub async fn flush(&self, within: Duration) -> u64 {
        let unsaved = match &self.redis {
            Ok(built) => built.flush(within).await,
            Err(_) => 0,
        };
        metrics::publish_unsaved(unsaved);
        unsaved
    }

    /// Exports the counts of connections and fallback to the installed `metrics` recorder. Call it before reading the
    /// recorder.
    pub fn publish_metrics(&self) {
        if let Ok(built) = &self.redis {
            metrics::publish(&built.connections(), &built.fallback_stats(), &built.breaker_stats());
        }
    }

    /// The store's health in every form. Returns within the health deadline.
    pub async fn health(&self) -> HealthReport {
        HealthReport::new(self.storage(), self.is_degraded(), self.store.health().await)
    }

    /// Whether there is a connection to Redis now. Never waits.
    pub fn is_redis_connected(&self) -> bool {
        self.redis.as_ref().is_ok_and(|built| built.connections().connected)
    }
}

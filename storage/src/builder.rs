//! One call from settings to a store: what a service, and the harness, need most of the time.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, MonotonicClock};
use crate::data::SessionData;
use crate::error::StoreError;
use crate::event::EventSink;
use crate::fallback::{Fallback, FallbackConfig, FallbackStats, Policy};
use crate::redis_store::{BuildError, Deployment, RedisStore, TlsOptions};
use crate::store::SessionStore;

/// Settings of a store in Redis with a failure policy; start from [`StoreBuilder::new`] and change what is to differ.
#[derive(Clone)]
pub struct StoreBuilder {
    /// `redis[s]://[[user]:password@]host[:port][/db]`.
    pub redis_url: String,
    /// What every key begins with.
    pub prefix: String,
    /// What happens while Redis is away.
    pub policy: Policy,
    /// The deadline of every call.
    pub command_timeout: Duration,
    /// The deadline of one attempt to connect.
    pub connect_timeout: Duration,
    /// The longest pause between attempts to connect.
    pub reconnect_max: Duration,
    /// Most sessions kept in memory for an outage. A trivia session takes about as much memory as its JSON.
    pub warm_capacity: usize,
    /// Whether a read lets a session live anew.
    pub sliding: bool,
    /// How connections are secured.
    pub tls: TlsOptions,
    /// How Redis is run.
    pub deployment: Deployment,
    /// Told of every fallback activation. Called from within operations: must not block.
    pub events: EventSink,
    /// The clock for expiry in memory.
    pub clock: Arc<dyn Clock>,
}

/// A store as it was built, and a way to look at its fallback.
pub struct BuiltStore<D: SessionData> {
    /// The store.
    pub store: Arc<dyn SessionStore<D>>,
    behind: Behind<D>,
}

/// The store as its own type, to ask it what the interface does not tell.
enum Behind<D: SessionData> {
    Redis(Arc<RedisStore<D>>),
    Fallback(Arc<Fallback<D>>),
}

impl StoreBuilder {
    /// A store at this URL with policy `drain`, prefix `session:`, deadlines of 5 s per call and 2 s to connect, at most
    /// 1 s between attempts, 4,096 sessions in memory, sliding expiry and nobody told of events.
    pub fn new(redis_url: impl Into<String>) -> Self {
        Self {
            redis_url: redis_url.into(),
            prefix: "session:".to_owned(),
            policy: Policy::default(),
            command_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            reconnect_max: Duration::from_secs(1),
            warm_capacity: 4_096,
            sliding: true,
            tls: TlsOptions::default(),
            deployment: Deployment::default(),
            events: Arc::new(|_| {}),
            clock: Arc::new(MonotonicClock::default()),
        }
    }

    /// Builds the store. Does not wait for Redis; must be called inside the tokio runtime that its connection and its
    /// background tasks are to live on. Its calls may then come from any runtime.
    pub fn build<D: SessionData>(self) -> Result<BuiltStore<D>, BuildError> {
        let redis = RedisStore::<D>::builder(&self.redis_url)
            .prefix(self.prefix)
            .command_timeout(self.command_timeout)
            .connect_timeout(self.connect_timeout)
            .reconnect(Duration::from_millis(50).min(self.reconnect_max), self.reconnect_max)
            .sliding(self.sliding)
            .tls(self.tls)
            .deployment(self.deployment)
            .build()?;
        let forget = match self.policy {
            Policy::FailFast => {
                let redis = Arc::new(redis);
                return Ok(BuiltStore { store: Arc::clone(&redis) as _, behind: Behind::Redis(redis) });
            }
            Policy::Degrade => true,
            Policy::Drain => false,
        };
        let config = FallbackConfig {
            forget,
            capacity: self.warm_capacity,
            sliding: self.sliding,
            events: self.events,
            clock: self.clock,
        };
        let fallback = Arc::new(Fallback::new(redis, config));
        Ok(BuiltStore { store: Arc::clone(&fallback) as _, behind: Behind::Fallback(fallback) })
    }
}

impl<D: SessionData> BuiltStore<D> {
    /// The counters of the fallback; all zero under a policy without one.
    pub fn fallback_stats(&self) -> FallbackStats {
        match &self.behind {
            Behind::Fallback(fallback) => fallback.stats(),
            Behind::Redis(_) => FallbackStats::default(),
        }
    }

    /// Waits for the first connection and its PING, at most the connect deadline: for a start that must not go on without Redis.
    pub async fn connect(&self) -> Result<(), StoreError> {
        self.redis().connect().await
    }

    /// Whether there is a connection to Redis now. Never waits.
    pub fn is_connected(&self) -> bool {
        self.redis().is_connected()
    }

    fn redis(&self) -> &RedisStore<D> {
        match &self.behind {
            Behind::Redis(redis) => redis,
            Behind::Fallback(fallback) => fallback.redis(),
        }
    }
}

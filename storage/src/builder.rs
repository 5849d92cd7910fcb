//! From settings to a store in one call: all that a service or the harness usually needs.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::breaker::{BreakerConfig, BreakerStats};
use crate::cleanup;
use crate::clock::{Clock, MonotonicClock};
use crate::data::SessionData;
use crate::error::StoreError;
use crate::event::EventSink;
use crate::fallback::{Fallback, FallbackConfig, FallbackStats, Switchable};
use crate::keyring::KeyRing;
use crate::limits::{Limits, limited};
use crate::memory::{MemoryConfig, MemoryStore};
use crate::network::{Network, Randomness};
use crate::planted::{self, Hooks, UnknownDefect};
use crate::policy::Policy;
use crate::redis_store::{
    BuildError, ConnectionStats, Deployment, PasswordSource, RedisStore, RetryProfile, TlsOptions,
};
use crate::scoped::scoped;
use crate::store::AppendStore;

/// Settings of a store in Redis with a failure policy. Start from [`StoreBuilder::new`] and change what should differ.
#[derive(Clone)]
pub struct StoreBuilder {
    /// `redis[s]://[[user]:password@]host[:port][/db]`.
    pub redis_url: String,
    /// The beginning of every key.
    pub prefix: String,
    /// What happens while Redis is away.
    pub policy: Policy,
    /// The deadline of every call.
    pub command_timeout: Duration,
    /// The deadline of one attempt to connect.
    pub connect_timeout: Duration,
    /// The longest pause between attempts to connect, if shorter than the retry profile's.
    pub reconnect_max: Duration,
    /// How to retry connections, and calls that certainly had no effect.
    pub retry: RetryProfile,
    /// Maximum number of sessions in memory for an outage. A trivia session takes about as much memory as its JSON.
    pub warm_capacity: usize,
    /// Whether a read restarts a session's lifetime.
    pub sliding: bool,
    /// An absolute timeout, how often reads extend a session, and how many sessions a user may have; by default none of
    /// these.
    pub limits: Limits,
    /// Encrypts every session with these keys; `None`: sessions are stored in plain text.
    pub keyring: Option<Arc<KeyRing>>,
    /// How connections are secured.
    pub tls: TlsOptions,
    /// How Redis is deployed.
    pub deployment: Deployment,
    /// How streams to the servers are opened; `None`: by TCP.
    pub network: Option<Arc<dyn Network>>,
    /// Where each new connection gets its password, if that changes while the store runs; `None`: from the URL.
    pub password: Option<PasswordSource>,
    /// The source of jitter for pauses.
    pub randomness: Randomness,
    /// Receives every fallback activation, and unreadable values. Called from within operations, so it must not block.
    pub events: EventSink,
    /// The clock for expiry in memory.
    pub clock: Arc<dyn Clock>,
    /// How often expired sessions are dropped from memory, by the clock; `None`: never, so their memory is freed only
    /// when it makes room for others.
    pub cleanup_every: Option<Duration>,
    /// A circuit breaker in front of Redis; `None`: none.
    pub breaker: Option<BreakerConfig>,
    /// A planted defect, set by [`StoreBuilder::planted`]: none in a build that is shipped.
    pub planted: Hooks,
}

/// A built store, and access to its internals.
pub struct BuiltStore<D: SessionData> {
    /// The store.
    pub store: Arc<dyn AppendStore<D>>,
    inside: Inside<D>,
}

/// The store as its own type, for what the interface does not offer.
enum Inside<D: SessionData> {
    Redis(Arc<RedisStore<D>>),
    Memory(Arc<MemoryStore<D>>),
    Fallback(Arc<Fallback<D>>),
}

impl StoreBuilder {
    /// A store at this URL with policy `drain`, prefix `session:`, deadlines of 5 s per call and 2 s to connect, at
    /// most 1 s between attempts, 4,096 sessions in memory, sliding expiry, a cleanup of memory every 5 minutes, no
    /// circuit breaker, no encryption and no event callback.
    pub fn new(redis_url: impl Into<String>) -> Self {
        Self {
            redis_url: redis_url.into(),
            prefix: "session:".to_owned(),
            policy: Policy::default(),
            command_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            reconnect_max: Duration::MAX,
            retry: RetryProfile::default(),
            warm_capacity: 4_096,
            sliding: true,
            limits: Limits::default(),
            keyring: None,
            tls: TlsOptions::default(),
            deployment: Deployment::default(),
            network: None,
            password: None,
            randomness: Randomness::default(),
            events: Arc::new(|_| {}),
            clock: Arc::new(MonotonicClock::default()),
            cleanup_every: Some(cleanup::INTERVAL),
            breaker: None,
            planted: Hooks::default(),
        }
    }

    /// Plants a defect in the store, to see that a test finds it. Only a build with the feature `planted` has any.
    ///
    /// # Errors
    /// If there is no defect of this name.
    pub fn planted(self, name: &str) -> Result<Self, UnknownDefect> {
        Ok(Self { planted: Hooks::of(planted::find(name)?), ..self })
    }

    /// Builds the store without waiting for Redis. Call it inside a tokio runtime, on which the connection and the
    /// background tasks will live; calls may then come from any runtime. Under `memory` the URL is ignored and no
    /// runtime is needed, but without one the caller must run the cleanup.
    pub fn build<D: SessionData>(self) -> Result<BuiltStore<D>, BuildError> {
        let (planted, limits, clock) = (self.planted, self.limits, Arc::clone(&self.clock));
        let built = planted.during(|| self.assembled())?;
        Ok(BuiltStore { store: limited(scoped(built.store, planted), limits, clock), ..built })
    }

    fn assembled<D: SessionData>(self) -> Result<BuiltStore<D>, BuildError> {
        let rules = self.policy.rules();
        match (rules.uses_redis, rules.takes_over) {
            (false, _) => {
                let config = MemoryConfig {
                    capacity: Some(self.warm_capacity),
                    sliding: self.sliding,
                    clock: self.clock,
                    events: self.events,
                };
                let memory = Arc::new(MemoryStore::new(config));
                if let (Some(interval), Ok(runtime)) = (self.cleanup_every, Handle::try_current()) {
                    memory.clean_every(interval, &runtime);
                }
                Ok(BuiltStore { store: Arc::clone(&memory) as Arc<dyn AppendStore<D>>, inside: Inside::Memory(memory) })
            }
            (true, false) => {
                let redis = Arc::new(self.redis()?);
                Ok(BuiltStore { store: Arc::clone(&redis) as Arc<dyn AppendStore<D>>, inside: Inside::Redis(redis) })
            }
            (true, true) => {
                let fallback = Arc::new(self.fallback()?);
                let store = Arc::clone(&fallback) as Arc<dyn AppendStore<D>>;
                Ok(BuiltStore { store, inside: Inside::Fallback(fallback) })
            }
        }
    }

    /// Builds a store whose policy can be changed under traffic. It keeps a connection to Redis under every policy, so
    /// that a switch takes no time; under `memory` it sends nothing over it. Otherwise like
    /// [`build`](StoreBuilder::build).
    pub fn build_switchable<D: SessionData>(self) -> Result<Switchable<D>, BuildError> {
        let (planted, limits, clock) = (self.planted, self.limits, Arc::clone(&self.clock));
        let fallback = Arc::new(planted.during(|| self.fallback())?);
        let store = scoped(Arc::clone(&fallback) as Arc<dyn AppendStore<D>>, planted);
        Ok(Switchable::new(fallback, limited(store, limits, clock), planted))
    }

    fn redis<D: SessionData>(&self) -> Result<RedisStore<D>, BuildError> {
        RedisStore::<D>::builder(&self.redis_url)
            .prefix(self.prefix.clone())
            .command_timeout(self.command_timeout)
            .connect_timeout(self.connect_timeout)
            .retry(self.retry.at_most(self.reconnect_max))
            .sliding(self.sliding)
            .keyring(self.keyring.clone())
            .events(Arc::clone(&self.events))
            .breaker(self.breaker)
            .tls(self.tls.clone())
            .deployment(self.deployment.clone())
            .network(self.network.clone())
            .password(self.password.clone())
            .randomness(self.randomness.clone())
            .hear_of_destroyed(self.policy.rules().takes_over)
            .build()
    }

    fn fallback<D: SessionData>(self) -> Result<Fallback<D>, BuildError> {
        let redis = self.redis()?;
        let config = FallbackConfig {
            policy: self.policy,
            capacity: self.warm_capacity,
            sliding: self.sliding,
            events: self.events,
            clock: self.clock,
        };
        let fallback = Fallback::new(redis, config);
        if let Some(interval) = self.cleanup_every {
            fallback.clean_every(interval);
        }
        Ok(fallback)
    }
}

impl<D: SessionData> BuiltStore<D> {
    /// The counters of the fallback. Without a fallback all are zero, except that `memory` counts what its bound
    /// evicts.
    pub fn fallback_stats(&self) -> FallbackStats {
        match &self.inside {
            Inside::Fallback(fallback) => fallback.stats(),
            Inside::Redis(_) => FallbackStats::default(),
            Inside::Memory(memory) => {
                FallbackStats { kept: memory.held(), evicted_sessions: memory.evicted(), ..FallbackStats::default() }
            }
        }
    }

    /// The counters of the circuit breaker; all zero if there is none.
    pub fn breaker_stats(&self) -> BreakerStats {
        match &self.inside {
            Inside::Redis(redis) => redis.breaker_stats(),
            Inside::Fallback(fallback) => fallback.redis().breaker_stats(),
            Inside::Memory(_) => BreakerStats::default(),
        }
    }

    /// Waits at most `within` until Redis has everything that only this process knows, and returns how many sessions
    /// and deletions Redis still lacks ([`Fallback::flush`]). Call it before the process ends. Under `memory` every
    /// session in memory counts; under `fail-fast` the result is 0.
    pub async fn flush(&self, within: Duration) -> u64 {
        match &self.inside {
            Inside::Fallback(fallback) => fallback.flush(within).await,
            Inside::Redis(_) => 0,
            Inside::Memory(memory) => memory.held(),
        }
    }

    /// Flushes like [`flush`](BuiltStore::flush), then ends the store with its connection and tasks once nobody else
    /// holds it.
    pub async fn close(self, within: Duration) -> u64 {
        self.flush(within).await
    }

    /// Waits for the first connection and its PING, at most the connect deadline: for a process that must not start
    /// without Redis. Under `memory` there is nothing to wait for.
    pub async fn connect(&self) -> Result<(), StoreError> {
        match self.redis() {
            Some(redis) => redis.connect().await,
            None => Ok(()),
        }
    }

    /// The connections to Redis so far; none under `memory`. Never waits.
    pub fn connections(&self) -> ConnectionStats {
        self.redis().map(RedisStore::connections).unwrap_or_default()
    }

    fn redis(&self) -> Option<&RedisStore<D>> {
        match &self.inside {
            Inside::Redis(redis) => Some(redis),
            Inside::Fallback(fallback) => Some(fallback.redis()),
            Inside::Memory(_) => None,
        }
    }
}

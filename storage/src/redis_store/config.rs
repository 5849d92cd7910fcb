//! How to set up a [`RedisStore`]. Building never waits and never fails because Redis is away: the first connection is
//! made in the background.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use tokio::runtime::Handle;

use super::build_error::BuildError;
use super::cluster::{Cluster, ClusterConfig};
use super::codec::Codec;
use super::connector::{Connector, Place};
use super::deployment::{Deployment, DeploymentError};
use super::dial::{PasswordSource, Url};
use super::index::IndexAges;
use super::key_names::{self, KeyNames};
use super::link::{Counts, Link, Pace};
use super::news::News;
use super::retry::RetryProfile;
use super::sentinel::{self, Sentinels};
use super::servers::{Reach, Servers};
use super::store::RedisStore;
use super::tls::TlsOptions;
use crate::breaker::{Breaker, BreakerConfig};
use crate::data::SessionData;
use crate::event::EventSink;
use crate::keyring::KeyRing;
use crate::network::{Network, Randomness};
use crate::outage::OutageLog;

/// Builds a [`RedisStore`]; see the methods for the defaults.
pub struct RedisBuilder<D> {
    pub(super) url: String,
    pub(super) prefix: String,
    pub(super) command_timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) health_timeout: Duration,
    pub(super) pace: Pace,
    pub(super) sliding: bool,
    pub(super) breaker: Option<BreakerConfig>,
    pub(super) keyring: Option<Arc<KeyRing>>,
    pub(super) events: EventSink,
    pub(super) tls: TlsOptions,
    pub(super) deployment: Deployment,
    pub(super) network: Option<Arc<dyn Network>>,
    password: Option<PasswordSource>,
    pub(super) hears_of_destroyed: bool,
    data: PhantomData<fn() -> D>,
}

impl<D: SessionData> RedisBuilder<D> {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            prefix: "session:".to_owned(),
            command_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            health_timeout: Duration::from_secs(1),
            pace: Pace {
                retry: RetryProfile::default(),
                grace: Duration::from_millis(100),
                randomness: Randomness::default(),
            },
            sliding: true,
            breaker: None,
            keyring: None,
            events: Arc::new(|_| {}),
            tls: TlsOptions::default(),
            deployment: Deployment::default(),
            network: None,
            password: None,
            hears_of_destroyed: false,
            data: PhantomData,
        }
    }

    /// The beginning of every key. Default: `session:`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The deadline of every call, including the wait for a connection. Default: 5 s.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// The deadline of one attempt to connect, up to the server's proof that it is ready. Default: 2 s. After a network
    /// that swallowed packets has healed, the next attempt only starts once this deadline ends the current one.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The deadline of [`health`](crate::SessionStore::health). Default: 1 s.
    pub fn health_timeout(mut self, timeout: Duration) -> Self {
        self.health_timeout = timeout;
        self
    }

    /// The first and the longest pause between attempts to connect; pauses double from one to the other, with jitter.
    /// Default: 50 ms and 1 s. Recovery waits for such a pause, and a short one costs only a small handshake.
    pub fn reconnect(self, min: Duration, max: Duration) -> Self {
        self.retry(RetryProfile::doubling(min, max.max(min)))
    }

    /// How to retry connections, and calls that certainly had no effect. Default: connections for ever, calls never.
    pub fn retry(mut self, retry: RetryProfile) -> Self {
        self.pace.retry = retry;
        self
    }

    /// How long a call waits for a connection that was just lost, before it fails as unavailable. Default: 100 ms.
    pub fn reconnect_grace(mut self, grace: Duration) -> Self {
        self.pace.grace = grace;
        self
    }

    /// Whether a read restarts a session's lifetime. Default: true.
    pub fn sliding(mut self, sliding: bool) -> Self {
        self.sliding = sliding;
        self
    }

    /// A circuit breaker in front of every call. Default: none.
    pub fn breaker(mut self, config: impl Into<Option<BreakerConfig>>) -> Self {
        self.breaker = config.into();
        self
    }

    /// Encrypts every session with these keys. Default: none, so sessions are stored in plain text.
    pub fn keyring(mut self, keyring: impl Into<Option<Arc<KeyRing>>>) -> Self {
        self.keyring = keyring.into();
        self
    }

    /// Receives values that cannot be read ([`Event::Unreadable`](crate::Event::Unreadable)). Must not block. Default:
    /// none.
    pub fn events(mut self, events: EventSink) -> Self {
        self.events = events;
        self
    }

    /// How connections are secured. Default: as the URL says, verified against the system's certificate authorities.
    pub fn tls(mut self, tls: TlsOptions) -> Self {
        self.tls = tls;
        self
    }

    /// How Redis is deployed. Default: one server, at the URL.
    pub fn deployment(mut self, deployment: Deployment) -> Self {
        self.deployment = deployment;
        self
    }

    /// Whether servers report sessions that other processes destroy (CLIENT TRACKING), so that a
    /// [`Fallback`](crate::Fallback) that keeps copies does not show them in an outage. Default: false.
    pub fn hear_of_destroyed(mut self, hear: bool) -> Self {
        self.hears_of_destroyed = hear;
        self
    }

    /// How streams to the servers are opened. Default: by TCP.
    pub fn network(mut self, network: impl Into<Option<Arc<dyn Network>>>) -> Self {
        self.network = network.into();
        self
    }

    /// Where each new connection gets its password, if that changes while the store runs. Default: from the URL.
    pub fn password(mut self, source: impl Into<Option<PasswordSource>>) -> Self {
        self.password = source.into();
        self
    }

    /// The source of jitter for pauses. Default: the thread's generator.
    pub fn randomness(mut self, randomness: Randomness) -> Self {
        self.pace.randomness = randomness;
        self
    }

    /// Builds the store. Its connection lives on the current tokio runtime; calls may come from any.
    pub fn build(self) -> Result<RedisStore<D>, BuildError> {
        let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let news = Arc::new(News::new(self.hears_of_destroyed.then(|| key_names::tombstones(&self.prefix))));
        let (network, events) = (self.network.clone(), Arc::clone(&self.events));
        let Url { address, dialer } = Url::parse(&self.url, &self.tls, network, Arc::clone(&news), events)?;
        let url = Url { address, dialer: dialer.with_password(self.password.clone()) };
        let (counts, outages) = (Arc::new(Counts::default()), Arc::new(OutageLog::default()));
        let place = match &self.deployment {
            Deployment::Standalone => Place::At(url.address),
            Deployment::Sentinel { master, sentinels, credentials } => {
                let timeout = self.connect_timeout;
                Place::Watched(Sentinels::new(master, sentinels, credentials.as_ref(), &url.dialer, timeout)?)
            }
            Deployment::Cluster { nodes } => {
                let nodes = nodes.clone();
                return self.build_cluster(url, &nodes, runtime);
            }
        };
        let connector = Connector::new(url.dialer, place, self.connect_timeout);
        let link = Link::start(
            connector,
            self.pace.clone(),
            self.first_wait(),
            Arc::clone(&counts),
            outages.witness(),
            &runtime,
        );
        let keys = KeyNames::new(self.prefix.clone());
        Ok(RedisStore::start(self, Reach::One(Arc::new(link)), keys, counts, outages, news, runtime))
    }

    fn build_cluster(self, url: Url, nodes: &[String], runtime: Handle) -> Result<RedisStore<D>, BuildError> {
        let database = url.dialer.database();
        if database != 0 {
            return Err(DeploymentError::Database { database }.into());
        }
        let keys = KeyNames::for_cluster(self.prefix.clone()).ok_or(DeploymentError::Braces)?;
        let mut seeds = vec![url.address];
        seeds.extend(sentinel::addresses("cluster node", nodes, 6379)?);
        let (counts, outages) = (Arc::new(Counts::default()), Arc::new(OutageLog::default()));
        let news = url.dialer.news();
        let config = ClusterConfig {
            dialer: url.dialer,
            seeds,
            pace: self.pace.clone(),
            connect_timeout: self.connect_timeout,
            first_wait: self.first_wait(),
            counts: Arc::clone(&counts),
            outages: Arc::clone(&outages),
        };
        let servers = Reach::Cluster(Arc::new(Cluster::start(config, &runtime)));
        Ok(RedisStore::start(self, servers, keys, counts, outages, news, runtime))
    }

    /// How long calls wait for the first connection.
    fn first_wait(&self) -> Duration {
        self.command_timeout.min(self.connect_timeout)
    }
}

impl<D: SessionData> RedisStore<D> {
    /// Starts building a store at `redis[s]://[[user]:password@]host[:port][/db]`.
    pub fn builder(url: &str) -> RedisBuilder<D> {
        RedisBuilder::new(url)
    }

    fn start(
        config: RedisBuilder<D>,
        reach: Reach,
        keys: KeyNames,
        counts: Arc<Counts>,
        outages: Arc<OutageLog>,
        news: Arc<News>,
        runtime: Handle,
    ) -> Self {
        let breaker = |breaker| Breaker::new(breaker, Arc::clone(&config.events), outages.witness());
        let breaker = config.breaker.map(breaker);
        Self {
            servers: Servers::new(reach, breaker.clone(), &config.pace),
            counts,
            outages,
            news,
            keys,
            runtime,
            command_timeout: config.command_timeout,
            connect_timeout: config.connect_timeout,
            health_timeout: config.health_timeout,
            sliding: config.sliding,
            breaker,
            codec: Codec::new(config.keyring),
            events: config.events,
            unreadable: AtomicU64::new(0),
            index_ages: IndexAges::default(),
            value_bytes: AtomicUsize::new(0),
            data: PhantomData,
        }
    }
}

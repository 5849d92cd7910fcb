//! Sessions in Redis, shared by every process that uses the same prefix.
//!
//! A session is one key with one JSON text as its value (`envelope`). Reads are a single `GETEX`, which slides the expiry
//! in the same round trip. Writes are scripts (`script`) that count the version on the server: value, lifetime, the
//! user's index and a destroyed session's tombstone change in one atomic step. An append whose data allows it sends the
//! new item alone, which is spliced into the value in place; a large value goes ahead of its script (`request`).
//!
//! Every call has a deadline of its own, which begins before a connection is waited for (`link`). Nothing with an unknown
//! outcome is ever sent again, and an error says which it is (`failure`). A call that is dropped half-way may still take
//! effect, in its turn; its answer is thrown away and never reaches another caller.
//!
//! Points in time are the server's alone: only durations are sent, so a client's clock that is wrong expires nothing.
//!
//! The server is one (`link`), found again at every attempt to connect (`connector`, `sentinel`), or a cluster (`cluster`).
//! There a session and its tombstone lie in one slot, and a user's index in a slot of its own (`far_index`).

mod address;
pub(crate) mod back;
mod calls;
mod cluster;
mod codec;
mod condition;
mod config;
mod connector;
mod deployment;
mod dial;
mod envelope;
mod failure;
mod far_index;
mod index;
mod info;
mod keys;
mod link;
mod operations;
mod request;
mod retry;
mod script;
mod sealed;
mod sealing;
mod sentinel;
mod servers;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hashbrown::HashSet;
use tokio::runtime::Handle;

pub use config::{BuildError, RedisBuilder};
pub use deployment::{Credentials, Deployment, DeploymentError};
pub use dial::InvalidUrl;
pub use tls::{ClientCertificate, HandshakeError, Tls, TlsError, TlsOptions};

use crate::breaker::{Breaker, BreakerStats};
use crate::data::SessionData;
use crate::error::StoreError;
use crate::event::EventSink;
use crate::outage::{OutageLog, Witness};
use crate::store::{Acked, Health, Session, SessionId, SessionStore, Version};
use codec::Codec;
use index::IndexAges;
use keys::Keys;
use link::Counts;
pub(crate) use retry::Backoff;
pub use retry::{Growth, RetryProfile, UnknownProfile};
use servers::{Reach, Servers};

/// Connections of a store since it was built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// Whether there is one now.
    pub connected: bool,
    /// Attempts to connect.
    pub attempts: u64,
    /// Connections that were put to use.
    pub opened: u64,
    /// Connections that were lost again, or given up because a call over them was not answered.
    pub lost: u64,
}

/// A store in Redis.
pub struct RedisStore<D> {
    servers: Servers,
    counts: Arc<Counts>,
    outages: Arc<OutageLog>,
    keys: Keys,
    runtime: Handle,
    command_timeout: Duration,
    connect_timeout: Duration,
    health_timeout: Duration,
    sliding: bool,
    breaker: Option<Arc<Breaker>>,
    codec: Codec,
    events: EventSink,
    unreadable: AtomicU64,
    index_ages: IndexAges,
    /// The size of the values written lately.
    value_bytes: AtomicUsize,
    data: std::marker::PhantomData<fn() -> D>,
}

/// A stored session as it was read.
pub(crate) struct Stored<D> {
    session: Session<D>,
    /// The user as in the value, by which their index is named; empty for nobody.
    user: String,
}

impl<D: SessionData> RedisStore<D> {
    /// Starts to describe a store at `redis[s]://[[user]:password@]host[:port][/db]`.
    pub fn builder(url: &str) -> RedisBuilder<D> {
        RedisBuilder::new(url)
    }

    fn start(
        config: RedisBuilder<D>,
        reach: Reach,
        keys: Keys,
        counts: Arc<Counts>,
        outages: Arc<OutageLog>,
        runtime: Handle,
    ) -> Self {
        let breaker = |breaker| Breaker::new(breaker, Arc::clone(&config.events), outages.witness());
        let breaker = config.breaker.map(breaker);
        Self {
            servers: Servers::new(reach, breaker.clone(), config.pace.retry),
            counts,
            outages,
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
            data: std::marker::PhantomData,
        }
    }

    /// Waits for the first connection, at most the connect deadline: for a start that must not go on without Redis.
    pub async fn connect(&self) -> Result<(), StoreError> {
        // An attempt keeps the deadline itself; the moment more is for what it has to say.
        let patience = self.connect_timeout + Duration::from_millis(250);
        let connected = tokio::time::timeout(patience, self.servers.connected()).await;
        match connected {
            Ok(()) => self.ping().await.map(|_| ()),
            Err(_) => Err(self.servers.reason().await),
        }
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.servers.is_up()
    }

    /// Connections since the store was built.
    pub fn connections(&self) -> ConnectionStats {
        let counts = &self.counts;
        let [attempts, opened, lost] =
            [&counts.attempts, &counts.opened, &counts.lost].map(|count| count.load(Ordering::Relaxed));
        ConnectionStats { connected: self.is_connected(), attempts, opened, lost }
    }

    /// For a fallback, which notices outages too.
    pub(crate) fn witness(&self) -> Witness {
        self.outages.witness()
    }

    /// Attempts to connect since the store was built.
    pub fn connect_attempts(&self) -> u64 {
        self.counts.attempts.load(Ordering::Relaxed)
    }

    /// The counters of the circuit breaker; all zero where there is none.
    pub fn breaker_stats(&self) -> BreakerStats {
        self.breaker.as_ref().map(|breaker| breaker.stats()).unwrap_or_default()
    }

    /// Operations since the store was built that met a value which does not decrypt or parse.
    pub fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }
}

impl<D> Drop for RedisStore<D> {
    fn drop(&mut self) {
        self.outages.end();
    }
}

#[async_trait]
impl<D: SessionData> SessionStore<D> for RedisStore<D> {
    async fn create(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.create_from(id, &data, ttl).await.map(Acked::primary)
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<D>>>, StoreError> {
        self.read_sliding(id, ttl).await.map(Acked::primary)
    }

    async fn put(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.put_from(id, &data, ttl).await.map(Acked::primary)
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: D,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        self.update_from(id, expected, &data, ttl).await.map(Acked::primary)
    }

    async fn append(&self, id: &SessionId, item: D::Item, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.append_from(id, &item, ttl).await.map(Acked::primary)
    }

    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError> {
        self.extend(id, ttl).await.map(Acked::primary)
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        Ok(Acked::primary(self.remove(id, 0).await?.is_some()))
    }

    /// SCAN in small steps, each with the deadline of a call: it never holds up the server, and takes as long as the
    /// keys are many.
    async fn count(&self) -> Result<Acked<u64>, StoreError> {
        // A key may be met twice while a server's table is resized, or while its slot moves.
        let mut seen = HashSet::new();
        for server in self.servers.all(self.deadline()).await? {
            let mut cursor = b"0".to_vec();
            loop {
                let (next, page) = self.scan(&server, &cursor).await?;
                seen.extend(page);
                cursor = next;
                if cursor == b"0" {
                    break;
                }
            }
        }
        Ok(Acked::primary(seen.len() as u64))
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        let coder = self.codec.coder();
        let deadline = self.deadline();
        let mut found = Vec::new();
        for user in coder.users(user) {
            found.extend(match self.is_far() {
                true => self.list_far(&user, limit, deadline).await?,
                false => self.list_here(&user, limit, deadline).await?,
            });
        }
        Ok(Acked::primary(index::newest(found, limit)))
    }

    async fn cleanup(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn health(&self) -> Health {
        self.condition().await
    }
}

//! A store in Redis and its interface. `operations` and `calls` hold what its operations send.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hashbrown::HashSet;
use tokio::runtime::Handle;

use super::codec::Codec;
use super::index::{self, IndexAges};
use super::key_names::KeyNames;
use super::link::Counts;
use super::news::News;
use super::servers::Servers;
use crate::breaker::{Breaker, BreakerStats};
use crate::data::SessionData;
use crate::error::StoreError;
use crate::event::EventSink;
use crate::outage::{OutageLog, Witness};
use crate::store::{Acked, AppendStore, Health, Session, SessionId, SessionStore, Version};

/// Connections of a store since it was built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// Whether there is one now.
    pub connected: bool,
    /// Attempts to connect.
    pub attempts: u64,
    /// Connections that were put into use.
    pub opened: u64,
    /// Connections that were lost again, or abandoned because a call on them got no reply.
    pub lost: u64,
}

/// A store in Redis.
pub struct RedisStore<D> {
    pub(super) servers: Servers,
    pub(super) counts: Arc<Counts>,
    pub(super) outages: Arc<OutageLog>,
    pub(super) news: Arc<News>,
    pub(super) keys: KeyNames,
    pub(super) runtime: Handle,
    pub(super) command_timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) health_timeout: Duration,
    pub(super) sliding: bool,
    pub(super) breaker: Option<Arc<Breaker>>,
    pub(super) codec: Codec,
    pub(super) events: EventSink,
    pub(super) unreadable: AtomicU64,
    pub(super) index_ages: IndexAges,
    /// The typical size of recent values.
    pub(super) value_bytes: AtomicUsize,
    pub(super) data: std::marker::PhantomData<fn() -> D>,
}

impl<D: SessionData> RedisStore<D> {
    /// Waits for the first connection, at most the connect deadline: for a process that must not start without Redis.
    pub async fn connect(&self) -> Result<(), StoreError> {
        // An attempt keeps the deadline itself; the extra time lets it report its reason.
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

    /// The counters of the circuit breaker; all zero if there is none.
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
        self.create_from(id, &data, ttl, self.call()).await.map(Acked::primary)
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<D>>>, StoreError> {
        let found = self.read_sliding(id, ttl, self.deadline()).await?;
        Ok(Acked::primary(found.map(|stored| stored.session)))
    }

    async fn peek(&self, id: &SessionId) -> Result<Acked<Option<Session<D>>>, StoreError> {
        let found = self.read(id, None, self.deadline()).await;
        let found = found.map_err(|error| self.note_unreadable(id, error))?;
        Ok(Acked::primary(found.map(|stored| stored.session)))
    }

    async fn put(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.put_from(id, &data, ttl, self.call()).await.map(|(version, _)| Acked::primary(version))
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: D,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        let updated = self.update_from(id, expected, &data, ttl, self.call()).await;
        updated.map(|(version, _)| Acked::primary(version))
    }

    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError> {
        self.extend(id, ttl, self.deadline()).await.map(Acked::primary)
    }

    async fn rename(&self, from: &SessionId, to: &SessionId, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.rename_from(from, to, ttl, self.call()).await.map(|renamed| Acked::primary(renamed.version))
    }

    fn successor(&self, from: &SessionId) -> SessionId {
        self.fresh_beside(from)
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        Ok(Acked::primary(self.remove(id, 0, None, self.deadline()).await?.is_some()))
    }

    /// SCAN in small steps, each with a call's deadline: it never holds up the server, and takes longer the more keys
    /// there are.
    async fn count(&self) -> Result<Acked<u64>, StoreError> {
        // A key may appear twice while a server's table is resized, or while its slot moves.
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

#[async_trait]
impl<D: SessionData> AppendStore<D> for RedisStore<D> {
    async fn append(&self, id: &SessionId, item: D::Item, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.append_from(id, &item, ttl, self.call()).await.map(Acked::primary)
    }
}

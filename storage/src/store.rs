//! The interface of every store, and its small types.

use std::time::Duration;

use async_trait::async_trait;

use crate::data::SessionData;
use crate::error::StoreError;
pub use crate::session::{Session, SessionId, Version};

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedBy {
    /// The store that the caller meant: Redis, or memory if memory is the store.
    Primary,
    /// The fallback, because the primary is away: the operation's outcome is `degraded`.
    Fallback,
}

/// An acknowledged answer and its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acked<T> {
    /// The answer.
    pub value: T,
    /// Who gave it.
    pub served_by: ServedBy,
}

impl<T> Acked<T> {
    /// An answer from the primary.
    pub fn primary(value: T) -> Self {
        Self { value, served_by: ServedBy::Primary }
    }

    /// An answer from the fallback.
    pub fn fallback(value: T) -> Self {
        Self { value, served_by: ServedBy::Fallback }
    }
}

/// The state of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HealthStatus {
    /// Redis answers (or memory is the configured store).
    #[default]
    Connected,
    /// The fallback answers, or Redis answers but refuses writes.
    Degraded,
    /// Nothing answers.
    Disconnected,
}

/// A store's health, always returned within the health deadline. It contains nothing secret.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Health {
    /// The state of the store.
    pub status: HealthStatus,
    /// Round trip of the PING; `None`: no answer from Redis (or it is not asked).
    pub latency: Option<Duration>,
    /// Bytes of memory in use on the server, if it says.
    pub memory: Option<u64>,
    /// How long the server has been up, if it says.
    pub uptime: Option<Duration>,
    /// What is wrong, if anything.
    pub reason: Option<String>,
}

impl Health {
    /// Nothing answers, and why, without addresses or credentials.
    pub fn disconnected(reason: impl Into<String>) -> Self {
        Self { status: HealthStatus::Disconnected, reason: Some(reason.into()), ..Self::default() }
    }
}

/// A store of sessions. Every call ends by the store's own deadline, whatever the network does.
#[async_trait]
pub trait SessionStore<D: SessionData>: Send + Sync + 'static {
    /// Stores a new session that lives for `ttl`. [`StoreError::AlreadyExists`] if the id is taken.
    async fn create(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError>;

    /// Reads a session and, in the same round trip, restarts its lifetime with `ttl` (sliding expiry). `None`: no such
    /// session.
    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<D>>>, StoreError>;

    /// Writes a session whole, whatever was there: creates it or overwrites it.
    async fn put(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError>;

    /// Writes a session whole if it is still at `expected`. [`StoreError::Conflict`] if it is not,
    /// [`StoreError::NotFound`] if it is gone: an update never brings a session back.
    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: D,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError>;

    /// Appends one item atomically, even among concurrent appends. [`StoreError::NotFound`] if the session is gone.
    async fn append(&self, id: &SessionId, item: D::Item, ttl: Duration) -> Result<Acked<Version>, StoreError>;

    /// Restarts a session's lifetime with `ttl` without reading or writing its data. `false`: no such session.
    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError>;

    /// Ends a session. `false`: there was none. Also works on a value that does not parse.
    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError>;

    /// The number of stored sessions.
    async fn count(&self) -> Result<Acked<u64>, StoreError>;

    /// A user's live sessions, most recently written first, at most `limit`.
    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError>;

    /// Drops expired sessions and returns their number: 0 if Redis expires them itself.
    async fn cleanup(&self) -> Result<u64, StoreError>;

    /// The store's health, within the health deadline whatever Redis does.
    async fn health(&self) -> Health;
}

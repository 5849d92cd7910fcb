//! The interface of every store, and its small types.

use std::time::Duration;

use async_trait::async_trait;

use crate::data::SessionData;
use crate::error::StoreError;
pub use crate::session::{Session, SessionId, Version};

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedBy {
    /// The store the caller meant: Redis, or memory where memory is the store.
    Primary,
    /// The fallback, because the primary is away: the operation's outcome is `degraded`.
    Fallback,
}

/// An acknowledged answer and who gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acked<T> {
    /// The answer.
    pub value: T,
    /// Who gave it.
    pub served_by: ServedBy,
}

impl<T> Acked<T> {
    /// An answer of the primary.
    pub fn primary(value: T) -> Self {
        Self { value, served_by: ServedBy::Primary }
    }

    /// An answer of the fallback.
    pub fn fallback(value: T) -> Self {
        Self { value, served_by: ServedBy::Fallback }
    }
}

/// How a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HealthStatus {
    /// Redis answers (or memory is the store that was asked for).
    #[default]
    Connected,
    /// The fallback answers, or Redis answers and refuses writes.
    Degraded,
    /// Nothing answers.
    Disconnected,
}

/// The answer to a health question, always within the health deadline. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Health {
    /// How the store is.
    pub status: HealthStatus,
    /// Round trip of the PING; `None`: Redis answered none (or is not asked).
    pub latency: Option<Duration>,
    /// Bytes of memory in use at the server, where it tells.
    pub memory: Option<u64>,
    /// How long the server has been up, where it tells.
    pub uptime: Option<Duration>,
    /// What is wrong, where something is.
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
    /// Stores a new session, to live `ttl` from now. [`StoreError::AlreadyExists`] where the id is taken.
    async fn create(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError>;

    /// Reads a session and, in the same round trip, lets it live `ttl` from now (sliding expiry). `None`: no such session.
    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<D>>>, StoreError>;

    /// Writes a session whole, whatever was there: creates it or overwrites it.
    async fn put(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError>;

    /// Writes a session whole if it is still at `expected`. [`StoreError::Conflict`] if it is not,
    /// [`StoreError::NotFound`] where it is gone: an update never brings a session back.
    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: D,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError>;

    /// Appends one item atomically, however many do so at once. [`StoreError::NotFound`] where the session is gone.
    async fn append(&self, id: &SessionId, item: D::Item, ttl: Duration) -> Result<Acked<Version>, StoreError>;

    /// Lets a session live `ttl` from now without reading or writing its data. `false`: no such session.
    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError>;

    /// Ends a session. `false`: there was none. Works on a value that does not parse, too.
    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError>;

    /// How many sessions are stored now.
    async fn count(&self) -> Result<Acked<u64>, StoreError>;

    /// The live sessions of a user, most recently written first, at most `limit`.
    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError>;

    /// Drops expired sessions and returns their number: 0 if Redis expires them itself.
    async fn cleanup(&self) -> Result<u64, StoreError>;

    /// How the store is, within the health deadline whatever Redis does.
    async fn health(&self) -> Health;
}

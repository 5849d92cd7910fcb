//! The interface that every store has, and the small types it speaks in.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::data::SessionData;
use crate::error::StoreError;

/// A session's id: 1 to 128 bytes of `A-Z a-z 0-9 - _`, so that it can stand in a key, a URL and a log line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SessionId(std::sync::Arc<str>);

impl SessionId {
    /// Takes an id; `None` where a character or the length is not allowed.
    pub fn new(id: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (!id.is_empty() && id.len() <= 128 && id.bytes().all(allowed)).then(|| Self(id.into()))
    }

    /// A fresh random id (UUID v4).
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string().into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.as_str().to_owned()
    }
}

impl TryFrom<String> for SessionId {
    type Error = &'static str;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        Self::new(&id).ok_or("a session id is 1 to 128 bytes of A-Z a-z 0-9 - _")
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Counts the writes of one session: 1 after create, one more with every write. Never goes back, also across fallback
/// and drain; a session made again under the id of a destroyed one continues above it while that is remembered.
pub type Version = u64;

/// A session as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Session<D> {
    /// The version this data is at.
    pub version: Version,
    /// The data.
    pub data: D,
}

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

    /// Writes a session whole if it is still at `expected`. [`StoreError::Conflict`] where it is not,
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

    /// Drops what has expired and says how many sessions that were. Where Redis expires them itself, 0.
    async fn cleanup(&self) -> Result<u64, StoreError>;

    /// How the store is, within the health deadline whatever Redis does.
    async fn health(&self) -> Health;
}

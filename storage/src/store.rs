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

    /// Reads a session and leaves its lifetime as it is: for a list of devices or a nightly job, which are not visits by its
    /// user. `None`: no such session.
    async fn peek(&self, id: &SessionId) -> Result<Acked<Option<Session<D>>>, StoreError>;

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

    /// Restarts a session's lifetime with `ttl` without reading or writing its data. `false`: no such session.
    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError>;

    /// Gives the session `from` the id `to` in one step, and restarts its lifetime with `ttl`: at login, an id that
    /// somebody else may know must not stay valid. The content is under exactly one of the two ids at any time. From
    /// then on `from` has no session, and a [`create`](Self::create) or [`put`](Self::put) with it is
    /// [`StoreError::Renamed`] for as long as the session could have lived, at least an hour, so that no slow request
    /// brings it back.
    ///
    /// `to` must be new; in a cluster it must come from [`successor`](Self::successor). [`StoreError::NotFound`] if there is no
    /// session `from`, [`StoreError::AlreadyExists`] if `to` has or lately had one. After an error of unknown effect, look under `to`
    /// first.
    async fn rename(&self, from: &SessionId, to: &SessionId, ttl: Duration) -> Result<Acked<Version>, StoreError>;

    /// A fresh random id to which `from` can be renamed: in a cluster, one in the same slot.
    fn successor(&self, from: &SessionId) -> SessionId {
        let _ = from;
        SessionId::random()
    }

    /// Ends a session. `false`: there was none. Also works on a value that does not parse.
    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError>;

    /// Ends every session of a user but `except`: a logout everywhere, or everywhere else. Returns how many it ended. A
    /// session that is created or renamed meanwhile may stay. These are several calls, of which each has its deadline.
    ///
    /// While Redis is away, a fallback ends what it knows at once, and the rest as soon as it meets it or Redis is back,
    /// sessions that other processes have made since included.
    async fn destroy_by_user(&self, user: &str, except: Option<&SessionId>) -> Result<Acked<u64>, StoreError> {
        let listed = self.list_by_user(user, usize::MAX).await?;
        end_all(self, listed, except).await
    }

    /// The number of stored sessions.
    async fn count(&self) -> Result<Acked<u64>, StoreError>;

    /// A user's live sessions, most recently written first, at most `limit`.
    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError>;

    /// Drops expired sessions and returns their number: 0 if Redis expires them itself.
    async fn cleanup(&self) -> Result<u64, StoreError>;

    /// The store's health, within the health deadline whatever Redis does.
    async fn health(&self) -> Health;
}

/// A store whose sessions are lists to which items are added, such as answers or messages. Separate from [`SessionStore`], so
/// that a store or a function that only reads and writes sessions whole need not know of it.
#[async_trait]
pub trait AppendStore<D: SessionData>: SessionStore<D> {
    /// Appends one item atomically, even among concurrent appends. [`StoreError::NotFound`] if the session is gone.
    async fn append(&self, id: &SessionId, item: D::Item, ttl: Duration) -> Result<Acked<Version>, StoreError>;
}

/// Ends the listed sessions but `except`, and says how many.
pub(crate) async fn end_all<D: SessionData, S: SessionStore<D> + ?Sized>(
    store: &S,
    listed: Acked<Vec<SessionId>>,
    except: Option<&SessionId>,
) -> Result<Acked<u64>, StoreError> {
    let (mut done, mut served_by, mut failed) = (0, listed.served_by, None);
    for id in listed.value.iter().filter(|id| Some(*id) != except) {
        match store.destroy(id).await {
            Ok(ended) => {
                done += u64::from(ended.value);
                if ended.served_by == ServedBy::Fallback {
                    served_by = ServedBy::Fallback;
                }
            }
            // The others end all the same.
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        None => Ok(Acked { value: done, served_by }),
        Some(error) if done == 0 => Err(error),
        Some(error) => Err(StoreError::Partly { done, error: Box::new(error) }),
    }
}

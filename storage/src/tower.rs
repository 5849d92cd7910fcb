//! [tower-sessions](https://docs.rs/tower-sessions): its `SessionStore` over any store of this crate, with its policy,
//! encryption and deployment. Behind the feature `tower-sessions`.
//!
//! ```no_run
//! use firedrill_storage::StoreBuilder;
//! use firedrill_storage::tower::{TowerSession, TowerStore};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = StoreBuilder::new("redis://127.0.0.1:6379").build::<TowerSession>()?.store;
//! let sessions = TowerStore::new(store); // for tower_sessions::SessionManagerLayer::new
//! # Ok(())
//! # }
//! ```
//!
//! tower-sessions decides when a session ends, and its records say so: a session is over at that time, and a load does not
//! extend it, whatever the store's `sliding` says.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{self, Error};

use crate::data::{MergeReport, SessionData};
use crate::error::StoreError;
use crate::record::timestamp::Timestamp;
use crate::store::{SessionId, SessionStore};

/// How often a save starts over because another request saved the session in between.
const ROUNDS: usize = 16;

/// The content of a session of tower-sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TowerSession {
    /// When it ends.
    expires: Timestamp,
    /// What the application stored, by key.
    values: HashMap<String, Value>,
}

impl SessionData for TowerSession {
    /// A key and its value.
    type Item = (String, Value);

    fn append(&mut self, (key, value): Self::Item) -> bool {
        self.values.insert(key, value.clone()) != Some(value)
    }

    /// The newer value of each key stays, and a different older one is lost. A key that only the older copy has is kept: which
    /// of the two removed or added it, nobody knows.
    fn merge(&mut self, other: Self) -> MergeReport {
        let mut report = MergeReport::default();
        self.expires = self.expires.max(other.expires);
        for (key, value) in other.values {
            match self.values.get(&key) {
                None => {
                    report.united += 1;
                    self.values.insert(key, value);
                }
                Some(mine) => report.lost += u64::from(*mine != value),
            }
        }
        report
    }
}

/// A store of this crate as a store of tower-sessions.
#[derive(Clone)]
pub struct TowerStore(Arc<dyn SessionStore<TowerSession>>);

impl TowerStore {
    /// Over this store.
    pub fn new(store: Arc<dyn SessionStore<TowerSession>>) -> Self {
        Self(store)
    }
}

impl fmt::Debug for TowerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TowerStore")
    }
}

#[async_trait]
impl session_store::SessionStore for TowerStore {
    /// Gives the record another id if the store has a session under its own, or lately had.
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        loop {
            let (id, ttl) = (stored_id(record.id)?, left(record));
            match self.0.create(&id, content(record), ttl).await {
                Err(StoreError::AlreadyExists | StoreError::Renamed) => record.id = Id::default(),
                done => return done.map(|_| ()).map_err(backend),
            }
        }
    }

    /// Overwrites the session. One that was deleted meanwhile stays deleted: a slow request logs nobody in again.
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let (id, ttl) = (stored_id(record.id)?, left(record));
        let mut last = StoreError::NotFound;
        for _ in 0..ROUNDS {
            let Some(stored) = self.0.get(&id, ttl).await.map_err(backend)?.value else { return Ok(()) };
            match self.0.update(&id, stored.version, content(record), ttl).await {
                Ok(_) | Err(StoreError::NotFound) => return Ok(()),
                Err(conflict @ StoreError::Conflict { .. }) => last = conflict,
                Err(error) => return Err(backend(error)),
            }
        }
        Err(backend(last))
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let found = self.0.peek(&stored_id(*id)?).await.map_err(backend)?.value;
        let Some(TowerSession { expires, values }) = found.map(|session| session.data) else { return Ok(None) };
        if expires <= Timestamp::now() {
            return Ok(None);
        }
        let expiry_date = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(expires.0) * 1_000_000);
        let expiry_date = expiry_date.map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data: values, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.0.destroy(&stored_id(*id)?).await.map(|_| ()).map_err(backend)
    }
}

fn stored_id(id: Id) -> session_store::Result<SessionId> {
    // 22 characters of base64 for URLs, all of which a session's id may have.
    SessionId::new(&id.to_string()).ok_or_else(|| Error::Encode("the id is not one of a session".to_owned()))
}

fn content(record: &Record) -> TowerSession {
    let expires = record.expiry_date.unix_timestamp_nanos() / 1_000_000;
    let expires = i64::try_from(expires).unwrap_or(if expires > 0 { i64::MAX } else { i64::MIN });
    TowerSession { expires: Timestamp(expires), values: record.data.clone() }
}

/// The rest of a record's lifetime; at least a millisecond, because nothing lives for no time.
fn left(record: &Record) -> Duration {
    let left = record.expiry_date - time::OffsetDateTime::now_utc();
    Duration::try_from(left).unwrap_or_default().max(Duration::from_millis(1))
}

fn backend(error: StoreError) -> Error {
    match error {
        StoreError::Corrupt { .. } | StoreError::Undecryptable { .. } => Error::Decode(error.to_string()),
        StoreError::Unserializable => Error::Encode(error.to_string()),
        _ => Error::Backend(error.to_string()),
    }
}

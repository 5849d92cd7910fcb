//! The operations on sessions, each from its arguments to its result.

use std::time::Duration;

use redis::Value;
use tokio::time::Instant;

use super::calls::{Call, found, numbered, unexpected};
use super::request::Request;
use super::retry::{Backoff, RetryProfile};
use super::script;
use super::servers::Server;
use super::store::RedisStore;
use super::stored::Stored;
use crate::clock::millis;
use crate::data::{SessionData, Splice};
use crate::error::StoreError;
use crate::lineage::Lineage;
use crate::store::{Session, SessionId, Version};

/// How often an append without a splice, or a rename, starts over because another write came in between.
pub(super) const APPEND_ROUNDS: usize = 16;
/// Pauses before it starts over, so that concurrent calls do not stay in step.
pub(super) const CONTENDED: RetryProfile = RetryProfile::doubling(Duration::from_millis(1), Duration::from_millis(30));
/// Keys scanned per step of a count: tens of microseconds of the server's time.
const SCAN_STEP: usize = 500;
/// Dead entries of a user's index that one step of a listing drops at most: Redis serves no other client meanwhile.
const MOST_DROPPED: usize = 500;

/// A session that was destroyed.
pub(super) struct Removed {
    /// Its tombstone's version.
    pub(super) tombstone: Version,
    /// Which session it was, if its value said so.
    pub(super) lineage: Lineage,
    /// The id that the session has, if it was renamed before.
    pub(super) heir: Option<SessionId>,
}

impl<D: SessionData> RedisStore<D> {
    pub(super) async fn read(
        &self,
        id: &SessionId,
        ttl: Option<Duration>,
        deadline: Instant,
    ) -> Result<Option<Stored<D>>, StoreError> {
        let coder = self.codec.coder();
        let mut request = Request::plain(if ttl.is_some() { "GETEX" } else { "GET" });
        request.arg(self.keys.session(id));
        if let Some(ttl) = ttl {
            request.arg("PX").arg(millis(ttl));
        }
        match self.send(&request, deadline).await? {
            Value::Nil => Ok(None),
            Value::BulkString(value) => coder.decode(self.place(id), value).map(Some),
            _ => Err(unexpected()),
        }
    }

    pub(super) async fn keep_index(&self, id: &SessionId, user: String, ttl: Duration, deadline: Instant) {
        let upkeep = self.index_ages.upkeep(user, ttl);
        if !upkeep.is_due() {
            return;
        }
        // The session was read, so a failure to extend the index must not fail the read.
        if self.is_far() {
            let _ = self.keep_far(&upkeep, id, deadline).await;
            return;
        }
        let mut request = Request::script(&script::KEEP_INDEX, 1, 0);
        request.arg(self.keys.session(id)).arg(self.keys.prefix()).arg(id.as_str()).arg(millis(ttl)).arg(upkeep.user());
        if self.send(&request, deadline).await.is_ok() {
            self.index_ages.kept(&upkeep);
        }
    }

    async fn splice(
        &self,
        splice: Splice,
        id: &SessionId,
        item: &D::Item,
        ttl: Duration,
        call: Call,
    ) -> Result<Version, StoreError> {
        let item_json = serde_json::to_vec(item).map_err(|_| StoreError::Unserializable)?;
        let mark = D::item_mark(item).unwrap_or_default();
        let mut request = self.about(&script::APPEND, id);
        request.arg(millis(ttl)).arg(item_json).arg(mark).arg(splice.opener).arg(splice.tail);
        request.arg(call.line.write_text());
        found(self.run(&request, id, ttl, call.deadline).await?)
    }

    pub(super) async fn append_by_version(
        &self,
        id: &SessionId,
        item: &D::Item,
        ttl: Duration,
        call: Call,
    ) -> Result<Version, StoreError> {
        let mut current = 0;
        let mut pauses = Backoff::new(CONTENDED, self.randomness());
        for _ in 0..APPEND_ROUNDS {
            let Some(stored) = self.read(id, Some(ttl), call.deadline).await? else {
                return Err(StoreError::NotFound);
            };
            let Session { version, mut data } = stored.session;
            if !data.append(item.clone()) {
                return Ok(version);
            }
            match self.update_by(id, version, &data, ttl, call).await {
                Err(StoreError::Conflict { current: now }) => {
                    current = now;
                    tokio::time::sleep(pauses.next().unwrap_or_default()).await;
                }
                other => return other.map(|(version, _)| version),
            }
        }
        Err(StoreError::Conflict { current })
    }

    pub(super) async fn create_from(
        &self,
        id: &SessionId,
        data: &D,
        ttl: Duration,
        call: Call,
    ) -> Result<Version, StoreError> {
        let writing = self.writing(&script::CREATE, id, data, ttl, call.line)?;
        match self.write(writing, id, call.deadline).await? {
            (0, _) => Err(StoreError::AlreadyExists),
            (version, _) => Ok(version.unsigned_abs()),
        }
    }

    pub(super) async fn read_sliding(
        &self,
        id: &SessionId,
        ttl: Duration,
        deadline: Instant,
    ) -> Result<Option<Stored<D>>, StoreError> {
        let found = self.read(id, self.sliding.then_some(ttl), deadline).await;
        let found = found.map_err(|error| self.note_unreadable(id, error))?;
        let Some(mut stored) = found else { return Ok(None) };
        if self.sliding {
            self.keep_index(id, std::mem::take(&mut stored.user), ttl, deadline).await;
        }
        Ok(Some(stored))
    }

    pub(super) async fn put_from(
        &self,
        id: &SessionId,
        data: &D,
        ttl: Duration,
        call: Call,
    ) -> Result<(Version, Lineage), StoreError> {
        let writing = self.writing(&script::PUT, id, data, ttl, call.line)?;
        let (version, lineage) = self.write(writing, id, call.deadline).await?;
        Ok((version.unsigned_abs(), lineage))
    }

    pub(super) async fn update_from(
        &self,
        id: &SessionId,
        expected: Version,
        data: &D,
        ttl: Duration,
        call: Call,
    ) -> Result<(Version, Lineage), StoreError> {
        let updated = self.update_by(id, expected, data, ttl, call).await;
        updated.map_err(|error| self.note_unreadable(id, error))
    }

    async fn update_by(
        &self,
        id: &SessionId,
        expected: Version,
        data: &D,
        ttl: Duration,
        call: Call,
    ) -> Result<(Version, Lineage), StoreError> {
        let mut writing = self.writing(&script::UPDATE, id, data, ttl, call.line)?;
        writing.request.arg(expected);
        let (answer, lineage) = self.write(writing, id, call.deadline).await?;
        found(answer).map(|version| (version, lineage))
    }

    pub(super) async fn append_from(
        &self,
        id: &SessionId,
        item: &D::Item,
        ttl: Duration,
        call: Call,
    ) -> Result<Version, StoreError> {
        let coder = self.codec.coder();
        let appended = match (coder.keys(), D::SPLICE) {
            (Some(keys), _) => self.append_sealed(keys, id, item, ttl, call).await,
            (None, Some(splice)) => match self.splice(splice, id, item, ttl, call).await {
                // An older release may have written it, with the list of items not at its end.
                Err(StoreError::Corrupt { .. }) => self.append_by_version(id, item, ttl, call).await,
                done => done,
            },
            (None, None) => self.append_by_version(id, item, ttl, call).await,
        };
        appended.map_err(|error| self.note_unreadable(id, error))
    }

    pub(super) async fn extend(&self, id: &SessionId, ttl: Duration, deadline: Instant) -> Result<bool, StoreError> {
        let mut request = self.about(&script::TOUCH, id);
        request.arg(millis(ttl));
        Ok(self.run(&request, id, ttl, deadline).await? == 1)
    }

    /// `version`: that of the deletion in a fallback, which leaves a tombstone whatever Redis has; 0 otherwise. `heir`: the
    /// id that the fallback gave the session before that. `None`: there was no session.
    pub(super) async fn remove(
        &self,
        id: &SessionId,
        version: Version,
        heir: Option<&SessionId>,
        deadline: Instant,
    ) -> Result<Option<Removed>, StoreError> {
        let mut request = self.about(&script::DESTROY, id);
        request.arg(version).arg(self.keys.instance()).arg(heir.map_or("", SessionId::as_str));
        let said = self.decide(&request, id, Duration::ZERO, deadline).await?;
        let heir = match &said {
            Value::Array(parts) => match parts.get(2) {
                Some(Value::BulkString(heir)) => std::str::from_utf8(heir).ok().and_then(SessionId::new),
                _ => None,
            },
            _ => None,
        };
        let (tombstone, root) = numbered(said)?;
        let lineage = root.map_or_else(Lineage::default, |root| Lineage::default().rooted(root));
        Ok((tombstone != 0).then_some(Removed { tombstone: tombstone.unsigned_abs(), lineage, heir }))
    }

    /// One step over the keys of all sessions on a server; also returns the next cursor.
    pub(super) async fn scan(&self, server: &Server, cursor: &[u8]) -> Result<(Vec<u8>, Vec<Vec<u8>>), StoreError> {
        let pattern = self.keys.pattern();
        let mut request = Request::plain("SCAN");
        request.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCAN_STEP).arg("TYPE").arg("string");
        let reply = self.servers.call_at(server, &request, self.deadline(), self.command_timeout).await?;
        let (next, mut page): (Vec<u8>, Vec<Vec<u8>>) = redis::from_redis_value(reply).map_err(|_| unexpected())?;
        page.retain(|key| self.keys.is_session(key));
        Ok((next, page))
    }

    /// A user's live sessions, each with the time of its last write, newest first, if index and sessions are on one
    /// server.
    pub(super) async fn list_here(
        &self,
        user: &str,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<(String, f64)>, StoreError> {
        let mut request = Request::script(&script::LIST, 1, 0);
        request.arg(self.keys.user_index(user)).arg(self.keys.prefix()).arg(limit).arg(user).arg(MOST_DROPPED);
        loop {
            let reply = self.send(&request, deadline).await?;
            let (complete, found): (bool, _) = redis::from_redis_value(reply).map_err(|_| unexpected())?;
            if complete {
                return Ok(found);
            }
        }
    }
}

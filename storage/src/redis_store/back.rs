//! What a fallback asks of Redis once it answers again: to take writes, and to take back what happened meanwhile.

use std::time::Duration;

use redis::Value;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::calls::{millis, unexpected};
use super::request::Request;
use super::servers::ScanPlace;
use super::{RedisStore, script};
use crate::data::SessionData;
use crate::error::StoreError;
use crate::operation::{Answer, Operation};
use crate::store::{Session, SessionId, Version};

/// A session on its way back.
pub(crate) struct Returning<'a, D> {
    pub(crate) data: &'a D,
    /// The version of Redis's copy that this one descends from; 0: there was none.
    pub(crate) base: Version,
    /// The version the fallback has counted up to.
    pub(crate) version: Version,
    pub(crate) ttl: Duration,
    /// How long ago the fallback made the session whole (create, put).
    pub(crate) made: Option<Duration>,
    /// Whether a destroy of this store's own, of unknown outcome, came before that: then its tombstone does not count.
    pub(crate) entombed: bool,
}

/// What became of it.
pub(crate) enum WriteBack<D> {
    /// Written at this version.
    Written(Version),
    /// It was destroyed by somebody else after the base (or after it was made); this is the tombstone's version.
    Destroyed(Version),
    /// Redis's copy is at another version than the base.
    Conflict(Session<D>),
}

/// What became of a lifetime.
pub(crate) enum ExtendBack {
    /// Extended; this is the version of Redis's copy.
    Extended(Version),
    /// Redis has no such session, and nobody destroyed it: it was lost, or expired while it was used elsewhere.
    Missing,
    /// Destroyed by somebody else after the base.
    Destroyed(Version),
}

impl<D: SessionData> RedisStore<D> {
    /// The runtime that the store was built on.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Waits, without limit, for a connection over which the circuit breaker lets calls through.
    pub(crate) async fn reachable(&self) {
        self.servers.connected().await;
        if let Some(breaker) = &self.breaker {
            breaker.ready().await;
        }
    }

    /// The deadline of one call.
    pub(crate) fn command_timeout(&self) -> Duration {
        self.command_timeout
    }

    /// Carries out an operation.
    pub(crate) async fn operate(
        &self,
        id: &SessionId,
        operation: &Operation<D>,
        ttl: Duration,
    ) -> Result<Answer<D>, StoreError> {
        match operation {
            Operation::Create(data) => self.create_from(id, data, ttl).await.map(Answer::at),
            Operation::Get => self.read_sliding(id, ttl).await.map(Answer::read),
            Operation::Put(data) => self.put_from(id, data, ttl).await.map(Answer::at),
            Operation::Update(expected, data) => self.update_from(id, *expected, data, ttl).await.map(Answer::at),
            Operation::Append(item) => self.append_from(id, item, ttl).await.map(Answer::at),
            Operation::Touch => self.extend(id, ttl).await.map(Answer::touched),
            Operation::Destroy => {
                let tombstone = self.remove(id, 0).await?;
                Ok(tombstone.map_or_else(Answer::absent, Answer::at))
            }
        }
    }

    /// One page of the ids of all sessions, from `cursor` on (`0` at first), and where the next begins (`0`: it was the
    /// last). An id may come twice.
    pub(crate) async fn page(&self, cursor: &[u8]) -> Result<(Vec<u8>, Vec<SessionId>), StoreError> {
        let servers = self.servers.all(self.deadline()).await?;
        let place = ScanPlace::parse(cursor, &servers)?;
        let (inner, keys) = self.scan(&servers[place.server], &place.cursor).await?;
        let next = place.next(inner, &servers);
        Ok((next, keys.iter().filter_map(|key| self.keys.id(key)).collect()))
    }

    /// Reads a session and how long it has still to live, without letting it live any longer.
    pub(crate) async fn peek(&self, id: &SessionId) -> Result<Option<(Session<D>, Duration)>, StoreError> {
        let deadline = self.deadline();
        let Some(stored) = self.read(id, None, deadline).await? else { return Ok(None) };
        let mut request = Request::plain("PTTL");
        request.arg(self.keys.session(id));
        // Expired in between: -2.
        let Value::Int(left) = self.send(&request, deadline).await? else { return Err(unexpected()) };
        let left = u64::try_from(left).ok();
        Ok(left.map(|left| (stored.session, Duration::from_millis(left))))
    }

    /// Proves by a write that Redis takes writes: a PING is answered by a server that refuses them, too.
    pub(crate) async fn probe(&self) -> Result<(), StoreError> {
        let deadline = self.deadline();
        for key in self.probes(deadline).await? {
            let mut request = Request::script(&script::PROBE, 1, 0);
            request.arg(key);
            self.send(&request, deadline).await?;
        }
        Ok(())
    }

    /// A key to write to on every server that has sessions.
    async fn probes(&self, deadline: Instant) -> Result<Vec<String>, StoreError> {
        let Some(leaders) = self.servers.leaders(deadline).await? else { return Ok(vec![self.keys.probe(0)]) };
        let mut keys: Vec<Option<String>> = vec![None; leaders.count()];
        // Keys fall on nodes by chance. A prefix with a hash tag has but one.
        for number in 0..leaders.count() * 64 {
            let key = self.keys.probe(number);
            if let Some(free) = leaders.of(key.as_bytes()).and_then(|node| keys.get_mut(node)) {
                free.get_or_insert(key);
            }
            if keys.iter().all(Option::is_some) {
                break;
            }
        }
        Ok(keys.into_iter().flatten().collect())
    }

    /// Writes a session back.
    pub(crate) async fn write_back(
        &self,
        id: &SessionId,
        returning: Returning<'_, D>,
    ) -> Result<WriteBack<D>, StoreError> {
        let mut writing = self.writing(&script::WRITE_BACK, id, returning.data, returning.ttl)?;
        let age = returning.made.map_or(-1, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        writing.request.arg(returning.base).arg(returning.version).arg(age);
        writing.request.arg(if returning.entombed { self.keys.instance() } else { "" });
        let said = self.decide(&writing.request, id, returning.ttl, self.deadline()).await?;
        let Value::Array(mut parts) = said else {
            return Err(unexpected());
        };
        match parts.as_mut_slice() {
            [Value::Int(1), Value::Int(version)] => {
                self.written(&writing);
                Ok(WriteBack::Written(version.unsigned_abs()))
            }
            [Value::Int(2), Value::Int(tombstone)] => Ok(WriteBack::Destroyed(tombstone.unsigned_abs())),
            [Value::Int(3), Value::Int(_), Value::BulkString(value)] => {
                let theirs = self.codec.coder().decode(self.place(id), std::mem::take(value));
                theirs
                    .map(|stored| WriteBack::Conflict(stored.session))
                    .map_err(|error| self.note_unreadable(id, error))
            }
            _ => Err(unexpected()),
        }
    }

    /// Lets a session live on that was used elsewhere.
    pub(crate) async fn extend_back(
        &self,
        id: &SessionId,
        base: Version,
        ttl: Duration,
    ) -> Result<ExtendBack, StoreError> {
        let mut request = self.about(&script::EXTEND_BACK, id);
        request.arg(millis(ttl)).arg(base);
        Ok(match self.run(&request, id, ttl, self.deadline()).await? {
            0 => ExtendBack::Missing,
            version if version > 0 => ExtendBack::Extended(version.unsigned_abs()),
            tombstone => ExtendBack::Destroyed(tombstone.unsigned_abs()),
        })
    }

    /// Destroys a session that a fallback has destroyed at `version`, and says at which version its tombstone stands.
    pub(crate) async fn destroy_back(&self, id: &SessionId, version: Version) -> Result<Version, StoreError> {
        self.remove(id, version).await.map(|tombstone| tombstone.unwrap_or(version))
    }
}

//! What a fallback needs from Redis once it is back: proof that Redis accepts writes, and the write-back.

use std::time::Duration;

use redis::Value;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::calls::{Call, root_of, unexpected};
use super::news::News;
use super::request::Request;
use super::ruling::{Ruling, Times};
use super::script;
use super::servers::ScanPlace;
use super::store::RedisStore;
use super::stored::Stored;
use crate::clock::millis;
use crate::data::{SessionData, renamed};
use crate::error::StoreError;
use crate::lineage::Lineage;
use crate::network::Randomness;
use crate::operation::{Answer, Operation};
use crate::store::{Session, SessionId, Version};

/// How many renames of one session to follow.
const MOST_RENAMES: usize = 64;

/// A state of Redis that something here descends from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ancestor {
    pub(crate) version: Version,
    pub(crate) lineage: Lineage,
    /// How long ago Redis was last known to have it, when the job was taken.
    pub(crate) heard: Duration,
}

/// A session to write back.
pub(crate) struct Returning<'a, D> {
    pub(crate) data: &'a D,
    /// What it descends from; `None`: Redis had none, or its state is unknown.
    pub(crate) base: Option<Ancestor>,
    /// The fallback's latest version.
    pub(crate) version: Version,
    /// The write as which it goes to Redis.
    pub(crate) line: Lineage,
    pub(crate) ttl: Duration,
    /// How long ago the fallback had created or put the session, when the job was taken.
    pub(crate) made: Option<Duration>,
    /// Whether a destroy by this store, of unknown outcome, came before that: then its own tombstone does not count.
    pub(crate) maybe_deleted: bool,
    /// The other ids under which Redis may have it, because it was renamed.
    pub(crate) others: &'a [SessionId],
}

/// The result of writing a session, or its lifetime, back to Redis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum WriteBack<D> {
    /// Redis has it, at this version and with this lineage.
    Written(Version, Lineage),
    /// Redis has no such session and no tombstone: it was lost, or expired while it was used elsewhere.
    Missing,
    /// Another process has destroyed it since; this is the tombstone's version. `doubtful`: perhaps before it was created
    /// or put here. `under`: the id, of those that it had before it was renamed here, under which it was destroyed.
    Destroyed { tombstone: Version, doubtful: bool, under: Option<SessionId> },
    /// Another process has given it this id since.
    Renamed(Version, SessionId),
    /// Redis's state is not the base.
    Conflict(Session<D>, Lineage),
    /// The same, and Redis has it under the id that it had before it was renamed here.
    ConflictElsewhere(Session<D>, Lineage),
}

impl<D: SessionData> RedisStore<D> {
    /// The runtime on which the store was built.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// What the store's connections learn.
    pub(crate) fn news(&self) -> &News {
        &self.news
    }

    /// The session whose tombstone has this key.
    pub(crate) fn destroyed(&self, key: &[u8]) -> Option<SessionId> {
        self.keys.destroyed(key)
    }

    /// The source of jitter.
    pub(crate) fn randomness(&self) -> &Randomness {
        self.servers.randomness()
    }

    /// Waits, without limit, for a connection that the circuit breaker lets calls through.
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

    pub(crate) async fn operate(
        &self,
        id: &SessionId,
        operation: &Operation<D>,
        ttl: Duration,
        call: Call,
    ) -> Result<Answer<D>, StoreError> {
        let left = |(version, lineage)| Answer::at(version).of(lineage);
        match operation {
            Operation::Create(data) => {
                self.create_from(id, data, ttl, call).await.map(|version| Answer::at(version).of(call.line))
            }
            Operation::Get if self.sliding => {
                let found = self.read_sliding(id, ttl, call.deadline).await?;
                Ok(found.map_or_else(Answer::absent, |stored| Answer::read(Some(stored.session)).of(stored.lineage)))
            }
            Operation::Get | Operation::Peek => {
                let found =
                    self.read_with_life(id, call.deadline).await.map_err(|error| self.note_unreadable(id, error))?;
                Ok(found.unwrap_or_else(Answer::absent))
            }
            Operation::Put(data) => self.put_from(id, data, ttl, call).await.map(left),
            Operation::Update(expected, data) => self.update_from(id, *expected, data, ttl, call).await.map(left),
            Operation::Append(item) => {
                self.append_from(id, item, ttl, call).await.map(|version| Answer::at(version).of(call.line))
            }
            Operation::Rename(to) => self.rename_from(id, to, ttl, call).await,
            Operation::Touch => self.extend(id, ttl, call.deadline).await.map(Answer::touched),
            Operation::Destroy => {
                let removed = self.remove(id, 0, None, call.deadline).await?;
                Ok(removed.map_or_else(Answer::absent, |removed| left((removed.tombstone, removed.lineage))))
            }
        }
    }

    /// One page of all session ids, starting at `cursor` (`0` at first), and the next cursor (`0`: this was the last
    /// page). An id may appear twice.
    pub(crate) async fn page(&self, cursor: &[u8]) -> Result<(Vec<u8>, Vec<SessionId>), StoreError> {
        let servers = self.servers.all(self.deadline()).await?;
        let place = ScanPlace::parse(cursor, &servers)?;
        let (inner, keys) = self.scan(&servers[place.server], &place.cursor).await?;
        let next = place.next(inner, &servers);
        Ok((next, keys.iter().filter_map(|key| self.keys.id(key)).collect()))
    }

    /// Reads a session and its remaining lifetime, without extending it.
    pub(crate) async fn read_with_life(
        &self,
        id: &SessionId,
        deadline: Instant,
    ) -> Result<Option<Answer<D>>, StoreError> {
        let mut request = Request::script(&script::PEEK, 1, 0);
        request.arg(self.keys.session(id));
        let parts = match self.send(&request, deadline).await? {
            Value::Nil => return Ok(None),
            Value::Array(parts) => parts,
            _ => return Err(unexpected()),
        };
        let Ok([Value::BulkString(value), Value::Int(left)]) = <[Value; 2]>::try_from(parts) else {
            return Err(unexpected());
        };
        let stored: Stored<D> = self.codec.coder().decode(self.place(id), value)?;
        // This store never writes a key without an expiry.
        let lives = u64::try_from(left).ok().map(Duration::from_millis);
        Ok(Some(Answer { lives, ..Answer::read(Some(stored.session)).of(stored.lineage) }))
    }

    /// Proves by a write that Redis accepts writes: a server that refuses them still answers a PING.
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
        // Chance decides which node a key falls on. A prefix with a hash tag has only one node.
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

    /// Writes a session back. `began`: a time before the job was taken. Each request ends by `deadline`, or within the
    /// deadline of a call.
    pub(crate) async fn write_back(
        &self,
        id: &SessionId,
        returning: Returning<'_, D>,
        began: Instant,
        deadline: Option<Instant>,
    ) -> Result<WriteBack<D>, StoreError> {
        let Returning { data, base, ttl, line, others, .. } = returning;
        let mut times = Times::new(began, base.map(|base| (base.version, base.heard)), returning.made);
        loop {
            let deadline = deadline.unwrap_or_else(|| self.deadline());
            let mut writing = self.moving(&script::WRITE_BACK, id, others, data, ttl, line)?;
            let request = &mut writing.request;
            request.arg(base.map_or(0, |base| base.version)).arg(returning.version);
            times.add_made(request);
            request.arg(if returning.maybe_deleted { self.keys.instance() } else { "" });
            request.arg(base.map_or_else(String::new, |base| base.lineage.write_text()));
            times.add_heard(request);
            if !others.is_empty() {
                request.arg(self.keys.instance());
                for other in others {
                    request.arg(other.as_str());
                }
            }
            times.asking();
            let said = self.decide(&writing.request, id, ttl, deadline).await?;
            let Some(told) = self.told(id, others, said, line, &mut times)? else { continue };
            if matches!(told, WriteBack::Written(..)) {
                self.written(&writing);
            }
            return Ok(told);
        }
    }

    /// Extends the life of a session that was used elsewhere, if Redis's copy is still the base. `began` and `deadline`
    /// as in [`write_back`](Self::write_back).
    pub(crate) async fn extend_back(
        &self,
        id: &SessionId,
        base: Ancestor,
        ttl: Duration,
        began: Instant,
        deadline: Option<Instant>,
    ) -> Result<WriteBack<D>, StoreError> {
        let mut times = Times::new(began, Some((base.version, base.heard)), None);
        loop {
            let deadline = deadline.unwrap_or_else(|| self.deadline());
            let mut request = self.about(&script::EXTEND_BACK, id);
            request.arg(millis(ttl)).arg(base.version).arg(base.lineage.write_text());
            times.add_heard(&mut request);
            times.asking();
            let said = self.decide(&request, id, ttl, deadline).await?;
            if let Value::Array(parts) = &said {
                match parts.as_slice() {
                    [Value::Int(0)] => return Ok(WriteBack::Missing),
                    [Value::Int(1)] => return Ok(WriteBack::Written(base.version, base.lineage)),
                    _ => {}
                }
            }
            if let Some(told) = self.told(id, &[], said, base.lineage, &mut times)? {
                return Ok(told);
            }
        }
    }

    /// What an answer means; `None`: ask again.
    fn told(
        &self,
        id: &SessionId,
        others: &[SessionId],
        said: Value,
        line: Lineage,
        times: &mut Times,
    ) -> Result<Option<WriteBack<D>>, StoreError> {
        let Value::Array(mut parts) = said else { return Err(unexpected()) };
        let tombstone = |version: &i64| version.unsigned_abs();
        let other = |which: &[Value]| match which {
            [Value::Int(which @ 1..)] => usize::try_from(*which - 1).ok().and_then(|at| others.get(at)),
            _ => None,
        };
        Ok(Some(match parts.as_mut_slice() {
            [Value::Int(1), Value::Int(version), root] => {
                WriteBack::Written(version.unsigned_abs(), line.rooted(root_of(root)?))
            }
            [Value::Int(2), Value::Int(stone), Value::Int(time), Value::Int(now), which @ ..] => {
                match times.rule(tombstone(stone), *time, *now) {
                    Ruling::AskAgain => return Ok(None),
                    Ruling::Destroyed { doubtful } => {
                        let under = other(which).cloned();
                        WriteBack::Destroyed { tombstone: tombstone(stone), doubtful, under }
                    }
                }
            }
            [Value::Int(3), Value::Int(_), Value::BulkString(value), which @ ..] => {
                let other = other(which);
                let at = other.unwrap_or(id);
                let theirs: Result<Stored<D>, _> = self.codec.coder().decode(self.place(at), std::mem::take(value));
                let Stored { mut session, lineage, .. } = theirs.map_err(|error| self.note_unreadable(at, error))?;
                if other.is_none() {
                    return Ok(Some(WriteBack::Conflict(session, lineage)));
                }
                session.data = renamed(session.data, id);
                WriteBack::ConflictElsewhere(session, lineage)
            }
            [Value::Int(4), Value::Int(stone), Value::BulkString(heir), times_of @ ..] => {
                if let [Value::Int(time), Value::Int(now)] = times_of
                    && times.rule(tombstone(stone), *time, *now) == Ruling::AskAgain
                {
                    return Ok(None);
                }
                let heir = std::str::from_utf8(heir).ok().and_then(SessionId::new).ok_or_else(unexpected)?;
                WriteBack::Renamed(tombstone(stone), heir)
            }
            _ => return Err(unexpected()),
        }))
    }

    /// Destroys a session that a fallback has destroyed at `version`, and returns the version of its tombstone. `heir`: the
    /// id that the fallback gave it before; without one, the session is destroyed also under the id that another process
    /// gave it.
    pub(crate) async fn destroy_back(
        &self,
        id: &SessionId,
        version: Version,
        heir: Option<&SessionId>,
        deadline: Instant,
    ) -> Result<Version, StoreError> {
        let removed = self.remove(id, version, heir, deadline).await?;
        let mut next = removed.as_ref().and_then(|removed| removed.heir.clone()).filter(|_| heir.is_none());
        for _ in 0..MOST_RENAMES {
            let Some(id) = next else { break };
            next = self.remove(&id, 1, None, deadline).await?.and_then(|removed| removed.heir);
        }
        Ok(removed.map_or(version, |removed| removed.tombstone))
    }
}

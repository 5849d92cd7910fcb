//! How an operation becomes a call: its script with keys and arguments, its value, and the meaning of the reply.

use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::Instant;

use super::index::Upkeep;
use super::request::Request;
use super::script::SessionScript;
use super::store::RedisStore;
use crate::clock::{from_now, millis};
use crate::data::SessionData;
use crate::error::StoreError;
use crate::lineage::{self, Lineage};
use crate::store::{SessionId, Version};

/// Values up to this size go as an argument of their script; larger ones are sent ahead (see [`request`]).
const INLINE_MAX: usize = 4_096;
/// How long a value sent ahead waits for its script, which arrives in the same round trip.
const STAGED_LIFE_MS: u64 = 10_000;

/// How much of a value sent ahead its script has to see: enough to tell whether it is encrypted.
const BEGINNING: usize = 64;

/// How one operation is sent.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    /// The write, if it is one.
    pub(crate) line: Lineage,
    /// The latest time for the reply, however many requests the call needs.
    pub(crate) deadline: Instant,
}

/// A write of a whole session, ready to send.
pub(super) struct Writing {
    pub(super) request: Request,
    pub(super) upkeep: Upkeep,
    line: Lineage,
}

impl<D: SessionData> RedisStore<D> {
    /// Carries out one request by `deadline`, if the circuit breaker lets it through. Repeats it as often as the retry
    /// profile allows, and only while it certainly had no effect.
    pub(super) async fn send(&self, request: &Request, deadline: Instant) -> Result<Value, StoreError> {
        self.servers.call(request, deadline, self.command_timeout).await
    }

    /// Runs a script about one session, and then what it leaves to do in the user's index.
    pub(super) async fn decide(
        &self,
        request: &Request,
        id: &SessionId,
        ttl: Duration,
        deadline: Instant,
    ) -> Result<Value, StoreError> {
        let said = self.send(request, deadline).await?;
        if self.is_far() { self.follow_up(said, id, ttl, deadline).await } else { Ok(said) }
    }

    /// Whether users' indexes may be on other servers than the sessions.
    pub(super) fn is_far(&self) -> bool {
        self.servers.is_cluster()
    }

    /// Starts a script about one session.
    pub(super) fn about(&self, script: &'static SessionScript, id: &SessionId) -> Request {
        self.opening(script, id, None, &[], 0)
    }

    /// `others`: other ids of the session, only with a value sent ahead.
    pub(super) fn opening(
        &self,
        script: &'static SessionScript,
        id: &SessionId,
        staging: Option<&str>,
        others: &[SessionId],
        bytes: usize,
    ) -> Request {
        let keys = match staging {
            Some(_) => 3 + 2 * others.len(),
            None => 1 + usize::from(script.tombstone),
        };
        let mut request = Request::script(script.make(self.is_far()), keys, bytes);
        request.arg(self.keys.session(id));
        if keys > 1 {
            request.arg(self.keys.tombstone(id));
        }
        request.arg(staging);
        for other in others {
            request.arg(self.keys.session(other)).arg(self.keys.tombstone(other));
        }
        request.arg(self.keys.prefix()).arg(id.as_str());
        request
    }

    /// Starts a script that writes a session whole.
    pub(super) fn writing(
        &self,
        script: &'static SessionScript,
        id: &SessionId,
        data: &D,
        ttl: Duration,
        line: Lineage,
    ) -> Result<Writing, StoreError> {
        self.moving(script, id, &[], data, ttl, line)
    }

    /// Starts a script that writes a session whole and takes it from these other ids, if it has any.
    pub(super) fn moving(
        &self,
        script: &'static SessionScript,
        id: &SessionId,
        others: &[SessionId],
        data: &D,
        ttl: Duration,
        line: Lineage,
    ) -> Result<Writing, StoreError> {
        let coder = self.codec.coder();
        let user = coder.user(data.user());
        let recent = self.value_bytes.load(Ordering::Relaxed);
        // The third key is then always the value's.
        let ahead = recent > INLINE_MAX || !others.is_empty();
        let staging = ahead.then(|| self.keys.staging(id));
        // Most sessions are of similar size, so the buffer rarely has to grow.
        let capacity = recent + 256;
        let bytes = if staging.is_some() { 0 } else { capacity };
        let mut request = self.opening(script, id, staging.as_deref(), others, bytes);
        request.arg(millis(ttl)).arg(&user);
        let value = coder.encode(self.place(id), &user, data, line, capacity)?;
        match &staging {
            Some(key) => {
                request = request.after(staged(key, &value));
                request.arg(&value[..BEGINNING.min(value.len())]);
            }
            None => drop(request.arg(&value)),
        }
        // The estimate follows the large values: sending a small one ahead costs next to nothing.
        self.value_bytes.store(value.len().max(recent - recent / 8), Ordering::Relaxed);
        let upkeep = self.index_ages.upkeep(user, ttl);
        request.arg(u8::from(upkeep.is_due()));
        Ok(Writing { request, upkeep, line })
    }

    /// Carries out a write and returns what it left; 0 or less: nothing was written.
    pub(super) async fn write(
        &self,
        writing: Writing,
        id: &SessionId,
        deadline: Instant,
    ) -> Result<(i64, Lineage), StoreError> {
        let (version, root) = numbered(self.decide(&writing.request, id, writing.upkeep.ttl(), deadline).await?)?;
        if version > 0 {
            self.written(&writing);
        }
        Ok((version, root.map_or(writing.line, |root| writing.line.rooted(root))))
    }

    /// Records that a write has extended the index, if its script could.
    pub(super) fn written(&self, writing: &Writing) {
        if !self.is_far() {
            self.index_ages.kept(&writing.upkeep);
        }
    }

    /// Runs a script about one session that returns a number.
    pub(super) async fn run(
        &self,
        request: &Request,
        id: &SessionId,
        ttl: Duration,
        deadline: Instant,
    ) -> Result<i64, StoreError> {
        match self.decide(request, id, ttl, deadline).await? {
            Value::Int(number) => Ok(number),
            _ => Err(unexpected()),
        }
    }

    /// A new write, with the full time of a call.
    pub(super) fn call(&self) -> Call {
        Call { line: Lineage::random(), deadline: self.deadline() }
    }

    pub(super) fn deadline(&self) -> Instant {
        from_now(self.command_timeout)
    }
}

/// What a script returns for a state: its version, and its root if the script returns one.
pub(super) fn numbered(answer: Value) -> Result<(i64, Option<u32>), StoreError> {
    match answer {
        Value::Int(version) => Ok((version, None)),
        Value::Array(parts) => match parts.as_slice() {
            [Value::Int(version), root, ..] => Ok((*version, Some(root_of(root)?))),
            _ => Err(unexpected()),
        },
        _ => Err(unexpected()),
    }
}

/// The command that sends a value ahead.
pub(super) fn staged(key: &str, value: &[u8]) -> Cmd {
    let mut ahead = Cmd::with_capacity(5, key.len() + value.len() + 32);
    ahead.arg("SET").arg(key).arg(value).arg("PX").arg(STAGED_LIFE_MS);
    ahead
}

/// A session's root, as a script returns it; 0 if the value has none.
pub(super) fn root_of(value: &Value) -> Result<u32, StoreError> {
    match value {
        Value::BulkString(text) if text.is_empty() => Ok(0),
        Value::BulkString(text) => std::str::from_utf8(text).ok().and_then(lineage::root).ok_or_else(unexpected),
        _ => Err(unexpected()),
    }
}

/// The reply of a script that returns 0 if there is no session, and minus the current version on a conflict.
pub(super) fn found(answer: i64) -> Result<Version, StoreError> {
    match answer {
        0 => Err(StoreError::NotFound),
        version if version > 0 => Ok(version.unsigned_abs()),
        current => Err(StoreError::Conflict { current: current.unsigned_abs() }),
    }
}

pub(super) fn unexpected() -> StoreError {
    StoreError::Corrupt { reason: "the server's answer has an unexpected form".to_owned() }
}

//! Sessions in Redis, shared by every process that uses the same prefix.
//!
//! A session is one key with one JSON text as its value ([`envelope`]); value and lifetime change in one command or
//! script, always. Reads are a single `GETEX`, which slides the expiry in the same round trip; writes are scripts that
//! count the version on the server ([`script`]). An append whose data allows it sends the new item alone. Every call
//! has a deadline of its own, which begins before a connection is waited for ([`link`]); nothing with an unknown outcome
//! is ever sent again, and an error says which it is ([`failure`]).

pub(crate) mod back;
mod config;
mod connector;
mod envelope;
mod failure;
mod index;
mod keys;
mod link;
mod script;

use std::cell::Cell;
use std::time::Duration;

use async_trait::async_trait;
use hashbrown::HashSet;
use redis::{Cmd, RedisWrite, ToRedisArgs, Value};
use tokio::runtime::Handle;
use tokio::time::Instant;

pub use config::{BuildError, RedisBuilder};
pub use connector::InvalidUrl;

use crate::data::{SessionData, Splice};
use crate::error::StoreError;
use crate::store::{Acked, Health, HealthStatus, Session, SessionId, SessionStore, Version};
use connector::Connector;
use failure::Verdict;
use index::IndexAges;
use keys::{Keys, encode_user};
use link::Link;
pub(crate) use link::{Backoff, Pace};
use script::Script;

/// How often an append without a splice starts over after another write got in between.
const APPEND_ROUNDS: usize = 16;
/// Keys looked at per step of a count: some tens of microseconds of the server's time.
const SCAN_STEP: usize = 500;

/// A store in Redis.
pub struct RedisStore<D> {
    link: Link,
    keys: Keys,
    runtime: Handle,
    command_timeout: Duration,
    connect_timeout: Duration,
    health_timeout: Duration,
    sliding: bool,
    index_ages: IndexAges,
    data: std::marker::PhantomData<fn() -> D>,
}

impl<D: SessionData> RedisStore<D> {
    /// Starts to describe a store at `redis://[[user]:password@]host[:port][/db]`.
    pub fn builder(url: &str) -> RedisBuilder<D> {
        RedisBuilder::new(url)
    }

    fn start(config: RedisBuilder<D>, connector: Connector, runtime: Handle) -> Self {
        let first_wait = config.command_timeout.min(config.connect_timeout);
        Self {
            link: Link::start(connector, config.pace, first_wait, &runtime),
            keys: Keys::new(config.prefix),
            runtime,
            command_timeout: config.command_timeout,
            connect_timeout: config.connect_timeout,
            health_timeout: config.health_timeout,
            sliding: config.sliding,
            index_ages: IndexAges::default(),
            data: std::marker::PhantomData,
        }
    }

    /// Waits for the first connection, at most the connect deadline: for a start that must not go on without Redis.
    pub async fn connect(&self) -> Result<(), StoreError> {
        let connected = tokio::time::timeout(self.connect_timeout, self.link.connected()).await;
        match connected {
            Ok(()) => self.ping(Instant::now() + self.command_timeout).await.map(|_| ()),
            Err(_) => self.link.connection(Instant::now()).await.map(|_| ()),
        }
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.link.is_up()
    }

    /// Attempts to connect since the store was built.
    pub fn connect_attempts(&self) -> u64 {
        self.link.attempts()
    }

    async fn ping(&self, deadline: Instant) -> Result<Duration, StoreError> {
        let began = Instant::now();
        self.send(&redis::cmd("PING"), None, deadline).await?;
        Ok(began.elapsed())
    }

    /// Carries out one command by `deadline`.
    async fn send(&self, cmd: &Cmd, script: Option<&Script>, deadline: Instant) -> Result<Value, StoreError> {
        let (mut connection, generation) = self.link.connection(deadline).await?;
        let mut answer = tokio::time::timeout_at(deadline, connection.send_packed_command(cmd)).await;
        if let (Ok(reply), Some(script)) = (&answer, script)
            && verdict(reply) == Verdict::NoScript
        {
            let by_text = script.by_text(cmd);
            answer = tokio::time::timeout_at(deadline, connection.send_packed_command(&by_text)).await;
        }
        let Ok(reply) = answer else {
            self.link.replace(generation, "a call was not answered in time");
            return Err(StoreError::Timeout { deadline: self.command_timeout });
        };
        reply.and_then(Value::extract_error).map_err(|error| {
            let (error, verdict) = failure::judge(&error);
            if verdict == Verdict::Replace {
                self.link.replace(generation, &error.to_string());
            }
            error
        })
    }

    /// Starts the command that runs a script about one session.
    fn about(&self, script: &Script, id: &SessionId) -> Cmd {
        let mut cmd = script.by_hash(2);
        cmd.arg(self.keys.session(id)).arg(self.keys.tombstone(id)).arg(self.keys.prefix()).arg(id.as_str());
        cmd
    }

    /// Starts the command that writes a session whole, its data serialised straight into the command's buffer.
    fn writing(&self, script: &Script, id: &SessionId, data: &D, ttl: Duration) -> Result<Cmd, StoreError> {
        let mut cmd = self.about(script, id);
        cmd.arg(millis(ttl)).arg(encoded_user(data));
        let json = Json { data, failed: Cell::new(false) };
        cmd.arg(&json);
        if json.failed.get() { Err(StoreError::Unserializable) } else { Ok(cmd) }
    }

    /// Runs a script that answers with a number.
    async fn run(&self, script: &Script, cmd: Cmd) -> Result<i64, StoreError> {
        match self.send(&cmd, Some(script), self.deadline()).await? {
            Value::Int(number) => Ok(number),
            _ => Err(unexpected()),
        }
    }

    async fn read(&self, id: &SessionId, ttl: Option<Duration>) -> Result<Option<Session<D>>, StoreError> {
        let cmd = match ttl {
            Some(ttl) => {
                let mut cmd = redis::cmd("GETEX");
                cmd.arg(self.keys.session(id)).arg("PX").arg(millis(ttl));
                cmd
            }
            None => {
                let mut cmd = redis::cmd("GET");
                cmd.arg(self.keys.session(id));
                cmd
            }
        };
        match self.send(&cmd, None, self.deadline()).await? {
            Value::Nil => Ok(None),
            Value::BulkString(value) => envelope::decode(&value).map(Some),
            _ => Err(unexpected()),
        }
    }

    async fn keep_index(&self, id: &SessionId, data: &D, ttl: Duration) {
        let Some(user) = data.user().filter(|user| self.index_ages.is_due(user)) else { return };
        let mut cmd = self.about(&script::KEEP_INDEX, id);
        cmd.arg(millis(ttl)).arg(encode_user(&user));
        // The session was read: that the index could not be extended does not make the read fail.
        if self.run(&script::KEEP_INDEX, cmd).await.is_err() {
            self.index_ages.forget(&user);
        }
    }

    async fn splice(
        &self,
        splice: Splice,
        id: &SessionId,
        item: &D::Item,
        ttl: Duration,
    ) -> Result<Version, StoreError> {
        let item_json = serde_json::to_vec(item).map_err(|_| StoreError::Unserializable)?;
        let mark = D::item_mark(item).unwrap_or_default();
        let mut cmd = self.about(&script::APPEND, id);
        cmd.arg(millis(ttl)).arg(item_json).arg(mark).arg(splice.opener).arg(splice.tail);
        found(self.run(&script::APPEND, cmd).await?)
    }

    async fn append_by_version(&self, id: &SessionId, item: &D::Item, ttl: Duration) -> Result<Version, StoreError> {
        let mut current = 0;
        for _ in 0..APPEND_ROUNDS {
            let Some(Session { version, mut data }) = self.read(id, Some(ttl)).await? else {
                return Err(StoreError::NotFound);
            };
            if !data.append(item.clone()) {
                return Ok(version);
            }
            match self.update_from(id, version, &data, ttl).await {
                Err(StoreError::Conflict { current: now }) => current = now,
                other => return other,
            }
        }
        Err(StoreError::Conflict { current })
    }

    async fn create_from(&self, id: &SessionId, data: &D, ttl: Duration) -> Result<Version, StoreError> {
        let cmd = self.writing(&script::CREATE, id, data, ttl)?;
        match self.run(&script::CREATE, cmd).await? {
            0 => Err(StoreError::AlreadyExists),
            version => Ok(version.unsigned_abs()),
        }
    }

    async fn read_sliding(&self, id: &SessionId, ttl: Duration) -> Result<Option<Session<D>>, StoreError> {
        let found = self.read(id, self.sliding.then_some(ttl)).await?;
        if let Some(session) = found.as_ref().filter(|_| self.sliding) {
            self.keep_index(id, &session.data, ttl).await;
        }
        Ok(found)
    }

    async fn put_from(&self, id: &SessionId, data: &D, ttl: Duration) -> Result<Version, StoreError> {
        let cmd = self.writing(&script::PUT, id, data, ttl)?;
        self.run(&script::PUT, cmd).await.map(i64::unsigned_abs)
    }

    async fn update_from(
        &self,
        id: &SessionId,
        expected: Version,
        data: &D,
        ttl: Duration,
    ) -> Result<Version, StoreError> {
        let mut cmd = self.writing(&script::UPDATE, id, data, ttl)?;
        cmd.arg(expected);
        found(self.run(&script::UPDATE, cmd).await?)
    }

    async fn append_from(&self, id: &SessionId, item: &D::Item, ttl: Duration) -> Result<Version, StoreError> {
        match D::SPLICE {
            Some(splice) => self.splice(splice, id, item, ttl).await,
            None => self.append_by_version(id, item, ttl).await,
        }
    }

    async fn extend(&self, id: &SessionId, ttl: Duration) -> Result<bool, StoreError> {
        let mut cmd = self.about(&script::TOUCH, id);
        cmd.arg(millis(ttl));
        Ok(self.run(&script::TOUCH, cmd).await? == 1)
    }

    /// The tombstone's version; `None`: there was no session.
    async fn remove(&self, id: &SessionId, version: Version) -> Result<Option<Version>, StoreError> {
        let mut cmd = self.about(&script::DESTROY, id);
        cmd.arg(version);
        let tombstone = self.run(&script::DESTROY, cmd).await?.unsigned_abs();
        Ok((tombstone != 0).then_some(tombstone))
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.command_timeout
    }
}

#[async_trait]
impl<D: SessionData> SessionStore<D> for RedisStore<D> {
    async fn create(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.create_from(id, &data, ttl).await.map(Acked::primary)
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<D>>>, StoreError> {
        self.read_sliding(id, ttl).await.map(Acked::primary)
    }

    async fn put(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.put_from(id, &data, ttl).await.map(Acked::primary)
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: D,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        self.update_from(id, expected, &data, ttl).await.map(Acked::primary)
    }

    async fn append(&self, id: &SessionId, item: D::Item, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.append_from(id, &item, ttl).await.map(Acked::primary)
    }

    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError> {
        self.extend(id, ttl).await.map(Acked::primary)
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        Ok(Acked::primary(self.remove(id, 0).await?.is_some()))
    }

    /// SCAN in small steps, each with the deadline of a call: it never holds up the server, and takes as long as the
    /// keys are many.
    async fn count(&self) -> Result<Acked<u64>, StoreError> {
        let pattern = self.keys.pattern();
        // A key may be met twice while the server's table is resized.
        let mut seen = HashSet::new();
        let mut cursor = b"0".to_vec();
        loop {
            let mut cmd = redis::cmd("SCAN");
            cmd.arg(&cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCAN_STEP).arg("TYPE").arg("string");
            let reply = self.send(&cmd, None, self.deadline()).await?;
            let (next, page): (Vec<u8>, Vec<Vec<u8>>) = redis::from_redis_value(reply).map_err(|_| unexpected())?;
            seen.extend(page.into_iter().filter(|key| self.keys.is_session(key)));
            cursor = next;
            if cursor == b"0" {
                return Ok(Acked::primary(seen.len() as u64));
            }
        }
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        let mut cmd = script::LIST.by_hash(1);
        cmd.arg(self.keys.user_index(&encode_user(user))).arg(self.keys.prefix()).arg(limit);
        let reply = self.send(&cmd, Some(&script::LIST), self.deadline()).await?;
        let ids: Vec<String> = redis::from_redis_value(reply).map_err(|_| unexpected())?;
        Ok(Acked::primary(ids.iter().filter_map(|id| SessionId::new(id)).collect()))
    }

    async fn cleanup(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn health(&self) -> Health {
        match self.ping(Instant::now() + self.health_timeout).await {
            Ok(latency) => Health { status: HealthStatus::Connected, latency: Some(latency) },
            Err(_) => Health { status: HealthStatus::Disconnected, latency: None },
        }
    }
}

/// Data as one argument of a command.
struct Json<'a, D> {
    data: &'a D,
    failed: Cell<bool>,
}

impl<D: SessionData> ToRedisArgs for Json<'_, D> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        let written = serde_json::to_writer(out.writer_for_next_arg(), self.data);
        self.failed.set(written.is_err());
    }
}

fn encoded_user<D: SessionData>(data: &D) -> String {
    data.user().map(|user| encode_user(&user)).unwrap_or_default()
}

/// A script's answer where 0 says that there is no session and a negative number which version it is at.
fn found(answer: i64) -> Result<Version, StoreError> {
    match answer {
        0 => Err(StoreError::NotFound),
        version if version > 0 => Ok(version.unsigned_abs()),
        current => Err(StoreError::Conflict { current: current.unsigned_abs() }),
    }
}

fn verdict(reply: &redis::RedisResult<Value>) -> Verdict {
    match reply {
        Ok(Value::ServerError(error)) if error.code() == "NOSCRIPT" => Verdict::NoScript,
        Err(error) => failure::judge(error).1,
        Ok(_) => Verdict::Sound,
    }
}

fn unexpected() -> StoreError {
    StoreError::Corrupt { reason: "the server's answer has an unexpected form".to_owned() }
}

/// A lifetime as Redis takes it; it knows none of 0 ms.
fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}

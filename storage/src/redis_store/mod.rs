//! Sessions in Redis, shared by every process that uses the same prefix.
//!
//! A session is one key with one JSON text as its value (`envelope`). Reads are a single `GETEX`, which slides the expiry
//! in the same round trip. Writes are scripts (`script`) that count the version on the server: value, lifetime, the
//! user's index and a destroyed session's tombstone change in one atomic step. An append whose data allows it sends the
//! new item alone, which is spliced into the value in place; a large value goes ahead of its script (`request`).
//!
//! Every call has a deadline of its own, which begins before a connection is waited for (`link`). Nothing with an unknown
//! outcome is ever sent again, and an error says which it is (`failure`). A call that is dropped half-way may still take
//! effect, in its turn; its answer is thrown away and never reaches another caller.
//!
//! Points in time are the server's alone: only durations are sent, so a client's clock that is wrong expires nothing.
//!
//! For a cluster: a session and its tombstone belong into one slot and are the declared keys of their scripts; a user's
//! index is reached through the prefix and lies in a slot of its own, so there it has to be kept by a second call.

mod address;
pub(crate) mod back;
mod codec;
mod config;
mod connector;
mod deployment;
mod dial;
mod envelope;
mod failure;
mod index;
mod info;
mod keys;
mod link;
mod request;
mod retry;
mod script;
mod sealed;
mod sealing;
mod sentinel;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hashbrown::HashSet;
use redis::{Cmd, ToRedisArgs, Value};
use tokio::runtime::Handle;
use tokio::time::Instant;

pub use config::{BuildError, RedisBuilder};
pub use deployment::{Credentials, Deployment, DeploymentError};
pub use dial::InvalidUrl;
pub use tls::{ClientCertificate, TlsError, TlsOptions};

use crate::breaker::{Breaker, BreakerStats};
use crate::data::{SessionData, Splice};
use crate::error::StoreError;
use crate::event::EventSink;
use crate::store::{Acked, Health, HealthStatus, Session, SessionId, SessionStore, Version};
use codec::Codec;
use connector::Connector;
use envelope::Unversioned;
use failure::Verdict;
use index::{IndexAges, Upkeep};
use info::ServerInfo;
use keys::Keys;
use link::Link;
use request::Request;
pub(crate) use retry::Backoff;
pub use retry::{Growth, RetryProfile, UnknownProfile};
use script::Script;

/// How often an append without a splice starts over after another write got in between.
const APPEND_ROUNDS: usize = 16;
/// Keys looked at per step of a count: some tens of microseconds of the server's time.
const SCAN_STEP: usize = 500;

/// While values are up to this size they go as an argument of their script; larger ones are sent ahead (see [`request`]).
const INLINE_MAX: usize = 4_096;
/// How long a value that was sent ahead waits for its script, which comes with the same bytes.
const STAGED_LIFE_MS: u64 = 10_000;

/// Connections of a store since it was built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// Whether there is one now.
    pub connected: bool,
    /// Attempts to connect.
    pub attempts: u64,
    /// Connections that were put to use.
    pub opened: u64,
    /// Connections that were lost again, or given up because a call over them was not answered.
    pub lost: u64,
}

/// A store in Redis.
pub struct RedisStore<D> {
    link: Link,
    retry: RetryProfile,
    keys: Keys,
    runtime: Handle,
    command_timeout: Duration,
    connect_timeout: Duration,
    health_timeout: Duration,
    sliding: bool,
    breaker: Option<Arc<Breaker>>,
    codec: Codec,
    events: EventSink,
    unreadable: AtomicU64,
    index_ages: IndexAges,
    /// The size of the values written lately.
    value_bytes: AtomicUsize,
    data: std::marker::PhantomData<fn() -> D>,
}

/// A write of a whole session on its way.
struct Writing {
    request: Request,
    upkeep: Upkeep,
}

/// A stored session as it was read.
pub(crate) struct Stored<D> {
    session: Session<D>,
    /// The user as in the value, by which their index is named; empty for nobody.
    user: String,
}

impl<D: SessionData> RedisStore<D> {
    /// Starts to describe a store at `redis[s]://[[user]:password@]host[:port][/db]`.
    pub fn builder(url: &str) -> RedisBuilder<D> {
        RedisBuilder::new(url)
    }

    fn start(config: RedisBuilder<D>, connector: Connector, runtime: Handle) -> Self {
        let first_wait = config.command_timeout.min(config.connect_timeout);
        Self {
            link: Link::start(connector, config.pace, first_wait, &runtime),
            retry: config.pace.retry,
            keys: Keys::new(config.prefix),
            runtime,
            command_timeout: config.command_timeout,
            connect_timeout: config.connect_timeout,
            health_timeout: config.health_timeout,
            sliding: config.sliding,
            breaker: config.breaker.map(|breaker| Breaker::new(breaker, Arc::clone(&config.events))),
            codec: Codec::new(config.keyring),
            events: config.events,
            unreadable: AtomicU64::new(0),
            index_ages: IndexAges::default(),
            value_bytes: AtomicUsize::new(0),
            data: std::marker::PhantomData,
        }
    }

    /// Waits for the first connection, at most the connect deadline: for a start that must not go on without Redis.
    pub async fn connect(&self) -> Result<(), StoreError> {
        // An attempt keeps the deadline itself; the moment more is for what it has to say.
        let patience = self.connect_timeout + Duration::from_millis(250);
        let connected = tokio::time::timeout(patience, self.link.connected()).await;
        match connected {
            Ok(()) => self.ping().await.map(|_| ()),
            Err(_) => self.link.connection(Instant::now()).await.map(|_| ()),
        }
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.link.is_up()
    }

    /// Connections since the store was built.
    pub fn connections(&self) -> ConnectionStats {
        let [attempts, opened, lost] = self.link.counts();
        ConnectionStats { connected: self.is_connected(), attempts, opened, lost }
    }

    /// What the server says of itself. A user may lack the right to ask.
    async fn info(&self) -> Result<ServerInfo, StoreError> {
        let reply = self.send_unguarded(Request::plain("INFO"), self.deadline()).await?;
        let text: String = redis::from_redis_value(reply).map_err(|_| unexpected())?;
        Ok(ServerInfo::parse(&text))
    }

    /// The health of a server that answered in `latency`, and whether calls reach it.
    fn guarded(&self, health: Health, latency: Duration) -> Health {
        let health = Health { latency: Some(latency), ..health };
        match &self.breaker {
            Some(breaker) if !breaker.is_closed() => Health {
                status: HealthStatus::Degraded,
                reason: Some("Redis answers, and the circuit breaker has not closed yet".to_owned()),
                ..health
            },
            _ => health,
        }
    }

    /// Attempts to connect since the store was built.
    pub fn connect_attempts(&self) -> u64 {
        self.link.attempts()
    }

    /// The counters of the circuit breaker; all zero where there is none.
    pub fn breaker_stats(&self) -> BreakerStats {
        self.breaker.as_ref().map(|breaker| breaker.stats()).unwrap_or_default()
    }

    /// Operations since the store was built that met a value which does not decrypt or parse.
    pub fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    async fn ping(&self) -> Result<Duration, StoreError> {
        let began = Instant::now();
        self.send_unguarded(Request::plain("PING"), self.deadline()).await?;
        Ok(began.elapsed())
    }

    /// Carries out one request by `deadline`, as often as the retry profile allows and it certainly had no effect.
    async fn send(&self, request: Request, deadline: Instant) -> Result<Value, StoreError> {
        for failures in 1..=self.retry.per_request {
            let error = match self.send_once(request.clone(), deadline).await {
                Err(error) if failure::is_passing(&error) => error,
                done => return done,
            };
            let again = Instant::now() + self.retry.jittered(failures);
            if again >= deadline {
                return Err(error);
            }
            tokio::time::sleep_until(again).await;
        }
        self.send_once(request, deadline).await
    }

    /// Carries out one request by `deadline`, if the circuit breaker lets it through.
    async fn send_once(&self, request: Request, deadline: Instant) -> Result<Value, StoreError> {
        let permit = self.breaker.as_ref().map(Breaker::admit).transpose()?;
        let answer = self.send_unguarded(request, deadline).await;
        if let Some(permit) = permit {
            permit.settle(answer.as_ref().err());
        }
        answer
    }

    /// Neither refused nor counted by the breaker: for whoever only asks how the server is, which must not take a
    /// probe's place nor be the one that closes the breaker.
    async fn send_unguarded(&self, request: Request, deadline: Instant) -> Result<Value, StoreError> {
        let (mut wire, generation) = self.link.connection(deadline).await?;
        match tokio::time::timeout_at(deadline, request.send(&mut wire.connection)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let (error, verdict) = failure::judge(&error);
                if verdict == Verdict::Replace {
                    self.link.replace(generation, &error.to_string());
                }
                Err(error)
            }
            Err(_) => {
                self.link.replace(generation, "a call was not answered in time");
                Err(StoreError::Timeout { deadline: self.command_timeout })
            }
        }
    }

    /// Starts a script about one session.
    fn about(&self, script: &'static Script, id: &SessionId) -> Request {
        let mut request = Request::script(script, 2, 0);
        request.arg(self.keys.session(id)).arg(self.keys.tombstone(id)).arg(self.keys.prefix()).arg(id.as_str());
        request
    }

    /// Starts a script that writes a session whole.
    fn writing(&self, script: &'static Script, id: &SessionId, data: &D, ttl: Duration) -> Result<Writing, StoreError> {
        let coder = self.codec.coder();
        let user = coder.user(data.user());
        let recent = self.value_bytes.load(Ordering::Relaxed);
        let staging = (recent > INLINE_MAX).then(|| self.keys.staging());
        // Sessions are mostly of one size: the buffer need not grow step by step.
        let capacity = recent + 256;
        let inline = if staging.is_some() { 0 } else { capacity };
        let mut request = Request::script(script, if staging.is_some() { 3 } else { 2 }, inline);
        request.arg(self.keys.session(id)).arg(self.keys.tombstone(id)).arg(staging.as_deref());
        request.arg(self.keys.prefix()).arg(id.as_str()).arg(millis(ttl)).arg(&user);
        let written = match (coder.keys(), &staging) {
            (None, Some(key)) => {
                let value = Unversioned::whole(data, &user);
                request = request.after(staged(key, &value, capacity));
                request.arg(envelope::BODY);
                value.written()?
            }
            (None, None) => {
                let value = Unversioned::without_head(data);
                request.arg(&value);
                value.written()?
            }
            (Some(keys), Some(key)) => {
                let value = sealed::whole(keys, self.place(id), &user, data, capacity)?;
                request = request.after(staged(key, &value, capacity));
                request.arg(sealed::BODY);
                value.len()
            }
            (Some(keys), None) => {
                let value = sealed::without_head(keys, self.place(id), &user, data, capacity)?;
                request.arg(&value);
                value.len()
            }
        };
        // Where sizes differ, the large ones count: a small value sent ahead costs next to nothing.
        self.value_bytes.store(written.max(recent - recent / 8), Ordering::Relaxed);
        let upkeep = self.index_ages.upkeep(user, ttl);
        request.arg(u8::from(upkeep.is_due()));
        Ok(Writing { request, upkeep })
    }

    /// Carries out a write; 0 and below: nothing was written.
    async fn write(&self, writing: Writing, deadline: Instant) -> Result<i64, StoreError> {
        let answer = self.run(writing.request, deadline).await?;
        if answer > 0 {
            self.index_ages.kept(&writing.upkeep);
        }
        Ok(answer)
    }

    /// Runs a script that answers with a number.
    async fn run(&self, request: Request, deadline: Instant) -> Result<i64, StoreError> {
        match self.send(request, deadline).await? {
            Value::Int(number) => Ok(number),
            _ => Err(unexpected()),
        }
    }

    async fn read(
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
        match self.send(request, deadline).await? {
            Value::Nil => Ok(None),
            Value::BulkString(value) => coder.decode(self.place(id), value).map(Some),
            _ => Err(unexpected()),
        }
    }

    async fn keep_index(&self, id: &SessionId, user: String, ttl: Duration, deadline: Instant) {
        let upkeep = self.index_ages.upkeep(user, ttl);
        if !upkeep.is_due() {
            return;
        }
        let mut request = self.about(&script::KEEP_INDEX, id);
        request.arg(millis(ttl)).arg(upkeep.user());
        // The session was read: that the index could not be extended does not make the read fail.
        if self.run(request, deadline).await.is_ok() {
            self.index_ages.kept(&upkeep);
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
        let mut request = self.about(&script::APPEND, id);
        request.arg(millis(ttl)).arg(item_json).arg(mark).arg(splice.opener).arg(splice.tail);
        found(self.run(request, self.deadline()).await?)
    }

    async fn append_by_version(&self, id: &SessionId, item: &D::Item, ttl: Duration) -> Result<Version, StoreError> {
        let deadline = self.deadline();
        let mut current = 0;
        for _ in 0..APPEND_ROUNDS {
            let Some(stored) = self.read(id, Some(ttl), deadline).await? else {
                return Err(StoreError::NotFound);
            };
            let Session { version, mut data } = stored.session;
            if !data.append(item.clone()) {
                return Ok(version);
            }
            match self.update_by(id, version, &data, ttl, deadline).await {
                Err(StoreError::Conflict { current: now }) => current = now,
                other => return other,
            }
        }
        Err(StoreError::Conflict { current })
    }

    async fn create_from(&self, id: &SessionId, data: &D, ttl: Duration) -> Result<Version, StoreError> {
        let writing = self.writing(&script::CREATE, id, data, ttl)?;
        match self.write(writing, self.deadline()).await? {
            0 => Err(StoreError::AlreadyExists),
            version => Ok(version.unsigned_abs()),
        }
    }

    async fn read_sliding(&self, id: &SessionId, ttl: Duration) -> Result<Option<Session<D>>, StoreError> {
        let deadline = self.deadline();
        let found = self.read(id, self.sliding.then_some(ttl), deadline).await;
        let found = found.map_err(|error| self.note_unreadable(id, error))?;
        let Some(stored) = found else { return Ok(None) };
        if self.sliding {
            self.keep_index(id, stored.user, ttl, deadline).await;
        }
        Ok(Some(stored.session))
    }

    async fn put_from(&self, id: &SessionId, data: &D, ttl: Duration) -> Result<Version, StoreError> {
        let writing = self.writing(&script::PUT, id, data, ttl)?;
        self.write(writing, self.deadline()).await.map(i64::unsigned_abs)
    }

    async fn update_from(
        &self,
        id: &SessionId,
        expected: Version,
        data: &D,
        ttl: Duration,
    ) -> Result<Version, StoreError> {
        let updated = self.update_by(id, expected, data, ttl, self.deadline()).await;
        updated.map_err(|error| self.note_unreadable(id, error))
    }

    async fn update_by(
        &self,
        id: &SessionId,
        expected: Version,
        data: &D,
        ttl: Duration,
        deadline: Instant,
    ) -> Result<Version, StoreError> {
        let mut writing = self.writing(&script::UPDATE, id, data, ttl)?;
        writing.request.arg(expected);
        found(self.write(writing, deadline).await?)
    }

    async fn append_from(&self, id: &SessionId, item: &D::Item, ttl: Duration) -> Result<Version, StoreError> {
        let coder = self.codec.coder();
        let appended = match (coder.keys(), D::SPLICE) {
            (Some(keys), _) => self.append_sealed(keys, id, item, ttl).await,
            (None, Some(splice)) => match self.splice(splice, id, item, ttl).await {
                // Perhaps an older release wrote it, and the list of items is not at its end.
                Err(StoreError::Corrupt { .. }) => self.append_by_version(id, item, ttl).await,
                done => done,
            },
            (None, None) => self.append_by_version(id, item, ttl).await,
        };
        appended.map_err(|error| self.note_unreadable(id, error))
    }

    async fn extend(&self, id: &SessionId, ttl: Duration) -> Result<bool, StoreError> {
        let mut request = self.about(&script::TOUCH, id);
        request.arg(millis(ttl));
        Ok(self.run(request, self.deadline()).await? == 1)
    }

    /// The tombstone's version; `None`: there was no session.
    async fn remove(&self, id: &SessionId, version: Version) -> Result<Option<Version>, StoreError> {
        let mut request = self.about(&script::DESTROY, id);
        request.arg(version).arg(self.keys.instance());
        let tombstone = self.run(request, self.deadline()).await?.unsigned_abs();
        Ok((tombstone != 0).then_some(tombstone))
    }

    /// One step over the keys of all sessions, and where the next one begins.
    async fn scan(&self, cursor: &[u8]) -> Result<(Vec<u8>, Vec<Vec<u8>>), StoreError> {
        let pattern = self.keys.pattern();
        let mut request = Request::plain("SCAN");
        request.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCAN_STEP).arg("TYPE").arg("string");
        let reply = self.send(request, self.deadline()).await?;
        let (next, mut page): (Vec<u8>, Vec<Vec<u8>>) = redis::from_redis_value(reply).map_err(|_| unexpected())?;
        page.retain(|key| self.keys.is_session(key));
        Ok((next, page))
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
        // A key may be met twice while the server's table is resized.
        let mut seen = HashSet::new();
        let mut cursor = b"0".to_vec();
        loop {
            let (next, page) = self.scan(&cursor).await?;
            seen.extend(page);
            cursor = next;
            if cursor == b"0" {
                return Ok(Acked::primary(seen.len() as u64));
            }
        }
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        let coder = self.codec.coder();
        let deadline = self.deadline();
        let mut found = Vec::new();
        for user in coder.users(user) {
            let mut request = Request::script(&script::LIST, 1, 0);
            request.arg(self.keys.user_index(&user)).arg(self.keys.prefix()).arg(limit).arg(&user);
            let reply = self.send(request, deadline).await?;
            let entries: Vec<(String, f64)> = redis::from_redis_value(reply).map_err(|_| unexpected())?;
            found.extend(entries);
        }
        Ok(Acked::primary(index::newest(found, limit)))
    }

    async fn cleanup(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn health(&self) -> Health {
        // Whoever only asks gives up sooner than a call would, and does not condemn the connection.
        let asked = async { tokio::join!(self.ping(), self.info()) };
        match tokio::time::timeout(self.health_timeout, asked).await {
            Ok((Ok(latency), info)) => self.guarded(info.map(|info| info.health()).unwrap_or_default(), latency),
            Ok((Err(error), _)) => Health::disconnected(error.to_string()),
            Err(_) => Health::disconnected(
                self.link.reason().unwrap_or_else(|| format!("no answer within {:?}", self.health_timeout)),
            ),
        }
    }
}

/// The command that sends a value ahead.
fn staged(key: &str, value: impl ToRedisArgs, capacity: usize) -> Cmd {
    let mut ahead = Cmd::with_capacity(5, capacity);
    ahead.arg("SET").arg(key).arg(value).arg("PX").arg(STAGED_LIFE_MS);
    ahead
}

/// A script's answer where 0 says that there is no session and a negative number which version it is at.
fn found(answer: i64) -> Result<Version, StoreError> {
    match answer {
        0 => Err(StoreError::NotFound),
        version if version > 0 => Ok(version.unsigned_abs()),
        current => Err(StoreError::Conflict { current: current.unsigned_abs() }),
    }
}

fn unexpected() -> StoreError {
    StoreError::Corrupt { reason: "the server's answer has an unexpected form".to_owned() }
}

/// A lifetime as Redis takes it; it knows none of 0 ms.
fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}

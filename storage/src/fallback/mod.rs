//! Memory beside Redis: in its place while Redis is away, and in both places while a service moves from one to the other.
//!
//! [`Fallback`] puts a [`RedisStore`] and a ledger in memory together under one [`Policy`]:
//!
//! - `degrade` is the trivia game's plan as its note has it: memory answers, and is forgotten when Redis is back. What it
//!   held is lost, and counted.
//! - `drain` keeps the promise that nothing acknowledged is lost while the process lives. Sessions used before the outage
//!   are answered from a bounded warm copy; a session the process cannot know is asked of Redis if there is a
//!   connection (Redis may refuse writes and still read), else it is `Unavailable`, never "not found". When Redis takes
//!   writes again, a session still dirty is answered from memory until it is written back, then from Redis.
//! - `silent-cache` finds nothing and drops writes. A dropped write or deletion would leave an older value in Redis, so
//!   the ids are remembered (at most as many as memory holds sessions; the least recently used are forgotten, and that is
//!   said), and these sessions are taken out of Redis before it answers for them again. A cache may always have lost a
//!   value, but it must not show one that was replaced; and whoever logged out in the outage stays logged out.
//! - `dual-write` is `drain` whose memory is a store of its own: with Redis away a session that memory does not have is
//!   "not found"; with Redis there, a session that Redis does not have and memory does is carried over before the call is
//!   answered.
//! - `memory` leaves Redis alone. It is here for what is switched while traffic runs, see [`Switchable`].
//!
//! **What is written back, and over what.** A session goes back by version: if Redis's copy is still the one it descends
//! from, it replaces it. If not, and this process's own operations of unknown outcome explain the difference, the
//! data unites the two (or, after a whole write, replaces what came before it); so an answer that reached Redis although
//! its call timed out counts once. If another process wrote, the data unites the two, and what it cannot keep is
//! reported as lost; what was never seen here is another's, whatever the versions suggest. A session that memory did not
//! know and that was put in the outage replaces what Redis has (the newest wins), and what it replaced of others is
//! reported as lost. Nothing of an old connection can take effect later: the next connection ends it at the server first.
//!
//! **What does not come back.** A destroyed session leaves a tombstone in Redis for as long as it could have lived (an
//! hour at least), with its version, and versions go on above it. A copy that descends from a version below a tombstone
//! was destroyed elsewhere and is dropped, unless it was made whole here after that. The tombstone says whose it is, and
//! when anybody else last destroyed the session: a destroy of this process's own whose answer was lost, and that took
//! effect after the session was made again here, is not taken for another's. A copy that is missing in Redis *without* a
//! tombstone was lost there, or expired while it was used here, and is written back, because its user was told that it
//! lives. An outage longer than the tombstone's life loses that distinction. A session destroyed in the outage is
//! destroyed in Redis in its turn.
//!
//! **How it ends.** A background task looks for Redis at jittered, growing intervals, proves by a write that writes are
//! taken, drains, and ends the activation when nothing is dirty; if Redis fails again in the middle, the activation goes
//! on and the rest is drained later. While the fallback is active no call waits for Redis.

mod ledger;
mod migration;
pub(crate) mod policy;
mod recovery;
mod switch;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::{Mutex, RwLockReadGuard};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

pub use migration::{Progress, Switchable};
pub use policy::{Policy, UnknownPolicy};

use crate::cleanup;
use crate::clock::Clock;
use crate::data::SessionData;
use crate::error::{Effect, StoreError};
use crate::event::{EventSink, FallbackCause};
use crate::operation::{Answer, Operation};
use crate::redis_store::RedisStore;
use crate::store::{Acked, Health, HealthStatus, Session, SessionId, SessionStore, Version};
use ledger::{Ledger, LedgerConfig, Local, TOMBSTONE_LIFE, Unknowns};
use recovery::{Tally, count};
use switch::{Mode, Onset, State, Switch};

/// How a [`Fallback`] is to be.
pub struct FallbackConfig {
    /// What happens while Redis is away.
    pub policy: Policy,
    /// Most sessions kept in memory: warm copies and what waits to be written back.
    pub capacity: usize,
    /// Whether a read lets a session live anew.
    pub sliding: bool,
    /// Told of every activation, switch and eviction. Must not block.
    pub events: EventSink,
    /// The clock for expiry in memory.
    pub clock: Arc<dyn Clock>,
}

/// A Redis store with memory behind it. See the module for what it promises.
pub struct Fallback<D: SessionData> {
    inner: Arc<Inner<D>>,
}

struct Inner<D: SessionData> {
    redis: RedisStore<D>,
    ledger: Ledger<D>,
    switch: Switch,
    tally: Tally,
    /// Rung when a session that was being written back for good is written.
    thawed: Notify,
    /// Rung when the policy was switched.
    switched: Notify,
    recovery: Mutex<Option<AbortHandle>>,
    /// Whether memory is being filled from Redis.
    filling: AtomicBool,
}

/// Counters of a fallback since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FallbackStats {
    /// Whether the fallback is active now (draining included).
    pub active: bool,
    /// For how long it has been active this time.
    pub active_for: Duration,
    /// Activations.
    pub activations: u64,
    /// Operations answered from memory.
    pub served: u64,
    /// Sessions kept in memory now: warm copies and what waits to be written back.
    pub kept: u64,
    /// Sessions that wait to be written back now.
    pub waiting: u64,
    /// Warm copies that made room for others.
    pub evicted: u64,
    /// Acknowledged sessions, known nowhere else, that made room for others.
    pub evicted_sessions: u64,
    /// Writes and deletions acknowledged and dropped under `silent-cache`.
    pub dropped: u64,
    /// Operations refused because memory was full of sessions that wait to be written back.
    pub refused: u64,
    /// Sessions written back.
    pub written: u64,
    /// Deletions carried out.
    pub deleted: u64,
    /// Sessions united with another copy in Redis.
    pub merged: u64,
    /// Items (or whole sessions) that could not be kept: by a merge, or refused by Redis for good.
    pub lost_items: u64,
    /// Sessions forgotten with the fallback under `degrade`, or with the memory when it was switched to Redis.
    pub lost_sessions: u64,
}

impl<D: SessionData> Fallback<D> {
    /// Puts memory behind `redis`.
    pub fn new(redis: RedisStore<D>, config: FallbackConfig) -> Self {
        let ledger = LedgerConfig {
            capacity: config.capacity,
            policy: config.policy,
            sliding: config.sliding,
            clock: config.clock,
            events: Arc::clone(&config.events),
        };
        let switch = Switch::new(config.policy, config.events, redis.witness());
        let inner = Inner {
            redis,
            ledger: Ledger::new(ledger),
            switch,
            tally: Tally::default(),
            thawed: Notify::new(),
            switched: Notify::new(),
            recovery: Mutex::new(None),
            filling: AtomicBool::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Drops what has expired from memory every `interval` of the fallback's clock, for as long as there is the fallback.
    pub fn clean_every(&self, interval: Duration) {
        let (inner, clock) = (Arc::downgrade(&self.inner), self.inner.ledger.clock());
        cleanup::every(interval, clock, self.inner.redis.runtime(), move |is_due| {
            inner.upgrade().map(|inner| if is_due { inner.ledger.purge() } else { 0 })
        });
    }

    /// The Redis store behind it.
    pub fn redis(&self) -> &RedisStore<D> {
        &self.inner.redis
    }

    /// The counters.
    pub fn stats(&self) -> FallbackStats {
        let inner = &self.inner;
        let (state, activations, served, active_for) = inner.switch.summary();
        let mut stats = FallbackStats {
            active: state.mode != Mode::Normal && !state.planned,
            active_for,
            activations,
            served,
            kept: inner.ledger.len() as u64,
            waiting: inner.ledger.dirty() as u64,
            evicted: inner.ledger.evictions().copies(),
            evicted_sessions: inner.ledger.evictions().lost(),
            refused: inner.ledger.refused(),
            ..FallbackStats::default()
        };
        inner.tally.total(&mut stats);
        stats
    }

    /// Carries out an operation in Redis or, where memory is in charge, there.
    async fn carry_out(
        &self,
        id: &SessionId,
        operation: Operation<D>,
        ttl: Duration,
    ) -> Result<Acked<Answer<D>>, StoreError> {
        let inner = &self.inner;
        let deadline = Instant::now() + inner.redis.command_timeout();
        let mut carried_over = false;
        loop {
            let thawed = inner.thawed.notified();
            let (state, local) = inner.answer_now(id, &operation, ttl);
            match local {
                Local::Done(answer) => return answer.map(|answer| by(&state, answer)),
                Local::Frozen => {
                    wait(thawed, deadline).await?;
                    continue;
                }
                Local::Unknown => {}
            }
            let mut answer = inner.redis.operate(id, &operation, ttl).await;
            if state.policy == Policy::DualWrite && !carried_over && finds_none(&operation, &answer) {
                carried_over = true;
                match recovery::carry_over(inner, id).await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    // Of what was carried over the outcome may be unknown; the operation itself found nothing to work on.
                    Err(error) => answer = Err(StoreError::Unavailable { reason: error.to_string() }),
                }
            }
            return match answer {
                Ok(answer) => {
                    inner.ledger.hear(id, operation, &answer, ttl);
                    Ok(Acked::primary(answer))
                }
                Err(error) => self.answer_after(id, &operation, ttl, state.epoch, error, deadline).await,
            };
        }
    }

    /// Answers from memory after Redis has failed an operation, and takes over if nobody has yet.
    async fn answer_after(
        &self,
        id: &SessionId,
        operation: &Operation<D>,
        ttl: Duration,
        epoch: u64,
        error: StoreError,
        deadline: Instant,
    ) -> Result<Acked<Answer<D>>, StoreError> {
        let inner = &self.inner;
        let Some(cause) = outage(&error) else {
            if matches!(error, StoreError::NotFound) {
                inner.ledger.hear_absent(id);
            }
            return Err(error);
        };
        loop {
            let thawed = inner.thawed.notified();
            let (state, local) = match self.take_over(epoch, cause) {
                None => return Err(error),
                Some(state) => {
                    let uncertain = error.effect() == Effect::Unknown;
                    let local = inner.answer_here(&state, id, operation, ttl, uncertain, true);
                    inner.count(&state, &local);
                    (*state, local)
                }
            };
            match local {
                Local::Done(answer) => return answer.map(|answer| by(&state, answer)),
                Local::Frozen => wait(thawed, deadline).await?,
                Local::Unknown => return Err(error),
            }
        }
    }

    /// Puts memory in charge; it stays so while the guard is held. `None`: see [`Switch::activate`].
    fn take_over(&self, epoch: u64, cause: FallbackCause) -> Option<RwLockReadGuard<'_, State>> {
        let inner = &self.inner;
        let (state, onset) = inner.switch.activate(epoch, cause)?;
        if onset != Onset::None {
            inner.ledger.evictions().rearm();
        }
        if onset == Onset::Outage {
            self.look_for_redis(state.run);
        }
        Some(state)
    }

    /// Starts the task that ends what is going on.
    fn look_for_redis(&self, run: u64) {
        let task = self.inner.redis.runtime().spawn(recovery::recover(Arc::clone(&self.inner), run));
        *self.inner.recovery.lock() = Some(task.abort_handle());
    }

    /// Answers a question about all sessions from what is known here.
    fn survey<T>(&self, state: &State, known: impl FnOnce(&Ledger<D>) -> T) -> Acked<T> {
        if !state.planned {
            self.inner.switch.serve();
        }
        by(state, known(&self.inner.ledger))
    }

    /// Answers it from what is known here if Redis could not.
    fn survey_after<T>(
        &self,
        epoch: u64,
        answer: Result<Acked<T>, StoreError>,
        known: impl FnOnce(&Ledger<D>) -> T,
    ) -> Result<Acked<T>, StoreError> {
        match answer {
            Err(error) => match outage(&error).and_then(|cause| self.take_over(epoch, cause)) {
                Some(state) => Ok(self.survey(&state, known)),
                None => Err(error),
            },
            answered => answered,
        }
    }
}

impl<D: SessionData> Inner<D> {
    /// Answers from memory where memory is in charge. `Unknown`: ask Redis. With it, the state this happened in.
    fn answer_now(&self, id: &SessionId, operation: &Operation<D>, ttl: Duration) -> (State, Local<D>) {
        let state = self.switch.state();
        let local = match state.mode {
            Mode::Normal => Local::Unknown,
            Mode::Draining => self.ledger.answer_dirty(id, operation, ttl),
            Mode::Active => match self.answer_here(&state, id, operation, ttl, false, false) {
                Local::Unknown if !self.redis.is_connected() => Local::Done(Err(StoreError::Unavailable {
                    reason: "Redis is away, and this session was not used here lately".to_owned(),
                })),
                local => local,
            },
        };
        self.count(&state, &local);
        (*state, local)
    }

    /// Answers as the policy has it. `uncertain`: it was sent to Redis before, with unknown outcome. `asked`: Redis was
    /// asked before, and could not answer.
    fn answer_here(
        &self,
        state: &State,
        id: &SessionId,
        operation: &Operation<D>,
        ttl: Duration,
        uncertain: bool,
        asked: bool,
    ) -> Local<D> {
        let unknowns = match state.policy {
            Policy::SilentCache => {
                count(&self.tally.dropped, u64::from(!matches!(operation, Operation::Get | Operation::Touch)));
                return Local::Done(Ok(self.ledger.drop_operation(id, operation)));
            }
            Policy::Degrade => Unknowns::Absent,
            Policy::Memory => Unknowns::AbsentHere,
            Policy::DualWrite if asked || !self.redis.is_connected() => Unknowns::AbsentHere,
            Policy::DualWrite | Policy::Drain | Policy::FailFast => Unknowns::Left,
        };
        self.ledger.answer(id, operation, ttl, uncertain, unknowns)
    }

    fn count(&self, state: &State, local: &Local<D>) {
        let unavailable = |error: &StoreError| matches!(error, StoreError::Unavailable { .. });
        if let Local::Done(answer) = local
            && !state.planned
            && !answer.as_ref().is_err_and(unavailable)
        {
            self.switch.serve();
        }
    }

    /// Whether recovery task `run` is still the one to go on, in this mode.
    fn is_in(&self, run: u64, mode: Mode) -> bool {
        let state = self.switch.state();
        state.run == run && state.mode == mode
    }
}

impl<D: SessionData> Drop for Fallback<D> {
    fn drop(&mut self) {
        // A task that was superseded ends by itself when it finds out.
        self.inner.switch.change(|state| {
            state.run += 1;
            (Vec::new(), ())
        });
        self.inner.switched.notify_waiters();
        if let Some(task) = self.inner.recovery.lock().take() {
            task.abort();
        }
    }
}

/// Who gives an answer from memory: the fallback, or, where it was planned so, the primary.
fn by<T>(state: &State, answer: T) -> Acked<T> {
    if state.planned { Acked::primary(answer) } else { Acked::fallback(answer) }
}

/// Whether Redis has no session for an operation that needs one.
fn finds_none<D: SessionData>(operation: &Operation<D>, answer: &Result<Answer<D>, StoreError>) -> bool {
    match answer {
        Ok(answer) => !answer.found && matches!(operation, Operation::Get | Operation::Touch | Operation::Destroy),
        Err(error) => matches!(error, StoreError::NotFound),
    }
}

/// Waits for a session that is just being written back.
async fn wait(thawed: impl Future<Output = ()>, deadline: Instant) -> Result<(), StoreError> {
    tokio::time::timeout_at(deadline, thawed).await.map_err(|_| StoreError::Unavailable {
        reason: "the session is being written back, and that takes too long".to_owned(),
    })
}

/// Whether an error means that Redis is away, and in which way; else it is the operation's answer.
fn outage(error: &StoreError) -> Option<FallbackCause> {
    match error {
        StoreError::Unavailable { .. } | StoreError::GaveUp { .. } => Some(FallbackCause::Unreachable),
        StoreError::Timeout { .. } => Some(FallbackCause::Timeout),
        StoreError::ConnectionLost => Some(FallbackCause::ConnectionLost),
        // ERR is how a server answers what it takes for nonsense: the same nonsense would do no better later.
        StoreError::Refused { code } if code != "ERR" => Some(FallbackCause::Refused),
        _ => None,
    }
}

#[async_trait]
impl<D: SessionData> SessionStore<D> for Fallback<D> {
    async fn create(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.carry_out(id, Operation::Create(data), ttl).await.map(version)
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<D>>>, StoreError> {
        let answer = self.carry_out(id, Operation::Get, ttl).await?;
        Ok(Acked { value: answer.value.session(), served_by: answer.served_by })
    }

    async fn put(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.carry_out(id, Operation::Put(data), ttl).await.map(version)
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: D,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        self.carry_out(id, Operation::Update(expected, data), ttl).await.map(version)
    }

    async fn append(&self, id: &SessionId, item: D::Item, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.carry_out(id, Operation::Append(item), ttl).await.map(version)
    }

    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError> {
        self.carry_out(id, Operation::Touch, ttl).await.map(found)
    }

    /// While Redis is away, `true` also for a session the process does not know: it will be gone when Redis is back.
    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        self.carry_out(id, Operation::Destroy, TOMBSTONE_LIFE).await.map(found)
    }

    /// While the fallback is active, the sessions known here: it cannot know how many others there are.
    async fn count(&self) -> Result<Acked<u64>, StoreError> {
        let state = *self.inner.switch.state();
        if state.mode == Mode::Active {
            return Ok(self.survey(&state, Ledger::live));
        }
        let counted = self.inner.redis.count().await;
        self.survey_after(state.epoch, counted, Ledger::live)
    }

    /// While the fallback is active, the user's sessions known here; afterwards those of Redis, as far as it has heard of them.
    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        let state = *self.inner.switch.state();
        let known = |ledger: &Ledger<D>| ledger.of_user(user, limit);
        if state.mode == Mode::Active {
            return Ok(self.survey(&state, known));
        }
        let unheard = self.inner.ledger.unheard(user);
        let listed = self.inner.redis.list_by_user(user, unheard.beyond(limit)).await;
        let listed = listed.map(|listed| Acked { value: unheard.over(listed.value, limit), ..listed });
        self.survey_after(state.epoch, listed, known)
    }

    async fn cleanup(&self) -> Result<u64, StoreError> {
        let expired = self.inner.ledger.purge();
        let state = *self.inner.switch.state();
        Ok(if state.is_memory() { expired } else { 0 })
    }

    /// Degraded while the fallback answers, and where the next operation would be answered by it.
    async fn health(&self) -> Health {
        let state = *self.inner.switch.state();
        if state.is_memory() {
            return Health::default();
        }
        let health = self.inner.redis.health().await;
        let is_active = state.mode != Mode::Normal && !state.planned;
        match health.status {
            HealthStatus::Connected if !is_active => health,
            _ if is_active || state.policy.takes_over() => Health { status: HealthStatus::Degraded, ..health },
            _ => health,
        }
    }
}

fn version<D>(answer: Acked<Answer<D>>) -> Acked<Version> {
    Acked { value: answer.value.version, served_by: answer.served_by }
}

fn found<D>(answer: Acked<Answer<D>>) -> Acked<bool> {
    Acked { value: answer.value.found, served_by: answer.served_by }
}

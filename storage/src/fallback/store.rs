//! The store itself: which calls Redis answers, and which memory answers.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::cache::{Asked, Cache, CacheConfig, Local, Sent, TOMBSTONE_LIFE};
use super::cause::outage;
use super::inner::Inner;
use super::recovery;
use super::stats::{FallbackStats, Tally};
use super::switch::{Mode, State, Switch};
use crate::cleanup;
use crate::clock::{Clock, from_now};
use crate::data::SessionData;
use crate::error::{Effect, StoreError};
use crate::event::EventSink;
use crate::lineage::Lineage;
use crate::operation::{Answer, Operation};
use crate::planted;
use crate::policy::Policy;
use crate::redis_store::RedisStore;
use crate::redis_store::calls::Call;
use crate::store::{
    Acked, AppendStore, Health, HealthStatus, ServedBy, Session, SessionId, SessionStore, Version, end_all,
};

/// How long memory keeps what a [`peek`](SessionStore::peek) found where Redis names no remaining life. This store always
/// sets one.
const PEEKED_LIFE: Duration = Duration::from_secs(60);

/// The settings of a [`Fallback`].
pub struct FallbackConfig {
    /// What happens while Redis is away.
    pub policy: Policy,
    /// Maximum number of sessions in memory: warm copies, and sessions that wait to be written back.
    pub capacity: usize,
    /// Whether a read restarts a session's lifetime.
    pub sliding: bool,
    /// Receives every activation, switch and eviction. Must not block.
    pub events: EventSink,
    /// The clock for expiry in memory.
    pub clock: Arc<dyn Clock>,
}

/// A Redis store with memory behind it. The module says what it promises.
pub struct Fallback<D: SessionData> {
    pub(super) inner: Arc<Inner<D>>,
    /// The background tasks.
    tasks: Vec<AbortHandle>,
}

/// A call as it was sent to Redis.
struct Attempt {
    /// The epoch in which it began: when memory last took charge.
    epoch: u64,
    call: Call,
    asked: Asked,
}

impl<D: SessionData> Fallback<D> {
    /// Puts memory behind `redis`.
    pub fn new(redis: RedisStore<D>, config: FallbackConfig) -> Self {
        let cache = CacheConfig {
            capacity: config.capacity,
            policy: config.policy,
            sliding: config.sliding,
            clock: config.clock,
            hasher: redis.randomness().hasher(),
            events: Arc::clone(&config.events),
        };
        let switch = Switch::new(config.policy, config.events, redis.witness());
        let inner = Inner {
            redis,
            cache: Cache::new(cache),
            switch,
            tally: Tally::default(),
            thawed: Notify::new(),
            switched: Notify::new(),
            runs: watch::Sender::new(0),
            filling: AtomicBool::new(false),
        };
        let inner = Arc::new(inner);
        let hears = Arc::downgrade(&inner);
        inner.redis.news().on_gone(move |key| {
            if let Some(inner) = hears.upgrade()
                && let Some(id) = inner.redis.destroyed(key)
            {
                inner.cache.observe_destroyed(&id);
            }
        });
        let runtime = inner.redis.runtime();
        let restarts = planted::carried(watch_restarts(Arc::downgrade(&inner), inner.redis.news().boots()));
        let recoveries = planted::carried(recovery::stand_by(Arc::downgrade(&inner), inner.runs.subscribe()));
        let tasks = vec![runtime.spawn(restarts).abort_handle(), runtime.spawn(recoveries).abort_handle()];
        Self { inner, tasks }
    }

    /// Drops expired sessions from memory every `interval` of the fallback's clock, as long as the fallback exists.
    pub fn clean_every(&self, interval: Duration) {
        let (inner, clock) = (Arc::downgrade(&self.inner), self.inner.cache.clock());
        cleanup::every(interval, clock, self.inner.redis.runtime(), move |is_due| {
            inner.upgrade().map(|inner| if is_due { inner.cache.purge() } else { 0 })
        });
    }

    /// Waits at most `within` until Redis has everything that only this process knows. Returns how many sessions and
    /// deletions Redis still lacks: what a shutdown now would lose. Call it before the process ends, once no new calls
    /// are made. Under `degrade` and `memory` nothing goes to Redis, so everything in memory counts as left.
    pub async fn flush(&self, within: Duration) -> u64 {
        let inner = &self.inner;
        let deadline = from_now(within);
        loop {
            let told = inner.thawed.notified();
            let unsaved = inner.cache.unsaved();
            if unsaved == 0 || tokio::time::timeout_at(deadline, told).await.is_err() {
                return unsaved;
            }
        }
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
            kept: inner.cache.len() as u64,
            waiting: inner.cache.dirty() as u64,
            evicted: inner.cache.evictions().copies(),
            evicted_sessions: inner.cache.evictions().lost(),
            refused: inner.cache.refused(),
            interrupted: inner.switch.interrupted(),
            ..FallbackStats::default()
        };
        inner.tally.total(&mut stats);
        stats
    }

    /// Carries out an operation in Redis, or in memory if memory is in charge.
    async fn carry_out(
        &self,
        id: &SessionId,
        operation: Operation<D>,
        ttl: Duration,
    ) -> Result<Acked<Answer<D>>, StoreError> {
        let inner = &self.inner;
        let deadline = from_now(inner.redis.command_timeout());
        let mut carried_over = false;
        loop {
            let thawed = inner.thawed.notified();
            inner.look_for_restart();
            let asked = inner.ask();
            let (state, local) = inner.answer_now(id, &operation, ttl);
            match local {
                Local::Done(answer) => return answer.map(|answer| by(&state, answer)),
                Local::Frozen => {
                    wait(thawed, deadline).await?;
                    continue;
                }
                Local::Unknown if inner.ends_with_logout(id, &operation, deadline).await => continue,
                Local::Unknown => {}
            }
            // A new write each time, so that an attempt without effect is not mistaken for one that Redis carried out.
            let line = Lineage::random();
            let mut answer = inner.redis.operate(id, &operation, ttl, Call { line, deadline }).await;
            let boot = inner.look_for_restart();
            if boot > asked.boot
                && had_no_effect(&operation, &answer)
                && (inner.cache.is_dirty(id) || Instant::now() < deadline)
            {
                // Another Redis process may know less than the last one had acknowledged.
                continue;
            }
            if state.policy.rules().writes_both && !carried_over && finds_none(&operation, &answer) {
                carried_over = true;
                let until = match planted::seam!(pays_deadline_twice) {
                    true => from_now(inner.redis.command_timeout()),
                    false => deadline,
                };
                match recovery::carry_over(inner, id, until, state.epoch).await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    // The carry-over may have taken effect, but the operation itself found no session and had none.
                    Err(error) => answer = Err(StoreError::Unavailable { reason: error.to_string() }),
                }
            }
            return match answer {
                Ok(mut answer) => {
                    if operation.is_read() {
                        let observed = inner.observe(id, Operation::Get, &answer, ttl, line, asked);
                        if planted::seam!(reads_old_as_new) {
                            answer.version = observed.version.unwrap_or(answer.version);
                        } else if observed.version.is_some() && Instant::now() < deadline {
                            // The read is older than what is known here by now.
                            continue;
                        }
                        return Ok(Acked::primary(answer));
                    }
                    let observed = inner.observe(id, operation, &answer, ttl, line, asked);
                    if observed.overtaken {
                        return Err(StoreError::NotFound);
                    }
                    if observed.lost > 0 {
                        let lost = observed.lost;
                        tracing::warn!(session = %id, lost, "a write made while Redis was away met one that Redis had taken");
                        inner.tally.lose_items(lost);
                    }
                    answer.version = observed.version.unwrap_or(answer.version);
                    Ok(Acked::primary(answer))
                }
                Err(error) => {
                    let attempt = Attempt { epoch: state.epoch, call: Call { line, deadline }, asked };
                    match self.answer_after(id, &operation, ttl, attempt, error).await {
                        Some(answer) => answer,
                        None => continue,
                    }
                }
            };
        }
    }

    /// Answers from memory after Redis has failed an operation, and takes over if nobody has yet. `None`: the outage
    /// that the operation met is over, and Redis can be asked again.
    async fn answer_after(
        &self,
        id: &SessionId,
        operation: &Operation<D>,
        ttl: Duration,
        attempt: Attempt,
        error: StoreError,
    ) -> Option<Result<Acked<Answer<D>>, StoreError>> {
        let inner = &self.inner;
        let Attempt { epoch, call, asked } = attempt;
        let Some(cause) = outage(&error) else {
            if matches!(error, StoreError::NotFound) {
                inner.cache.observe_absent(id, asked);
            }
            return Some(Err(error));
        };
        // Asked twice, a read is still one read.
        let repeats = error.effect() == Effect::None || !operation.is_write();
        let sent = (error.effect() == Effect::Unknown).then_some(Sent { line: call.line, asked });
        loop {
            let thawed = inner.thawed.notified();
            let (state, local) = match inner.take_over(epoch, cause) {
                None => {
                    let again =
                        repeats && inner.switch.state().policy.rules().takes_over && Instant::now() < call.deadline;
                    return (!again).then_some(Err(error));
                }
                Some(state) => {
                    inner.switch.tell_refusal(&error);
                    let local = inner.answer_here(&state, id, operation, ttl, sent, true);
                    inner.count(&state, &local);
                    (*state, local)
                }
            };
            match local {
                // Redis may have carried out what memory refuses here, so the error must not claim that it had no
                // effect.
                Local::Done(Err(_)) if sent.is_some() && !planted::seam!(denies_effect) => {
                    return Some(Err(error));
                }
                Local::Done(answer) => return Some(answer.map(|answer| by(&state, answer))),
                Local::Frozen => {
                    if let Err(refused) = wait(thawed, call.deadline).await {
                        return Some(Err(sent.map_or(refused, |_| error)));
                    }
                }
                Local::Unknown => return Some(Err(error)),
            }
        }
    }

    /// Answers a question about all sessions from what is known here.
    fn survey<T>(&self, state: &State, known: impl FnOnce(&Cache<D>) -> T) -> Acked<T> {
        if !state.planned {
            self.inner.switch.serve();
        }
        by(state, known(&self.inner.cache))
    }

    /// The same, if Redis could not answer.
    fn survey_after<T>(
        &self,
        epoch: u64,
        answer: Result<Acked<T>, StoreError>,
        known: impl FnOnce(&Cache<D>) -> T,
    ) -> Result<Acked<T>, StoreError> {
        match answer {
            Err(error) => match outage(&error).and_then(|cause| self.inner.take_over(epoch, cause)) {
                Some(state) => Ok(self.survey(&state, known)),
                None => Err(error),
            },
            answered => answered,
        }
    }
}

impl<D: SessionData> Drop for Fallback<D> {
    fn drop(&mut self) {
        // A superseded task notices this and ends by itself.
        self.inner.switch.change(|state| {
            state.run += 1;
            (Vec::new(), ())
        });
        self.inner.switched.notify_waiters();
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Notices a Redis restart that no call runs into.
async fn watch_restarts<D: SessionData>(inner: Weak<Inner<D>>, mut boots: tokio::sync::watch::Receiver<u64>) {
    while boots.changed().await.is_ok() {
        let Some(inner) = inner.upgrade() else { return };
        inner.look_for_restart();
    }
}

/// Labels an answer from memory: as the fallback's, or as the primary's if memory is in charge by plan.
fn by<T>(state: &State, answer: T) -> Acked<T> {
    if state.planned { Acked::primary(answer) } else { Acked::fallback(answer) }
}

/// Whether Redis has certainly changed nothing.
fn had_no_effect<D: SessionData>(operation: &Operation<D>, answer: &Result<Answer<D>, StoreError>) -> bool {
    match answer {
        Ok(answer) => !answer.found || !operation.is_write(),
        Err(error) => outage(error).is_none() && error.effect() == Effect::None,
    }
}

/// Whether Redis lacks the session that the operation needs.
fn finds_none<D: SessionData>(operation: &Operation<D>, answer: &Result<Answer<D>, StoreError>) -> bool {
    match answer {
        Ok(answer) => !answer.found && (!operation.is_write() || matches!(operation, Operation::Destroy)),
        Err(error) => matches!(error, StoreError::NotFound),
    }
}

/// Waits for a session that is being written back.
async fn wait(thawed: impl Future<Output = ()>, deadline: Instant) -> Result<(), StoreError> {
    tokio::time::timeout_at(deadline, thawed).await.map_err(|_| StoreError::Unavailable {
        reason: "the session is being written back, and that takes too long".to_owned(),
    })
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

    async fn peek(&self, id: &SessionId) -> Result<Acked<Option<Session<D>>>, StoreError> {
        let answer = self.carry_out(id, Operation::Peek, PEEKED_LIFE).await?;
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

    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError> {
        self.carry_out(id, Operation::Touch, ttl).await.map(found)
    }

    async fn rename(&self, from: &SessionId, to: &SessionId, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.inner.redis.can_rename(from, to)?;
        self.carry_out(from, Operation::Rename(to.clone()), ttl).await.map(version)
    }

    fn successor(&self, from: &SessionId) -> SessionId {
        SessionStore::successor(&self.inner.redis, from)
    }

    /// While Redis is away, `true` even for a session that the process does not know: it will be gone when Redis is
    /// back.
    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        self.carry_out(id, Operation::Destroy, TOMBSTONE_LIFE).await.map(found)
    }

    /// While the fallback is active, ends the sessions known here, and remembers to end the others.
    async fn destroy_by_user(&self, user: &str, except: Option<&SessionId>) -> Result<Acked<u64>, StoreError> {
        loop {
            let mut listed = self.list_by_user(user, usize::MAX).await?;
            // Redis may lack a session that is compared with it at the moment.
            let known = self.inner.cache.of_user(user, usize::MAX);
            listed.value.extend(known);
            listed.value.sort_unstable();
            listed.value.dedup();
            // If an outage was over by now, Redis has to be asked. It does not end while the logout is noted.
            if listed.served_by == ServedBy::Primary || self.inner.log_out(user, except)? {
                return end_all(self, listed, except).await;
            }
        }
    }

    /// While the fallback is active, counts the sessions known here: it cannot know how many others exist.
    async fn count(&self) -> Result<Acked<u64>, StoreError> {
        let state = *self.inner.switch.state();
        if state.mode == Mode::Active {
            return Ok(self.survey(&state, Cache::live));
        }
        let counted = self.inner.redis.count().await;
        self.survey_after(state.epoch, counted, Cache::live)
    }

    /// While the fallback is active, lists the user's sessions known here; afterwards those in Redis, corrected by what
    /// Redis lacks.
    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        let state = *self.inner.switch.state();
        let known = |cache: &Cache<D>| cache.of_user(user, limit);
        if state.mode == Mode::Active {
            return Ok(self.survey(&state, known));
        }
        let unheard = self.inner.cache.unheard(user);
        let listed = self.inner.redis.list_by_user(user, unheard.beyond(limit)).await;
        let listed = listed.map(|listed| Acked { value: unheard.over(listed.value, limit), ..listed });
        self.survey_after(state.epoch, listed, known)
    }

    async fn cleanup(&self) -> Result<u64, StoreError> {
        let expired = self.inner.cache.purge();
        let state = *self.inner.switch.state();
        Ok(if state.is_memory() { expired } else { 0 })
    }

    /// Degraded while the fallback answers, or if it would answer the next operation.
    async fn health(&self) -> Health {
        let state = *self.inner.switch.state();
        if state.is_memory() || planted::seam!(health_says_well) {
            return Health::default();
        }
        let health = self.inner.redis.health().await;
        let is_active = state.mode != Mode::Normal && !state.planned;
        match health.status {
            HealthStatus::Connected if !is_active => health,
            _ if is_active || state.policy.rules().takes_over => Health { status: HealthStatus::Degraded, ..health },
            _ => health,
        }
    }
}

#[async_trait]
impl<D: SessionData> AppendStore<D> for Fallback<D> {
    async fn append(&self, id: &SessionId, item: D::Item, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.carry_out(id, Operation::Append(item), ttl).await.map(version)
    }
}

fn version<D>(answer: Acked<Answer<D>>) -> Acked<Version> {
    Acked { value: answer.value.version, served_by: answer.served_by }
}

fn found<D>(answer: Acked<Answer<D>>) -> Acked<bool> {
    Acked { value: answer.value.found, served_by: answer.served_by }
}

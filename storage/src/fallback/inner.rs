//! The parts of a fallback, shared by its calls, background tasks and migrations.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::RwLockReadGuard;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::cache::{Asked, Cache, Local, Observed, Sent, Unknowns};
use super::stats::{Tally, count};
use super::switch::{Mode, Onset, State, Switch};
use crate::data::SessionData;
use crate::error::StoreError;
use crate::event::FallbackCause;
use crate::lineage::Lineage;
use crate::operation::{Answer, Operation};
use crate::planted;
use crate::policy::Answers;
use crate::redis_store::RedisStore;
use crate::store::SessionId;

pub(super) struct Inner<D: SessionData> {
    pub(super) redis: RedisStore<D>,
    pub(super) cache: Cache<D>,
    pub(super) switch: Switch,
    pub(super) tally: Tally,
    /// Notified when a frozen session has been written back.
    pub(super) thawed: Notify,
    /// Notified when the policy was switched.
    pub(super) switched: Notify,
    /// The latest run that a recovery task has to end.
    pub(super) runs: watch::Sender<u64>,
    /// Whether memory is being filled from Redis.
    pub(super) filling: AtomicBool,
}

impl<D: SessionData> Inner<D> {
    /// Puts memory in charge; it stays in charge while the guard is held. `None`: see [`Switch::activate`].
    pub(super) fn take_over(&self, epoch: u64, cause: FallbackCause) -> Option<RwLockReadGuard<'_, State>> {
        let (state, onset) = self.switch.activate(epoch, cause)?;
        if onset != Onset::None {
            self.cache.evictions().rearm();
        }
        if onset == Onset::Outage {
            self.look_for_redis(state.run);
        }
        Some(state)
    }

    /// Starts a task that ends this run.
    pub(super) fn look_for_redis(&self, run: u64) {
        self.runs.send_replace(run);
    }

    /// Checks whether another Redis process serves now, which may have lost writes that the last one acknowledged. If
    /// so, asks it for everything that this process knows. Returns the process that serves now.
    pub(super) fn look_for_restart(&self) -> u64 {
        let boot = self.redis.news().boot();
        if planted::seam!(trusts_versions) {
            return boot;
        }
        let state = *self.switch.state();
        // While memory is the store, nothing is asked of Redis.
        if state.verified < boot
            && !state.is_memory()
            && let Some(run) = self.switch.restarted(boot, || self.cache.suspect(boot))
        {
            self.compare(run);
        }
        boot
    }

    /// Records an operation that Redis has carried out; see [`Cache::observe`]. If the Redis process that replied may
    /// be gone, asks the present one for the session.
    pub(super) fn observe(
        &self,
        id: &SessionId,
        operation: Operation<D>,
        answer: &Answer<D>,
        ttl: Duration,
        line: Lineage,
        asked: Asked,
    ) -> Observed {
        let observed = self.cache.observe(id, operation, answer, ttl, line, asked);
        if observed.doubtful
            && let Some(run) = self.switch.doubted()
        {
            self.compare(run);
        }
        observed
    }

    fn compare(&self, run: u64) {
        self.cache.evictions().rearm();
        self.look_for_redis(run);
    }

    /// What this process knows before it asks Redis.
    pub(super) fn ask(&self) -> Asked {
        self.cache.ask(self.redis.news().boot())
    }

    /// Answers from memory if memory is in charge. `Unknown`: ask Redis. Also returns the state this happened in.
    pub(super) fn answer_now(&self, id: &SessionId, operation: &Operation<D>, ttl: Duration) -> (State, Local<D>) {
        let state = self.switch.state();
        let local = match state.mode {
            Mode::Normal => Local::Unknown,
            Mode::Draining if operation.is_write() && state.policy.rules().answers == Answers::KnownReads => {
                // Redis may not have yet what this process must compare with it first.
                if self.cache.is_dirty(id) { Local::Done(Err(read_only())) } else { Local::Unknown }
            }
            Mode::Draining => self.cache.serve_dirty(id, operation, ttl),
            Mode::Active => match self.answer_here(&state, id, operation, ttl, None, false) {
                Local::Unknown if !self.redis.is_connected() => Local::Done(Err(StoreError::Unavailable {
                    reason: "Redis is away, and this session was not used here lately".to_owned(),
                })),
                local => local,
            },
        };
        self.count(&state, &local);
        (*state, local)
    }

    /// Answers as the policy says. `sent`: the operation was sent to Redis before. `asked`: Redis was asked before and
    /// could not answer.
    pub(super) fn answer_here(
        &self,
        state: &State,
        id: &SessionId,
        operation: &Operation<D>,
        ttl: Duration,
        sent: Option<Sent>,
        asked: bool,
    ) -> Local<D> {
        let unknowns = match state.policy.rules().answers {
            Answers::Nothing => {
                let told = operation.is_write() && !planted::seam!(hides_dropped_writes);
                count(&self.tally.dropped, u64::from(told));
                return Local::Done(Ok(self.cache.drop_operation(id, operation)));
            }
            Answers::AllForNow => Unknowns::Absent,
            Answers::All => Unknowns::AbsentHere,
            Answers::KnownOrNone if asked || !self.redis.is_connected() => Unknowns::AbsentHere,
            Answers::KnownReads if operation.is_write() => return Local::Done(Err(read_only())),
            Answers::KnownOrNone | Answers::Known | Answers::KnownReads => Unknowns::Left,
        };
        self.cache.serve(id, operation, ttl, sent, unknowns)
    }

    /// Notes that a user was logged out everywhere but in one session while memory was in charge, as far as the policy tells
    /// Redis. `false`: Redis is in charge.
    pub(super) fn log_out(&self, user: &str, except: Option<&SessionId>) -> Result<bool, StoreError> {
        let state = self.switch.state();
        if state.mode == Mode::Normal {
            return Ok(false);
        }
        match state.policy.rules().answers {
            Answers::KnownReads => return Err(read_only()),
            Answers::AllForNow => return Ok(true),
            Answers::Nothing => count(&self.tally.dropped, 1),
            Answers::Known | Answers::KnownOrNone | Answers::All => {}
        }
        self.cache.log_out(user, except);
        Ok(true)
    }

    /// Whether a session that memory does not know has ended because its user was logged out everywhere while Redis was
    /// away. From then on memory knows that.
    pub(super) async fn ends_with_logout(&self, id: &SessionId, operation: &Operation<D>, deadline: Instant) -> bool {
        let makes = matches!(operation, Operation::Create(_) | Operation::Put(_));
        if makes || self.cache.logouts().is_empty() {
            return false;
        }
        let Ok(Some(found)) = self.redis.read_with_life(id, deadline).await else { return false };
        let user = found.data.as_ref().and_then(SessionData::user);
        self.cache.ends_with_logout(id, user.as_deref()) && self.cache.doom(id)
    }

    pub(super) fn count(&self, state: &State, local: &Local<D>) {
        let unavailable = |error: &StoreError| matches!(error, StoreError::Unavailable { .. });
        if let Local::Done(answer) = local
            && !state.planned
            && !answer.as_ref().is_err_and(unavailable)
        {
            self.switch.serve();
        }
    }

    /// Whether recovery task `run` is still the current one, in this mode.
    pub(super) fn is_in(&self, run: u64, mode: Mode) -> bool {
        let state = self.switch.state();
        state.run == run && state.mode == mode
    }
}

/// A write in an outage under a policy that only reads.
fn read_only() -> StoreError {
    let reason = "memory answers for Redis, and the policy `read-only` takes no writes meanwhile".to_owned();
    StoreError::Unavailable { reason }
}

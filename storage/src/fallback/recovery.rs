//! The end of an outage: looking for Redis, writing back and handing over.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::cache::{Job, Outcome, Work};
use super::cause::outage;
use super::inner::Inner;
use super::stats::count;
use super::switch::Mode;
use crate::clock::from_now;
use crate::data::SessionData;
use crate::error::{Effect, StoreError};
use crate::event::{Event, FallbackCause};
use crate::lineage::Lineage;
use crate::planted;
use crate::policy::Answers;
use crate::redis_store::back::{Returning, WriteBack};
use crate::redis_store::{Backoff, RetryProfile};
use crate::store::{SessionId, SessionStore};

/// Sessions written back at the same time.
const LANES: usize = 16;
/// Round trips for one session before the next one freezes it.
const PATIENT_ROUNDS: usize = 2;
/// Round trips for one session before the others get their turn.
const MOST_ROUNDS: usize = 32;
/// Pauses between attempts to recover while there is a connection.
const PACE: RetryProfile = RetryProfile::doubling(Duration::from_millis(20), Duration::from_millis(500));

/// Starts a recovery task for each run, as long as the fallback exists. A superseded task ends by itself; all of them
/// end with this one.
pub(super) async fn stand_by<D: SessionData>(inner: Weak<Inner<D>>, mut runs: watch::Receiver<u64>) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            changed = runs.changed() => {
                let (Ok(()), Some(inner)) = (changed, inner.upgrade()) else { return };
                let run = *runs.borrow_and_update();
                tasks.spawn(planted::carried(recover(inner, run)));
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// Works until `run` is over or another task has taken its place.
async fn recover<D: SessionData>(inner: Arc<Inner<D>>, run: u64) {
    let mut backoff = Backoff::new(PACE, inner.redis.randomness());
    loop {
        tokio::select! {
            biased;
            () = inner.redis.reachable() => {}
            () = superseded(&inner, run) => return,
        }
        match attempt(&inner, run).await {
            Ok(true) => return,
            // The next round takes what became dirty meanwhile, what failed, and what cannot be written now.
            Ok(false) => {}
            Err(error) => {
                tracing::debug!(%error, "Redis does not take writes yet");
                inner.switch.interrupt_draining(run);
            }
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep(backoff.next().unwrap_or(PACE.max)) => {}
            () = superseded(&inner, run) => return,
        }
    }
}

async fn superseded<D: SessionData>(inner: &Inner<D>, run: u64) {
    loop {
        let switched = inner.switched.notified();
        if inner.switch.state().run != run {
            return;
        }
        switched.await;
    }
}

/// One attempt to hand over to Redis. `true`: this task has nothing left to do.
async fn attempt<D: SessionData>(inner: &Arc<Inner<D>>, run: u64) -> Result<bool, StoreError> {
    if planted::seam!(latches_in_fallback) && inner.switch.summary().1 > 1 {
        return Ok(false);
    }
    inner.redis.probe().await?;
    if !inner.switch.begin_draining(run, inner.cache.dirty() as u64) {
        return Ok(true);
    }
    let forget = inner.switch.state().forget;
    while !forget && inner.cache.dirty() > 0 && inner.is_in(run, Mode::Draining) {
        // What cannot be written now must not hold up the others, nor keep Redis busy.
        if drain(inner, run).await? > 0 || planted::seam!(drains_one_page) {
            break;
        }
    }
    Ok(inner.switch.end(run, |state| {
        if state.forget {
            count(&inner.tally.now.lost_sessions, inner.cache.forget_all());
        } else if planted::seam!(drains_one_page) {
            inner.cache.forget_all();
        } else if inner.cache.dirty() > 0 {
            return None;
        }
        let [written, deleted, merged, lost, sessions] = inner.tally.close();
        Some(match state.policy {
            _ if state.forget => Event::Lost { sessions },
            _ if state.planned => Event::CarriedOver { written, deleted, merged, lost },
            policy if policy.rules().answers == Answers::Nothing => {
                Event::Dropped { writes: inner.tally.newly_dropped(), invalidated: deleted }
            }
            _ => Event::Drained { written, deleted, merged, lost },
        })
    }))
}

/// Writes a session that Redis lacks and memory has to Redis, by `deadline`. `false`: memory has none either, or
/// learned from Redis that it was destroyed.
pub(super) async fn carry_over<D: SessionData>(
    inner: &Arc<Inner<D>>,
    id: &SessionId,
    deadline: Instant,
    epoch: u64,
) -> Result<bool, StoreError> {
    if !inner.cache.misses(id) {
        return Ok(false);
    }
    // Runs as its own task: the caller may leave early, and nobody else would write it to Redis.
    let (inner, id) = (Arc::clone(inner), id.clone());
    let runtime = inner.redis.runtime().clone();
    let told = runtime.spawn(planted::carried(async move {
        let told = write_back(&inner, &id, Some(deadline)).await;
        let cause = match &told {
            Ok(Told::Everything) => None,
            Ok(Told::NotNow) => Some(FallbackCause::Refused),
            Err(error) => outage(error),
        };
        if let Some(cause) = cause {
            // The recovery task that starts now writes it back.
            drop(inner.take_over(epoch, cause));
        }
        told
    }));
    match told.await {
        Ok(told) => told.map(|_| true),
        Err(_) => Err(StoreError::Unavailable { reason: "the session could not be carried over".to_owned() }),
    }
}

/// Writes back every session that is dirty now, and returns how many cannot be written at present. Stops at Redis's
/// first failure, and when the policy is switched.
async fn drain<D: SessionData>(inner: &Arc<Inner<D>>, run: u64) -> Result<usize, StoreError> {
    tell_logouts(inner).await?;
    let mut ids = VecDeque::from(inner.cache.dirty_ids());
    if planted::seam!(drains_one_page) {
        ids.truncate(LANES / 2);
    }
    let ids = Arc::new(Mutex::new(ids));
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        let (inner, ids) = (Arc::clone(inner), Arc::clone(&ids));
        lanes.spawn(planted::carried(async move {
            let mut held = 0;
            while inner.is_in(run, Mode::Draining) {
                let Some(id) = ids.lock().pop_front() else { break };
                match write_back(&inner, &id, None).await {
                    Ok(Told::Everything) => {}
                    Ok(Told::NotNow) => held += 1,
                    Err(error) => {
                        ids.lock().clear();
                        return Err(error);
                    }
                }
            }
            Ok(held)
        }));
    }
    let mut outcome = Ok(0);
    while let Some(lane) = lanes.join_next().await {
        match (lane, &mut outcome) {
            (Ok(Ok(held)), Ok(sum)) => *sum += held,
            (Ok(Err(error)), _) => outcome = Err(error),
            (Err(error), _) => {
                // The session stays dirty, so the next round takes it again.
                tracing::error!(%error, "a task that writes sessions back has failed");
                outcome = outcome.map(|held| held + 1);
            }
            (Ok(Ok(_)), Err(_)) => {}
        }
    }
    outcome
}

/// Ends the sessions of the users who were logged out everywhere, as far as memory does not know them: it tells Redis of
/// the others one by one.
async fn tell_logouts<D: SessionData>(inner: &Inner<D>) -> Result<(), StoreError> {
    for logout in inner.cache.logouts() {
        let listed = inner.redis.list_by_user(&logout.user, usize::MAX).await?.value;
        let ends = |id: &SessionId| !logout.except.contains(id) && inner.cache.ends_in_redis(id);
        for id in listed.iter().filter(|id| ends(id)) {
            inner.redis.destroy_back(id, 1, None, from_now(inner.redis.command_timeout())).await?;
            inner.cache.observe_destroyed(id);
            count(&inner.tally.now.deleted, 1);
        }
        inner.cache.logged_out(&logout);
    }
    Ok(())
}

/// How far a session was written back.
enum Told {
    /// Nothing is left to write.
    Everything,
    /// Something is left: Redis's copy cannot be read here at present (its encryption key is yet to come), or others
    /// keep writing it.
    NotNow,
}

/// Keeps a session frozen no longer than its job takes, however that ends.
struct Frozen<'a, D: SessionData> {
    inner: &'a Inner<D>,
    id: &'a SessionId,
}

impl<D: SessionData> Drop for Frozen<'_, D> {
    fn drop(&mut self) {
        self.inner.cache.thaw(self.id);
        self.inner.thawed.notify_waiters();
    }
}

/// Writes one session back, in as many rounds as it takes: by `deadline`, or each request within the deadline of a call.
async fn write_back<D: SessionData>(
    inner: &Inner<D>,
    id: &SessionId,
    deadline: Option<Instant>,
) -> Result<Told, StoreError> {
    let mut merged = false;
    for round in 0..MOST_ROUNDS {
        // A silent cache never makes callers wait: writes it drops meanwhile take another round.
        let freeze = round >= PATIENT_ROUNDS && inner.switch.state().policy.rules().answers != Answers::Nothing;
        let (asked, began) = (inner.ask(), Instant::now());
        let Some(job) = inner.cache.next_job(id, freeze) else { return Ok(Told::Everything) };
        let _frozen = Frozen { inner, id };
        if planted::seam!(saves_before_reply) {
            inner.cache.commit(id, &job, WriteBack::Written(job.version, Lineage::default()), asked);
        }
        match tell(inner, id, &job, began, deadline).await {
            Ok(told) => {
                let written = matches!(told, WriteBack::Written(..));
                let outcome = inner.cache.commit(id, &job, told, asked);
                inner.account(id, &job, outcome, written, &mut merged);
                if matches!(outcome, Outcome::Done) || !inner.cache.is_dirty(id) {
                    return Ok(Told::Everything);
                }
            }
            Err(error) if outage(&error).is_some() || planted::seam!(drain_stops_at_bad_value) => {
                inner.cache.put_off(id, &job, error.effect() == Effect::Unknown);
                return Err(error);
            }
            Err(error @ StoreError::Undecryptable { .. }) if !planted::seam!(gives_up_unreadable) => {
                tracing::warn!(session = %id, %error, "a session cannot be written back at present");
                return Ok(Told::NotNow);
            }
            Err(error) => {
                // This will never succeed, so the others must not wait for it.
                tracing::warn!(session = %id, %error, "a session cannot be written back and is given up");
                if inner.cache.give_up(id, &job) {
                    count(&inner.tally.now.lost_items, 1);
                    return Ok(Told::Everything);
                }
            }
        }
    }
    Ok(Told::NotNow)
}

impl<D: SessionData> Inner<D> {
    /// Counts the outcome of a job.
    fn account(&self, id: &SessionId, job: &Job<D>, outcome: Outcome, written: bool, merged: &mut bool) {
        let now = &self.tally.now;
        match outcome {
            Outcome::Done if written => {
                count(&now.written, u64::from(matches!(job.work, Work::Write { .. })));
                count(&now.deleted, u64::from(matches!(job.work, Work::Destroy { .. })));
            }
            Outcome::Done | Outcome::Again | Outcome::Unknown => {}
            Outcome::Merged(report) => {
                count(&now.merged, u64::from(!std::mem::replace(merged, true)));
                count(&now.lost_items, report.lost);
            }
            Outcome::Replaced(report) => {
                tracing::warn!(session = %id, lost = report.lost, "a write made while Redis was away replaced another's");
                count(&now.lost_items, report.lost);
            }
            Outcome::Superseded(report) => {
                let lost = report.united + report.lost;
                tracing::warn!(session = %id, lost, "what was written while Redis was away is of a session that has ended");
                count(&now.lost_items, lost);
            }
        }
    }
}

/// Sends a job to Redis that was taken after `began`: by `deadline`, or each request within the deadline of a call.
async fn tell<D: SessionData>(
    inner: &Inner<D>,
    id: &SessionId,
    job: &Job<D>,
    began: Instant,
    deadline: Option<Instant>,
) -> Result<WriteBack<D>, StoreError> {
    let redis = &inner.redis;
    let by = || deadline.unwrap_or_else(|| from_now(redis.command_timeout()));
    match (&job.work, job.base) {
        (Work::Destroy { heir }, base) => {
            let tombstone = redis.destroy_back(id, job.version, heir.as_ref(), by()).await?;
            Ok(WriteBack::Written(tombstone, base.map(|base| base.lineage).unwrap_or_default()))
        }
        (Work::DestroyAgain, _) => Ok(match redis.read_with_life(id, by()).await? {
            None => WriteBack::Missing,
            Some(theirs) => {
                let lineage = theirs.lineage;
                theirs.session().map_or(WriteBack::Missing, |theirs| WriteBack::Conflict(theirs, lineage))
            }
        }),
        (Work::Extend, Some(base)) => redis.extend_back(id, base, job.ttl, began, deadline).await,
        // Redis never had it.
        (Work::Extend, None) => Ok(WriteBack::Missing),
        (Work::Write { data, line, made, maybe_deleted }, base) => {
            let (version, ttl) = (job.version, job.ttl);
            let (line, made, maybe_deleted, others) = (*line, *made, *maybe_deleted, &job.others);
            let returning = Returning { data, base, version, line, ttl, made, maybe_deleted, others };
            redis.write_back(id, returning, began, deadline).await
        }
    }
}

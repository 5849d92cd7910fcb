//! The end of an outage: looking for Redis, writing back, and handing over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::ledger::{Job, Reconciled, Work};
use super::policy::Policy;
use super::switch::Mode;
use super::{FallbackStats, Inner, outage};
use crate::data::SessionData;
use crate::error::{Effect, StoreError};
use crate::event::Event;
use crate::redis_store::back::{ExtendBack, Returning, WriteBack};
use crate::redis_store::{Backoff, RetryProfile};
use crate::store::{SessionId, Version};

/// Sessions written back at the same time.
const LANES: usize = 16;
/// Round trips for one session before it is frozen for the next.
const PATIENT_ROUNDS: usize = 2;
/// Pauses between attempts to recover while there is a connection.
const PACE: RetryProfile = RetryProfile::doubling(Duration::from_millis(20), Duration::from_millis(500));

/// What became of sessions on their way back: of the present activation, and of all before.
#[derive(Default)]
pub(super) struct Tally {
    now: Counts,
    before: Counts,
    /// Writes that a silent cache has dropped.
    pub(super) dropped: AtomicU64,
    dropped_before: AtomicU64,
}

#[derive(Default)]
struct Counts {
    written: AtomicU64,
    deleted: AtomicU64,
    merged: AtomicU64,
    lost_items: AtomicU64,
    lost_sessions: AtomicU64,
}

impl Counts {
    fn all(&self) -> [&AtomicU64; 5] {
        [&self.written, &self.deleted, &self.merged, &self.lost_items, &self.lost_sessions]
    }
}

impl Tally {
    /// The counts of the activation that ends now.
    fn close(&self) -> [u64; 5] {
        let mut closed = [0; 5];
        for ((count, now), before) in closed.iter_mut().zip(self.now.all()).zip(self.before.all()) {
            *count = now.swap(0, Ordering::Relaxed);
            before.fetch_add(*count, Ordering::Relaxed);
        }
        closed
    }

    pub(super) fn total(&self, stats: &mut FallbackStats) {
        let mut sums = [0; 5];
        for ((sum, now), before) in sums.iter_mut().zip(self.now.all()).zip(self.before.all()) {
            *sum = now.load(Ordering::Relaxed) + before.load(Ordering::Relaxed);
        }
        [stats.written, stats.deleted, stats.merged, stats.lost_items, stats.lost_sessions] = sums;
        stats.dropped = self.dropped.load(Ordering::Relaxed);
    }

    /// Sessions that were forgotten when the policy was switched.
    pub(super) fn forgot(&self, sessions: u64) {
        count(&self.before.lost_sessions, sessions);
    }

    /// Writes dropped since this was last asked.
    fn newly_dropped(&self) -> u64 {
        let all = self.dropped.load(Ordering::Relaxed);
        all - self.dropped_before.swap(all, Ordering::Relaxed)
    }
}

pub(super) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// Runs until what `run` is about is over, or until another task has taken its place.
pub(super) async fn recover<D: SessionData>(inner: Arc<Inner<D>>, run: u64) {
    let mut backoff = Backoff::new(PACE);
    loop {
        tokio::select! {
            () = inner.redis.reachable() => {}
            () = superseded(&inner, run) => return,
        }
        match attempt(&inner, run).await {
            Ok(true) => return,
            // Something became dirty meanwhile, or an operation failed: the next round takes it.
            Ok(false) => {}
            Err(error) => {
                tracing::debug!(%error, "Redis does not take writes yet");
                inner.switch.interrupt_draining(run);
            }
        }
        tokio::select! {
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

/// One attempt to hand over to Redis. `true`: nothing is left to do for this task.
async fn attempt<D: SessionData>(inner: &Arc<Inner<D>>, run: u64) -> Result<bool, StoreError> {
    inner.redis.probe().await?;
    if !inner.switch.begin_draining(run) {
        return Ok(true);
    }
    let forget = inner.switch.state().forget;
    while !forget && inner.ledger.dirty() > 0 && inner.is_in(run, Mode::Draining) {
        drain(inner, run).await?;
    }
    Ok(inner.switch.end(run, |state| {
        if state.forget {
            count(&inner.tally.now.lost_sessions, inner.ledger.forget_all());
        } else if inner.ledger.dirty() > 0 {
            return None;
        }
        let [written, deleted, merged, lost, sessions] = inner.tally.close();
        Some(match state.policy {
            _ if state.forget => Event::Lost { sessions },
            _ if state.planned => Event::CarriedOver { written, deleted, merged, lost },
            Policy::SilentCache => Event::Dropped { writes: inner.tally.newly_dropped(), invalidated: deleted },
            _ => Event::Drained { written, deleted, merged, lost },
        })
    }))
}

/// Tells Redis of a session that it does not have and memory does. `false`: memory has none either, or learned from Redis
/// that it was destroyed.
pub(super) async fn carry_over<D: SessionData>(inner: &Inner<D>, id: &SessionId) -> Result<bool, StoreError> {
    if !inner.ledger.misses(id) {
        return Ok(false);
    }
    write_back(inner, id).await.map(|()| true)
}

/// Writes back every session that is dirty now. Stops at the first failure of Redis, and
/// where the policy is switched.
async fn drain<D: SessionData>(inner: &Arc<Inner<D>>, run: u64) -> Result<(), StoreError> {
    let ids = Arc::new(Mutex::new(VecDeque::from(inner.ledger.dirty_ids())));
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        let (inner, ids) = (Arc::clone(inner), Arc::clone(&ids));
        lanes.spawn(async move {
            while inner.is_in(run, Mode::Draining) {
                let Some(id) = ids.lock().pop_front() else { break };
                if let Err(error) = write_back(&inner, &id).await {
                    ids.lock().clear();
                    return Err(error);
                }
            }
            Ok(())
        });
    }
    let mut outcome = Ok(());
    while let Some(lane) = lanes.join_next().await {
        if let Ok(Err(error)) = lane {
            outcome = Err(error);
        }
    }
    outcome
}

/// Writes one session back, as often as it takes.
async fn write_back<D: SessionData>(inner: &Inner<D>, id: &SessionId) -> Result<(), StoreError> {
    let ledger = &inner.ledger;
    let mut merged = false;
    for round in 0.. {
        // A silent cache makes nobody wait: what is dropped meanwhile makes another round.
        let freeze = round >= PATIENT_ROUNDS && inner.switch.state().policy != Policy::SilentCache;
        let Some(job) = ledger.next_job(id, freeze) else { break };
        let told = tell(inner, id, &job).await;
        let done = match told {
            Ok(Told::Written(version)) => {
                let done = ledger.settle(id, &job, version);
                count(&inner.tally.now.written, u64::from(done && matches!(job.work, Work::Write { .. })));
                count(&inner.tally.now.deleted, u64::from(done && matches!(job.work, Work::Destroy)));
                done
            }
            Ok(Told::Extended(version)) => ledger.settle_extended(id, &job, version),
            Ok(Told::Missing) => {
                ledger.settle_missing(id);
                false
            }
            Ok(Told::Destroyed(tombstone)) => {
                ledger.settle_destroyed(id, tombstone);
                true
            }
            Ok(Told::Conflict(theirs)) => {
                match ledger.reconcile(id, theirs) {
                    Reconciled::Own => {}
                    Reconciled::Merged(report) => {
                        count(&inner.tally.now.merged, u64::from(!merged));
                        count(&inner.tally.now.lost_items, report.lost);
                        merged = true;
                    }
                    Reconciled::Replaced(report) => {
                        tracing::warn!(session = %id, lost = report.lost, "a write made while Redis was away replaced another's");
                        count(&inner.tally.now.lost_items, report.lost);
                    }
                }
                false
            }
            Err(error) if outage(&error).is_some() => {
                ledger.put_off(id, job, error.effect() == Effect::Unknown);
                inner.thawed.notify_waiters();
                return Err(error);
            }
            Err(error) => {
                // Neither now nor later: the others must not wait for it.
                tracing::warn!(session = %id, %error, "a session cannot be written back and is given up");
                ledger.give_up(id);
                count(&inner.tally.now.lost_items, 1);
                true
            }
        };
        inner.thawed.notify_waiters();
        if done {
            break;
        }
    }
    Ok(())
}

enum Told<D> {
    Written(Version),
    Extended(Version),
    Missing,
    Destroyed(Version),
    Conflict(crate::store::Session<D>),
}

/// Tells Redis what a job says.
async fn tell<D: SessionData>(inner: &Inner<D>, id: &SessionId, job: &Job<D>) -> Result<Told<D>, StoreError> {
    let redis = &inner.redis;
    match &job.work {
        Work::Destroy => redis.destroy_back(id, job.version).await.map(Told::Written),
        Work::Extend => Ok(match redis.extend_back(id, job.base, job.ttl).await? {
            ExtendBack::Extended(version) => Told::Extended(version),
            ExtendBack::Missing => Told::Missing,
            ExtendBack::Destroyed(tombstone) => Told::Destroyed(tombstone),
        }),
        Work::Write { data, made, entombed } => {
            let (base, version, ttl) = (job.base, job.version, job.ttl);
            let returning = Returning { data, base, version, ttl, made: *made, entombed: *entombed };
            Ok(match redis.write_back(id, returning).await? {
                WriteBack::Written(version) => Told::Written(version),
                WriteBack::Destroyed(tombstone) => Told::Destroyed(tombstone),
                WriteBack::Conflict(theirs) => Told::Conflict(theirs),
            })
        }
    }
}

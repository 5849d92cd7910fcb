//! Changing the policy under traffic: what a deploy or a feature flag does when a service moves its sessions from
//! memory to Redis, or back.
//!
//! | from → to | what happens to the sessions |
//! |---|---|
//! | `memory` → Redis | those in memory are lost, and counted; what was destroyed in memory is destroyed in Redis too |
//! | `memory` → `dual-write` | memory answers for each until Redis has it: at once on use, the rest in the background |
//! | `dual-write` → Redis | none is lost: what is not in Redis yet is still carried over |
//! | Redis → `dual-write` | memory is filled from Redis in the background |
//! | `dual-write` → `memory` | those in memory go on there: all of them, once it was filled and if they fit |
//! | Redis → `memory` | only those with a copy in memory go on (`drain`); the others are found again after a switch back |
//!
//! "Redis" is any policy but `memory` and `dual-write`. The fallback uses the same memory, so a switch copies nothing
//! and only waits for the calls that memory is answering.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::cause::outage;
use super::inner::Inner;
use super::stats::FallbackStats;
use super::store::Fallback;
use super::switch::{Mode, State};
use crate::breaker::BreakerStats;
use crate::clock::from_now;
use crate::data::SessionData;
use crate::error::StoreError;
use crate::event::Event;
use crate::lineage::Lineage;
use crate::operation::Operation;
use crate::planted::{self, Hooks};
use crate::policy::Policy;
use crate::store::{AppendStore, SessionId};

/// Pause before the filling of memory tries Redis again.
const FILL_PAUSE: Duration = Duration::from_millis(100);
/// How often to read a session that others keep writing, before the filling starts over.
const READS: usize = 16;

/// A store in memory and in Redis whose policy can be changed under traffic. Made by
/// [`StoreBuilder::build_switchable`](crate::StoreBuilder::build_switchable).
pub struct Switchable<D: SessionData> {
    fallback: Arc<Fallback<D>>,
    store: Arc<dyn AppendStore<D>>,
    planted: Hooks,
}

/// How far a switch has progressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Sessions and deletions that only memory knows.
    pub waiting: u64,
    /// Whether memory is still being filled from Redis.
    pub filling: bool,
}

impl Progress {
    /// Whether both know the same: from `dual-write` the policy can now change to either side without losing a session.
    pub fn is_complete(self) -> bool {
        self.waiting == 0 && !self.filling
    }
}

impl<D: SessionData> Switchable<D> {
    /// `store` is the fallback as its callers see it.
    pub(crate) fn new(fallback: Arc<Fallback<D>>, store: Arc<dyn AppendStore<D>>, planted: Hooks) -> Self {
        Self { fallback, store, planted }
    }

    /// The store; it stays the same under every policy.
    pub fn store(&self) -> Arc<dyn AppendStore<D>> {
        Arc::clone(&self.store)
    }

    /// The current policy.
    pub fn policy(&self) -> Policy {
        self.fallback.inner.switch.state().policy
    }

    /// Changes the policy to `to` and returns how many sessions that lost: those in memory on a direct switch from
    /// `memory` to Redis, otherwise none. Reported as [`Event::Switched`] and [`Event::Lost`], and as
    /// [`Event::CarriedOver`] once Redis has everything that only memory had. It never awaits, and needs no tokio
    /// runtime.
    pub fn switch_to(&self, to: Policy) -> u64 {
        self.planted.during(|| self.fallback.switch_to(to))
    }

    /// What is left to do after a switch.
    pub fn progress(&self) -> Progress {
        let inner = &self.fallback.inner;
        Progress { waiting: inner.cache.dirty() as u64, filling: inner.filling.load(Ordering::SeqCst) }
    }

    /// The counters of the fallback.
    pub fn stats(&self) -> FallbackStats {
        self.fallback.stats()
    }

    /// The counters of the circuit breaker.
    pub fn breaker_stats(&self) -> BreakerStats {
        self.fallback.redis().breaker_stats()
    }
}

impl<D: SessionData> Clone for Switchable<D> {
    fn clone(&self) -> Self {
        Self { fallback: Arc::clone(&self.fallback), store: Arc::clone(&self.store), planted: self.planted }
    }
}

impl<D: SessionData> Fallback<D> {
    fn switch_to(&self, to: Policy) -> u64 {
        let inner = &self.inner;
        let (from, lost, run) = inner.switch.change(|state| {
            let from = state.policy;
            if from == to {
                return (Vec::new(), (from, 0, None));
            }
            state.policy = to;
            let directly = !from.rules().uses_redis && !to.rules().writes_both;
            let lost = if directly { inner.cache.forget_sessions() } else { 0 };
            inner.cache.follow(to);
            let run = enter(state, from, inner.cache.dirty() > 0);
            tracing::info!(%from, %to, lost, "the session store was switched");
            let told =
                [Event::Switched { from, to }].into_iter().chain(directly.then_some(Event::Lost { sessions: lost }));
            (told.collect(), (from, lost, run))
        });
        inner.tally.forgot(lost);
        inner.switched.notify_waiters();
        if let Some(run) = run {
            inner.look_for_redis(run);
        }
        if to.rules().writes_both && from.rules().uses_redis && !from.rules().writes_both {
            inner.filling.store(true, Ordering::SeqCst);
            inner.redis.runtime().spawn(planted::carried(fill(Arc::downgrade(inner))));
        }
        lost
    }
}

/// Sets the mode after the policy was switched. `dirty`: memory knows something that Redis does not. Returns the run of
/// the recovery task to start, if any.
fn enter(state: &mut State, from: Policy, dirty: bool) -> Option<u64> {
    let to = state.policy.rules();
    match from.rules().uses_redis {
        _ if !to.uses_redis => {
            take_charge(state, Mode::Active);
            None
        }
        // Memory answers until Redis has shown that it accepts writes.
        false if to.writes_both => Some(take_charge(state, Mode::Active)),
        false if dirty => Some(take_charge(state, Mode::Draining)),
        false => {
            take_charge(state, Mode::Normal);
            state.planned = false;
            None
        }
        // Memory answers for what is not written back yet; for everything else only Redis does.
        true if !to.takes_over && state.mode != Mode::Normal => {
            (state.mode, state.planned) = (Mode::Draining, true);
            state.forget = false;
            None
        }
        true => {
            state.forget &= to.forgets;
            None
        }
    }
}

/// Starts a planned period, with a recovery task of its own.
fn take_charge(state: &mut State, mode: Mode) -> u64 {
    state.mode = mode;
    state.planned = true;
    state.forget = false;
    state.epoch += 1;
    state.run += 1;
    state.run
}

/// Fills memory with Redis's sessions, as long as both are written.
async fn fill<D: SessionData>(inner: std::sync::Weak<Inner<D>>) {
    let mut cursor = b"0".to_vec();
    let mut connection = None;
    loop {
        let Some(inner) = inner.upgrade() else { return };
        // A cursor is a position in one process's table, and another connection may lead to another process.
        let current = Some(inner.redis.news().connections());
        if connection != current {
            cursor = b"0".to_vec();
            connection = current;
        }
        match fill_step(&inner, &cursor).await {
            Ok(_) if current != Some(inner.redis.news().connections()) => {}
            Ok(Some(next)) => cursor = next,
            Ok(None) => {
                inner.filling.store(false, Ordering::SeqCst);
                return;
            }
            Err(error) => {
                tracing::debug!(%error, "memory cannot be filled from Redis yet");
                // The cluster's layout may have changed, and a cursor of the old one leads nowhere.
                connection = None;
                drop(inner);
                tokio::time::sleep(FILL_PAUSE).await;
            }
        }
    }
}

/// Fills memory with one page of sessions. `None`: it was the last page, or more would be useless.
async fn fill_step<D: SessionData>(inner: &Inner<D>, cursor: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let (next, page) = inner.redis.page(cursor).await?;
    for id in page {
        let state = *inner.switch.state();
        if !state.policy.rules().writes_both {
            return Ok(None);
        }
        if inner.cache.is_full() {
            tracing::warn!("not every session of Redis fits into memory: the others would be lost without Redis");
            return Ok(None);
        }
        take_in(inner, &id).await?;
    }
    Ok((next != b"0").then_some(next))
}

/// Reads a Redis session into memory, again whenever a write during the read has made it stale.
async fn take_in<D: SessionData>(inner: &Inner<D>, id: &SessionId) -> Result<(), StoreError> {
    for _ in 0..READS {
        let asked = inner.ask();
        match inner.redis.read_with_life(id, from_now(inner.redis.command_timeout())).await {
            Ok(Some(answer)) => {
                let ttl = answer.lives.unwrap_or(Duration::MAX);
                inner.observe(id, Operation::Get, &answer, ttl, Lineage::default(), asked);
                if inner.cache.holds(id) || inner.cache.is_full() {
                    return Ok(());
                }
            }
            Ok(None) => return Ok(()),
            Err(error) if outage(&error).is_some() => return Err(error),
            Err(error) => {
                tracing::warn!(session = %id, %error, "a session of Redis cannot be read into memory");
                return Ok(());
            }
        }
    }
    Err(StoreError::Unavailable { reason: "a session is written faster than it can be read into memory".to_owned() })
}

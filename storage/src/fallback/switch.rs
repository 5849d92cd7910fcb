//! Whether memory is in charge, and the events of its activations: exactly one start and one end per outage.
//!
//! ```text
//!            a call fails                Redis takes writes again
//!   Normal ───────────────▶ Active ─────────────────────────────▶ Draining
//!     ▲                       ▲                                      │ │
//!     │                       └────────── a call fails ──────────────┘ │
//!     └────────────────── nothing is left to drain ────────────────────┘
//! ```
//! Memory can also be in charge by *plan* (the policy was switched under traffic, see `migration`): that is no outage,
//! and its answers count as the primary's. A planned period becomes an outage if Redis fails during it.
//!
//! A call that answers from memory holds the state's read lock meanwhile, so the end of an activation or a switch
//! (under the write lock) never misses such an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::error::StoreError;
use crate::event::{Event, EventSink, FallbackCause};
use crate::outage::Witness;
use crate::policy::Policy;
use crate::refusals::Refusals;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Redis answers.
    Normal,
    /// Memory answers.
    Active,
    /// Redis answers, except for sessions that are not written back yet.
    Draining,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) policy: Policy,
    pub(super) mode: Mode,
    /// Changes when memory takes charge. An operation that began before and fails after the end of that period belongs
    /// to an outage that is over.
    pub(super) epoch: u64,
    /// Whether memory is in charge by plan, not because Redis failed.
    pub(super) planned: bool,
    /// Whether memory is cleared when Redis is back.
    pub(super) forget: bool,
    /// The latest Redis process that everything known here was compared with.
    pub(super) verified: u64,
    /// Which recovery task is current; the others notice and end by themselves.
    pub(super) run: u64,
    /// Whether a drain was reported that is not over.
    drain_reported: bool,
    activations: u64,
    since: Instant,
}

impl State {
    /// Whether memory is the store, and nobody looks for Redis.
    pub(super) fn is_memory(&self) -> bool {
        !self.policy.rules().uses_redis
    }
}

/// How an activation began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Onset {
    /// Memory was in charge already.
    None,
    /// It begins now, and needs a task that looks for its end.
    Outage,
    /// A planned period has become an outage; a task looks for its end already.
    Turned,
}

pub(super) struct Switch {
    state: RwLock<State>,
    served: AtomicU64,
    served_before: AtomicU64,
    /// Times that Redis failed during a drain.
    interrupted: AtomicU64,
    events: EventSink,
    refusals: Refusals,
    witness: Witness,
}

impl Switch {
    pub(super) fn new(policy: Policy, events: EventSink, witness: Witness) -> Self {
        let memory = !policy.rules().uses_redis;
        let state = State {
            policy,
            mode: if memory { Mode::Active } else { Mode::Normal },
            epoch: 0,
            planned: memory,
            forget: false,
            verified: 0,
            run: 0,
            drain_reported: false,
            activations: 0,
            since: Instant::now(),
        };
        Self {
            state: RwLock::new(state),
            served: AtomicU64::new(0),
            served_before: AtomicU64::new(0),
            interrupted: AtomicU64::new(0),
            refusals: Refusals::new(Arc::clone(&events)),
            events,
            witness,
        }
    }

    /// The state, which does not change while the guard is held.
    pub(super) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read()
    }

    /// The state after an operation that began in `epoch` failed with `cause`. `None`: memory does not take over,
    /// because the policy forbids it or the operation belongs to an outage that is over.
    pub(super) fn activate(&self, epoch: u64, cause: FallbackCause) -> Option<(RwLockReadGuard<'_, State>, Onset)> {
        let mut state = self.state.write();
        if !state.policy.rules().takes_over || state.mode == Mode::Normal && state.epoch != epoch {
            return None;
        }
        let onset = match state.mode {
            _ if state.is_memory() => Onset::None,
            Mode::Normal => Onset::Outage,
            _ if state.planned => Onset::Turned,
            _ => Onset::None,
        };
        if onset != Onset::None {
            state.epoch += 1;
            state.activations += 1;
            state.planned = false;
            state.since = Instant::now();
            self.served.store(0, Ordering::Relaxed);
        }
        if onset == Onset::Outage {
            state.forget = state.policy.rules().forgets;
            state.run += 1;
        }
        self.interrupted.fetch_add(u64::from(state.mode == Mode::Draining), Ordering::Relaxed);
        state.mode = Mode::Active;
        let interrupted = std::mem::take(&mut state.drain_reported);
        let state = RwLockWriteGuard::downgrade(state);
        if interrupted {
            (self.events)(Event::DrainInterrupted);
        }
        if onset != Onset::None {
            let reason = format!("{cause:?}, policy {}", state.policy);
            self.witness.away("Redis is away: the session fallback takes over", &reason);
            (self.events)(Event::FallbackStarted { cause });
        }
        Some((state, onset))
    }

    /// Reports what the server said when its refusal made memory take over.
    pub(super) fn tell_refusal(&self, error: &StoreError) {
        if let StoreError::Refused { code, answer } = error {
            self.refusals.report(code, || answer.clone());
        }
    }

    /// Times that Redis failed during a drain.
    pub(super) fn interrupted(&self) -> u64 {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Another Redis process serves, the `boot`th. `suspect` marks what it may have lost and returns how many sessions
    /// these are; memory answers for them until Redis has been asked. Returns the run of the recovery task to start, if
    /// one is needed.
    pub(super) fn restarted(&self, boot: u64, suspect: impl FnOnce() -> u64) -> Option<u64> {
        let mut state = self.state.write();
        if state.verified >= boot {
            return None;
        }
        state.verified = boot;
        let suspects = if state.policy.rules().keeps_copies { suspect() } else { 0 };
        if suspects == 0 {
            return None;
        }
        self.compare(state, suspects)
    }

    /// A reply came from a Redis process that no longer serves, so the present one has to be asked. Returns the run of
    /// the recovery task to start, if one is needed.
    pub(super) fn doubted(&self) -> Option<u64> {
        let state = self.state.write();
        if !state.policy.rules().keeps_copies { None } else { self.compare(state, 1) }
    }

    fn compare(&self, mut state: RwLockWriteGuard<'_, State>, suspects: u64) -> Option<u64> {
        if state.mode != Mode::Normal {
            return None;
        }
        state.epoch += 1;
        state.activations += 1;
        state.since = Instant::now();
        state.forget = false;
        state.run += 1;
        state.mode = Mode::Draining;
        self.served.store(0, Ordering::Relaxed);
        let state = RwLockWriteGuard::downgrade(state);
        let what = "another Redis process serves: what it has is compared with what is known here";
        self.witness.away(what, &format!("{suspects} sessions, policy {}", state.policy));
        (self.events)(Event::FallbackStarted { cause: FallbackCause::Restarted });
        Some(state.run)
    }

    /// Counts one operation answered by the fallback.
    pub(super) fn serve(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    /// Recovery task `run` has found that Redis accepts writes again, and lacks what `waiting` sessions know. `false`:
    /// the task is no longer the current one.
    pub(super) fn begin_draining(&self, run: u64, waiting: u64) -> bool {
        let mut state = self.state.write();
        if state.run != run || state.mode == Mode::Normal {
            return false;
        }
        state.mode = Mode::Draining;
        // A comparison with another Redis process is in this mode before it has asked anything.
        let begins = waiting > 0 && !state.forget && !state.drain_reported;
        state.drain_reported |= begins;
        let _state = RwLockWriteGuard::downgrade(state);
        if begins {
            (self.events)(Event::DrainStarted { waiting });
        }
        true
    }

    /// Redis failed again during the drain. A planned period continues: the calls that meet the failure turn it into an
    /// outage.
    pub(super) fn interrupt_draining(&self, run: u64) {
        let mut state = self.state.write();
        if state.run != run || state.mode != Mode::Draining || state.planned {
            return;
        }
        self.interrupted.fetch_add(1, Ordering::Relaxed);
        state.mode = Mode::Active;
        let reported = std::mem::take(&mut state.drain_reported);
        let _state = RwLockWriteGuard::downgrade(state);
        if reported {
            (self.events)(Event::DrainInterrupted);
        }
    }

    /// Ends an activation if it is still draining and `finish` agrees by returning the last event before the end.
    /// `finish` runs while memory can answer nothing.
    pub(super) fn end(&self, run: u64, finish: impl FnOnce(&State) -> Option<Event>) -> bool {
        let mut state = self.state.write();
        if state.mode != Mode::Draining || state.run != run {
            return false;
        }
        let Some(last) = finish(&state) else { return false };
        state.mode = Mode::Normal;
        state.drain_reported = false;
        let ended = (!std::mem::take(&mut state.planned)).then(|| self.ended(state.since));
        // Stay read-locked while the events go out, so that the next start cannot overtake this end.
        let _state = RwLockWriteGuard::downgrade(state);
        match &ended {
            Some(ended) => {
                self.witness.over("Redis is back: the session fallback is over", &format!("{ended:?}, {last:?}"));
            }
            None => tracing::info!(?last, "Redis has everything that memory had"),
        }
        (self.events)(last);
        ended.into_iter().for_each(|ended| (self.events)(ended));
        true
    }

    /// Changes the policy while memory answers nothing; `change` returns the events to report.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> (Vec<Event>, T)) -> T {
        let mut state = self.state.write();
        let before = *state;
        let (events, result) = change(&mut state);
        state.drain_reported &= state.mode == Mode::Draining;
        let was_outage = before.mode != Mode::Normal && !before.planned;
        let is_outage = state.mode != Mode::Normal && !state.planned;
        let ended = (was_outage && !is_outage).then(|| self.ended(before.since));
        let _state = RwLockWriteGuard::downgrade(state);
        if let Some(ended) = &ended {
            self.witness.back("the session fallback is over: the policy was switched", &format!("{ended:?}"));
        }
        ended.into_iter().chain(events).for_each(|event| (self.events)(event));
        result
    }

    fn ended(&self, since: Instant) -> Event {
        let lasted = since.elapsed();
        let served = self.served.swap(0, Ordering::Relaxed);
        self.served_before.fetch_add(served, Ordering::Relaxed);
        Event::FallbackEnded { lasted, served }
    }

    /// The state, the activations and operations served so far, and how long the present outage has lasted.
    pub(super) fn summary(&self) -> (State, u64, u64, Duration) {
        let state = *self.state.read();
        let served = self.served_before.load(Ordering::Relaxed) + self.served.load(Ordering::Relaxed);
        let away = state.mode != Mode::Normal && !state.planned;
        (state, state.activations, served, if away { state.since.elapsed() } else { Duration::ZERO })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::outage::OutageLog;

    fn switch() -> (Switch, Arc<Mutex<Vec<Event>>>) {
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&events);
        let witness = Arc::new(OutageLog::default()).witness();
        (Switch::new(Policy::Drain, Arc::new(move |event| sink.lock().push(event)), witness), events)
    }

    fn run(switch: &Switch) -> u64 {
        let state = *switch.state();
        state.run
    }

    fn starts(events: &Mutex<Vec<Event>>) -> usize {
        events.lock().iter().filter(|event| matches!(event, Event::FallbackStarted { .. })).count()
    }

    #[test]
    fn many_failures_in_one_outage_are_one_activation() {
        let (switch, events) = switch();
        for _ in 0..5 {
            assert!(switch.activate(0, FallbackCause::Timeout).is_some());
            switch.serve();
        }
        assert!(switch.begin_draining(run(&switch), 1));
        assert!(switch.activate(1, FallbackCause::Timeout).is_some());
        assert!(
            !switch.end(run(&switch), |_| Some(Event::Lost { sessions: 0 })),
            "a failure while draining reopens the outage"
        );
        assert!(switch.begin_draining(run(&switch), 1));
        assert!(switch.end(run(&switch), |_| Some(Event::Lost { sessions: 0 })));
        assert_eq!(starts(&events), 1);
        assert!(matches!(events.lock().last(), Some(Event::FallbackEnded { served: 5, .. })));
    }

    #[test]
    fn each_drain_is_reported_once_when_it_begins_and_once_when_redis_fails_in_it() {
        let (switch, events) = switch();
        assert!(switch.activate(0, FallbackCause::Timeout).is_some());
        switch.interrupt_draining(run(&switch));
        for waiting in [3, 2] {
            assert!(switch.begin_draining(run(&switch), waiting));
        }
        switch.interrupt_draining(run(&switch));
        assert!(switch.begin_draining(run(&switch), 2));
        assert!(switch.activate(1, FallbackCause::Timeout).is_some());
        assert!(switch.begin_draining(run(&switch), 0), "nothing is left to drain");
        assert!(switch.end(run(&switch), |_| Some(Event::Lost { sessions: 0 })));
        let (began, cut) = (|waiting| Event::DrainStarted { waiting }, Event::DrainInterrupted);
        assert_eq!(events.lock()[1..5], [began(3), cut.clone(), began(2), cut]);
        assert_eq!(switch.interrupted(), 2);
    }

    #[test]
    fn a_late_failure_of_an_outage_that_is_over_starts_no_new_one() {
        let (switch, events) = switch();
        assert!(switch.activate(0, FallbackCause::Timeout).is_some());
        assert!(switch.begin_draining(run(&switch), 1));
        assert!(switch.end(run(&switch), |_| Some(Event::Lost { sessions: 0 })));
        assert!(switch.activate(0, FallbackCause::Timeout).is_none());
        assert_eq!(starts(&events), 1);
        assert!(switch.activate(1, FallbackCause::Timeout).is_some());
        assert_eq!(starts(&events), 2);
    }

    #[test]
    fn nothing_ends_while_something_is_left() {
        let (switch, _) = switch();
        assert!(switch.activate(0, FallbackCause::Unreachable).is_some());
        assert!(switch.begin_draining(run(&switch), 1));
        assert!(!switch.end(run(&switch), |_| None));
        assert_eq!(switch.state().mode, Mode::Draining);
    }
}

//! Whether the fallback is active, and the story of its activations: exactly one start and one end per outage.
//!
//! ```text
//!            a call fails                Redis takes writes again
//!   Normal ───────────────▶ Active ─────────────────────────────▶ Draining
//!     ▲                       ▲                                      │ │
//!     │                       └────────── a call fails ──────────────┘ │
//!     └───────────────── nothing is left to be drained ────────────────┘
//! ```
//! Whoever answers from the fallback holds the state's read lock while it does, so that the end of an activation (under
//! the write lock) never overlooks an answer that is just being given.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::event::{Event, EventSink, FallbackCause};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Redis answers.
    Normal,
    /// The fallback answers.
    Active,
    /// Redis answers, except for sessions that are not written back yet.
    Draining,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) mode: Mode,
    /// Activations so far. An operation that began before the last one and fails after its end belongs to an outage
    /// that is over.
    pub(super) epoch: u64,
    since: Instant,
}

pub(super) struct Switch {
    state: RwLock<State>,
    served: AtomicU64,
    served_before: AtomicU64,
    events: EventSink,
}

impl Switch {
    pub(super) fn new(events: EventSink) -> Self {
        Self {
            state: RwLock::new(State { mode: Mode::Normal, epoch: 0, since: Instant::now() }),
            served: AtomicU64::new(0),
            served_before: AtomicU64::new(0),
            events,
        }
    }

    /// The state, which stays while the guard is held.
    pub(super) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read()
    }

    /// The state after an operation that began in `epoch` has failed because of `cause`. `None`: the operation belongs
    /// to an outage that is over, and starts no new one.
    pub(super) fn activate(&self, epoch: u64, cause: FallbackCause) -> Option<(RwLockReadGuard<'_, State>, bool)> {
        let mut state = self.state.write();
        let begins = match state.mode {
            Mode::Normal if state.epoch != epoch => return None,
            Mode::Normal => {
                *state = State { mode: Mode::Active, epoch: epoch + 1, since: Instant::now() };
                self.served.store(0, Ordering::Relaxed);
                true
            }
            Mode::Active | Mode::Draining => {
                state.mode = Mode::Active;
                false
            }
        };
        let state = RwLockWriteGuard::downgrade(state);
        if begins {
            tracing::warn!(?cause, "Redis is away: the session fallback takes over");
            (self.events)(Event::FallbackStarted { cause });
        }
        Some((state, begins))
    }

    /// Counts one operation answered by the fallback.
    pub(super) fn serve(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    /// Redis takes writes again.
    pub(super) fn begin_draining(&self) {
        self.state.write().mode = Mode::Draining;
    }

    /// Redis failed again while sessions were written back.
    pub(super) fn interrupt_draining(&self) {
        self.state.write().mode = Mode::Active;
    }

    /// Ends the activation if it is still draining and `finish`, called while nothing can be answered from the
    /// fallback, agrees by giving the last event before the end.
    pub(super) fn end(&self, finish: impl FnOnce() -> Option<Event>) -> bool {
        let mut state = self.state.write();
        if state.mode != Mode::Draining {
            return false;
        }
        let Some(last) = finish() else { return false };
        state.mode = Mode::Normal;
        let lasted = state.since.elapsed();
        let served = self.served.swap(0, Ordering::Relaxed);
        self.served_before.fetch_add(served, Ordering::Relaxed);
        // Read-locked while the events go out: the next start cannot overtake this end.
        let _state = RwLockWriteGuard::downgrade(state);
        tracing::info!(?lasted, served, ?last, "Redis is back: the session fallback is over");
        (self.events)(last);
        (self.events)(Event::FallbackEnded { lasted, served });
        true
    }

    /// Mode, activations so far, operations served so far, and for how long the present activation lasts.
    pub(super) fn summary(&self) -> (Mode, u64, u64, Duration) {
        let state = self.state.read();
        let served = self.served_before.load(Ordering::Relaxed) + self.served.load(Ordering::Relaxed);
        let lasts = if state.mode == Mode::Normal { Duration::ZERO } else { state.since.elapsed() };
        (state.mode, state.epoch, served, lasts)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    fn switch() -> (Switch, Arc<Mutex<Vec<Event>>>) {
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&events);
        (Switch::new(Arc::new(move |event| sink.lock().push(event))), events)
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
        switch.begin_draining();
        assert!(switch.activate(1, FallbackCause::Timeout).is_some());
        assert!(!switch.end(|| Some(Event::Lost { sessions: 0 })), "a failure while draining reopens the outage");
        switch.begin_draining();
        assert!(switch.end(|| Some(Event::Lost { sessions: 0 })));
        assert_eq!(starts(&events), 1);
        assert!(matches!(events.lock().last(), Some(Event::FallbackEnded { served: 5, .. })));
    }

    #[test]
    fn a_late_failure_of_an_outage_that_is_over_starts_no_new_one() {
        let (switch, events) = switch();
        assert!(switch.activate(0, FallbackCause::Timeout).is_some());
        switch.begin_draining();
        assert!(switch.end(|| Some(Event::Lost { sessions: 0 })));
        assert!(switch.activate(0, FallbackCause::Timeout).is_none());
        assert_eq!(starts(&events), 1);
        assert!(switch.activate(1, FallbackCause::Timeout).is_some());
        assert_eq!(starts(&events), 2);
    }

    #[test]
    fn nothing_ends_while_something_is_left() {
        let (switch, _) = switch();
        assert!(switch.activate(0, FallbackCause::Unreachable).is_some());
        switch.begin_draining();
        assert!(!switch.end(|| None));
        assert_eq!(switch.state().mode, Mode::Draining);
    }
}

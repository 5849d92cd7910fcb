//! What an outage looks like in the log: one warning when it is first noticed and one line at its end, however many
//! parts notice it (each connection, the fallback, the circuit breaker) and however often they retry. Their messages in
//! between are at `debug`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

/// The outages of one store.
#[derive(Default)]
pub(crate) struct OutageLog {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    witnesses: u64,
    /// The witnesses for which Redis is away.
    away: Vec<u64>,
    /// When it was first reported.
    since: Option<Instant>,
    ended: bool,
}

/// A part that notices when Redis goes away and comes back.
pub(crate) struct Witness {
    log: Arc<OutageLog>,
    number: u64,
    left: AtomicBool,
}

impl OutageLog {
    pub(crate) fn witness(self: &Arc<Self>) -> Witness {
        let mut state = self.state.lock();
        state.witnesses += 1;
        Witness { log: Arc::clone(self), number: state.witnesses, left: AtomicBool::new(false) }
    }

    /// The store ends, and its connections with it: that is neither an outage nor the end of one.
    pub(crate) fn end(&self) {
        self.state.lock().ended = true;
    }
}

impl Witness {
    /// Redis is away: `what` this means, and why.
    pub(crate) fn away(&self, what: &str, reason: &str) {
        let mut state = self.log.state.lock();
        if state.ended || state.away.contains(&self.number) || self.left.load(Ordering::Relaxed) {
            return;
        }
        state.away.push(self.number);
        if state.since.is_some() {
            tracing::debug!(reason, "{what}");
            return;
        }
        state.since = Some(Instant::now());
        tracing::warn!(reason, "{what}");
    }

    /// Redis is back, as far as this witness can tell.
    pub(crate) fn back(&self, what: &str, detail: &str) {
        let mut state = self.log.state.lock();
        if let Some(at) = state.away.iter().position(|number| *number == self.number) {
            state.away.swap_remove(at);
            state.say_back(what, detail);
        }
    }

    /// Redis is back; this witness can tell for all of them.
    pub(crate) fn over(&self, what: &str, detail: &str) {
        let mut state = self.log.state.lock();
        state.away.clear();
        state.say_back(what, detail);
    }

    /// Nothing is wrong any more as far as this witness can tell: the outage ends, unless another still sees it.
    pub(crate) fn settled(&self, what: &str) {
        let mut state = self.log.state.lock();
        state.away.retain(|number| *number != self.number);
        if state.away.is_empty() {
            state.say_back(what, "");
        }
    }

    /// This witness's server is no longer needed, which ends no outage by itself: see `settled`.
    pub(crate) fn leave(&self) {
        let mut state = self.log.state.lock();
        self.left.store(true, Ordering::Relaxed);
        state.away.retain(|number| *number != self.number);
    }
}

impl State {
    fn say_back(&mut self, what: &str, detail: &str) {
        if !self.away.is_empty() || self.ended {
            tracing::debug!(detail, "{what}");
        } else if let Some(since) = self.since.take() {
            tracing::info!(lasted = ?since.elapsed(), detail, "{what}");
        }
    }
}

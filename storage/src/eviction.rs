//! Evicted sessions, counted and reported. If nobody reported a limit, the first to notice it would be the users who
//! were logged out.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::event::{Event, EventSink};

/// Counts evictions and reports them: the first at once, then each time their number has doubled, so that a store under
/// pressure does not flood its owner. A new outage starts over.
pub(crate) struct Evictions {
    copies: AtomicU64,
    lost: AtomicU64,
    /// The number of evictions to report next.
    next: AtomicU64,
    warned: AtomicBool,
    /// Whether this outage was told that memory is nearly full.
    nearly_full: AtomicBool,
    events: EventSink,
}

impl Evictions {
    pub(crate) fn new(events: EventSink) -> Self {
        let zero = || AtomicU64::new(0);
        let (warned, nearly_full) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { copies: zero(), lost: zero(), next: AtomicU64::new(1), warned, nearly_full, events }
    }

    /// Counts an evicted copy of a session in Redis.
    pub(crate) fn copy(&self) {
        self.copies.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    /// Counts an evicted session that exists nowhere else.
    pub(crate) fn session(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    /// Reports once per outage that three quarters of the capacity are taken by `waiting` sessions, which cannot be evicted.
    pub(crate) fn waiting(&self, waiting: u64, capacity: u64) {
        if waiting.saturating_mul(4) < capacity.saturating_mul(3) || self.nearly_full.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::warn!(waiting, capacity, "the session memory is nearly full of what Redis does not have yet");
        (self.events)(Event::NearlyFull { waiting, capacity });
    }

    /// Copies evicted so far.
    pub(crate) fn copies(&self) -> u64 {
        self.copies.load(Ordering::Relaxed)
    }

    /// Sessions lost to eviction so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Starts a new outage: its first eviction is always reported.
    pub(crate) fn rearm(&self) {
        self.next.store(self.copies() + self.lost() + 1, Ordering::Relaxed);
        self.warned.store(false, Ordering::Relaxed);
        self.nearly_full.store(false, Ordering::Relaxed);
    }

    fn tell(&self) {
        let (copies, lost) = (self.copies(), self.lost());
        let (total, next) = (copies + lost, self.next.load(Ordering::Relaxed));
        let mine =
            total >= next && self.next.compare_exchange(next, total * 2, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !mine {
            return;
        }
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(copies, lost, "the session memory is full: the least recently used make room");
        }
        (self.events)(Event::Evicted { copies, lost });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn the_first_is_said_at_once_then_every_doubling_and_the_first_of_the_next_outage() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&said);
        let evictions = Evictions::new(Arc::new(move |event| {
            if let Event::Evicted { copies, lost } = event {
                sink.lock().push((copies, lost));
            }
        }));
        (0..9).for_each(|_| evictions.copy());
        evictions.rearm();
        evictions.session();
        assert_eq!(*said.lock(), [(1, 0), (2, 0), (4, 0), (8, 0), (9, 1)]);
        assert_eq!((evictions.copies(), evictions.lost()), (9, 1));
    }

    #[test]
    fn that_memory_fills_is_said_at_three_quarters_and_once_per_outage() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&said);
        let evictions = Evictions::new(Arc::new(move |event| sink.lock().push(event)));
        (1..=8).for_each(|waiting| evictions.waiting(waiting, 8));
        evictions.rearm();
        evictions.waiting(8, 8);
        let nearly = |waiting| Event::NearlyFull { waiting, capacity: 8 };
        assert_eq!(*said.lock(), [nearly(6), nearly(8)]);
    }
}

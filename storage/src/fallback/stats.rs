//! The counters of a fallback.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters of a fallback since it was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FallbackStats {
    /// Whether the fallback is active now (draining included).
    pub active: bool,
    /// How long it has been active this time.
    pub active_for: Duration,
    /// Activations.
    pub activations: u64,
    /// Operations answered from memory.
    pub served: u64,
    /// Sessions in memory now: warm copies, and sessions that wait to be written back.
    pub kept: u64,
    /// Sessions that wait to be written back now.
    pub waiting: u64,
    /// Warm copies evicted to make room.
    pub evicted: u64,
    /// Acknowledged sessions, known nowhere else, evicted to make room.
    pub evicted_sessions: u64,
    /// Writes and deletions that `silent-cache` acknowledged and dropped.
    pub dropped: u64,
    /// Operations refused because sessions that wait to be written back filled the memory.
    pub refused: u64,
    /// Sessions written back.
    pub written: u64,
    /// Deletions carried out.
    pub deleted: u64,
    /// Sessions merged with another copy in Redis.
    pub merged: u64,
    /// Items (or whole sessions) that could not be kept: a merge dropped them, or Redis refused them for good.
    pub lost_items: u64,
    /// Times that Redis failed again during a drain.
    pub interrupted: u64,
    /// Sessions forgotten with the fallback under `degrade`, or with the memory when the policy switched to Redis.
    pub lost_sessions: u64,
}

/// What happened to sessions on their way back, in the present activation and in all earlier ones.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) now: Counts,
    before: Counts,
    /// Writes dropped by a silent cache.
    pub(super) dropped: AtomicU64,
    dropped_before: AtomicU64,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) written: AtomicU64,
    pub(super) deleted: AtomicU64,
    pub(super) merged: AtomicU64,
    pub(super) lost_items: AtomicU64,
    pub(super) lost_sessions: AtomicU64,
}

impl Counts {
    fn all(&self) -> [&AtomicU64; 5] {
        [&self.written, &self.deleted, &self.merged, &self.lost_items, &self.lost_sessions]
    }
}

impl Tally {
    /// Closes the present activation and returns its counts.
    pub(super) fn close(&self) -> [u64; 5] {
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

    /// Counts items of the present activation that could not be kept.
    pub(super) fn lose_items(&self, items: u64) {
        count(&self.now.lost_items, items);
    }

    /// Counts sessions that a policy switch has forgotten.
    pub(super) fn forgot(&self, sessions: u64) {
        count(&self.before.lost_sessions, sessions);
    }

    /// Writes dropped since the last call.
    pub(super) fn newly_dropped(&self) -> u64 {
        let all = self.dropped.load(Ordering::Relaxed);
        all - self.dropped_before.swap(all, Ordering::Relaxed)
    }
}

pub(super) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

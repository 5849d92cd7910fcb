//! Counters of a proxy, which prove whether a fault took effect. The proxy's thread writes them, any thread can read
//! them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;

use super::toxic::Direction;

/// What a proxy has done since it was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ProxyStats {
    /// Connections accepted from clients.
    pub accepted: u64,
    /// Connections currently open.
    pub open: u64,
    /// Connections ended by the proxy itself: it was taken down, or a toxic closed or reset them.
    pub cut: u64,
    /// Connections accepted and then reset because the server behind the proxy was unreachable. (While the proxy is
    /// down, the system refuses clients, and the proxy cannot count them.)
    pub refused: u64,
    /// From client to server.
    pub upstream: LinkStats,
    /// From server to client.
    pub downstream: LinkStats,
}

/// Traffic in one direction through a proxy. A transfer is what one side sends until the other side answers or the
/// sender pauses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LinkStats {
    /// Bytes read from the sender.
    pub received_bytes: u64,
    /// Bytes written to the receiver.
    pub sent_bytes: u64,
    /// Bytes swallowed by a toxic, or still held when the connection ended.
    pub dropped_bytes: u64,
    /// Started transfers.
    pub transfers: u64,
    /// Transfers delayed by a toxic, counted when they are released.
    pub delayed_transfers: u64,
    /// The total time that the first bytes of delayed transfers were held.
    pub delay: Duration,
}

/// The connections of clients that met a toxic which may spare some.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ToxicReach {
    /// Those that it affects.
    pub affected: u64,
    /// Those that it does not.
    pub spared: u64,
}

impl LinkStats {
    /// Bytes that the proxy currently holds.
    pub fn held_bytes(&self) -> u64 {
        self.received_bytes.saturating_sub(self.sent_bytes).saturating_sub(self.dropped_bytes)
    }
}

impl std::iter::Sum for ProxyStats {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            accepted: sum.accepted + one.accepted,
            open: sum.open + one.open,
            cut: sum.cut + one.cut,
            refused: sum.refused + one.refused,
            upstream: sum.upstream + one.upstream,
            downstream: sum.downstream + one.downstream,
        })
    }
}

impl std::ops::Add for LinkStats {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            received_bytes: self.received_bytes + other.received_bytes,
            sent_bytes: self.sent_bytes + other.sent_bytes,
            dropped_bytes: self.dropped_bytes + other.dropped_bytes,
            transfers: self.transfers + other.transfers,
            delayed_transfers: self.delayed_transfers + other.delayed_transfers,
            delay: self.delay + other.delay,
        }
    }
}

/// The live form of [`ProxyStats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub accepted: AtomicU64,
    pub open: AtomicU64,
    pub cut: AtomicU64,
    pub refused: AtomicU64,
    upstream: LinkCounters,
    downstream: LinkCounters,
}

/// The live form of [`LinkStats`].
#[derive(Debug, Default)]
pub(crate) struct LinkCounters {
    pub received: AtomicU64,
    pub sent: AtomicU64,
    pub dropped: AtomicU64,
    pub transfers: AtomicU64,
    pub delayed: AtomicU64,
    pub delay_nanos: AtomicU64,
}

impl Counters {
    pub fn link(&self, direction: Direction) -> &LinkCounters {
        match direction {
            Direction::Upstream => &self.upstream,
            Direction::Downstream => &self.downstream,
        }
    }

    pub fn read(&self) -> ProxyStats {
        ProxyStats {
            accepted: self.accepted.load(Relaxed),
            open: self.open.load(Relaxed),
            cut: self.cut.load(Relaxed),
            refused: self.refused.load(Relaxed),
            upstream: self.upstream.read(),
            downstream: self.downstream.read(),
        }
    }
}

impl LinkCounters {
    fn read(&self) -> LinkStats {
        LinkStats {
            received_bytes: self.received.load(Relaxed),
            sent_bytes: self.sent.load(Relaxed),
            dropped_bytes: self.dropped.load(Relaxed),
            transfers: self.transfers.load(Relaxed),
            delayed_transfers: self.delayed.load(Relaxed),
            delay: Duration::from_nanos(self.delay_nanos.load(Relaxed)),
        }
    }
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_received_and_neither_sent_nor_dropped_is_held() {
        let stats = LinkStats { received_bytes: 100, sent_bytes: 60, dropped_bytes: 10, ..LinkStats::default() };
        assert_eq!(stats.held_bytes(), 30);
    }
}

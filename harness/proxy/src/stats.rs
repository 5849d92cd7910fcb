//! Counters of a proxy: they prove whether a fault bit. Written by the proxy's thread, read from any thread.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;

use super::toxic::Direction;

/// What a proxy has done since it was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ProxyStats {
    /// Connections accepted from clients.
    pub accepted: u64,
    /// Connections that are open now.
    pub open: u64,
    /// Connections that the proxy itself ended: taken down, or closed or reset by a toxic.
    pub cut: u64,
    /// Connections that were accepted and then reset because the server behind the proxy was unreachable. (Clients
    /// that are refused while the proxy is down are refused by the system: the proxy cannot count them.)
    pub refused: u64,
    /// From client to server.
    pub upstream: LinkStats,
    /// From server to client.
    pub downstream: LinkStats,
}

/// What went one way through a proxy. A transfer is what one side sends before the other side answers or it pauses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LinkStats {
    /// Bytes read from the sender.
    pub received_bytes: u64,
    /// Bytes written to the receiver.
    pub sent_bytes: u64,
    /// Bytes that a toxic swallowed, or that were held when the connection ended.
    pub dropped_bytes: u64,
    /// Transfers begun.
    pub transfers: u64,
    /// Transfers that a toxic held back, counted when they were released.
    pub delayed_transfers: u64,
    /// How long the first byte of the delayed transfers was held, added up.
    pub delay: Duration,
}

impl LinkStats {
    /// Bytes that the proxy holds back at this moment.
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

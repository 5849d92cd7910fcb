//! What a store tells its owner beside its answers: every fallback activation with its cause, start, end and the
//! operations it served. The harness turns these into results; a service turns them into alerts.

use std::sync::Arc;
use std::time::Duration;

use crate::fallback::Policy;
use crate::store::SessionId;

/// Why a fallback took over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FallbackCause {
    /// No connection could be had: refused, or not within the deadline.
    Unreachable,
    /// A call was sent and not answered within its deadline.
    Timeout,
    /// The connection was cut while a call was under way.
    ConnectionLost,
    /// The server answered with a refusal (READONLY, OOM, MISCONF, LOADING …).
    Refused,
}

/// One thing that happened inside a store.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The fallback took over.
    FallbackStarted {
        /// What the first failing call saw.
        cause: FallbackCause,
    },
    /// Redis answers again, and everything that had to be drained is drained: the fallback is over.
    FallbackEnded {
        /// How long the fallback was active.
        lasted: Duration,
        /// Operations that the fallback answered.
        served: u64,
    },
    /// The fallback's sessions were written back to Redis.
    Drained {
        /// Sessions written back.
        written: u64,
        /// Deletions carried out.
        deleted: u64,
        /// Sessions whose two copies were merged.
        merged: u64,
        /// Items that no merge could keep, or that another process had written and a put in the outage replaced.
        lost: u64,
    },
    /// Sessions were dropped without having reached Redis: forgotten with the fallback under `degrade`, or with the
    /// memory when a store was switched from `memory` to Redis.
    Lost {
        /// How many sessions.
        sessions: u64,
    },
    /// The outage of a `silent-cache` is over.
    Dropped {
        /// Writes and deletions acknowledged and dropped.
        writes: u64,
        /// Sessions taken out of Redis because a dropped write or deletion made them stale.
        invalidated: u64,
    },
    /// Memory is full and the least recently used made room. Told for the first one, then whenever the number has
    /// doubled, and anew in the next outage; the figures are sums since the store was made.
    Evicted {
        /// Copies of what Redis has: in the next outage these sessions are not known.
        copies: u64,
        /// Acknowledged sessions that existed nowhere else.
        lost: u64,
    },
    /// The store was told to work another way ([`Switchable::switch_to`](crate::Switchable::switch_to)).
    Switched {
        /// How it worked until now.
        from: Policy,
        /// How it works from now on.
        to: Policy,
    },
    /// After a switch: everything that only memory had is in Redis now. Redis alone will do.
    CarriedOver {
        /// Sessions written.
        written: u64,
        /// Deletions carried out.
        deleted: u64,
        /// Sessions united with another copy in Redis.
        merged: u64,
        /// Items that no merge could keep.
        lost: u64,
    },
    /// The circuit breaker opened, after failures in a row or because a probe failed: no call reaches Redis.
    BreakerOpened {
        /// How often it has opened so far.
        opens: u64,
        /// Probes let through so far.
        probes: u64,
    },
    /// The circuit breaker lets probes through.
    BreakerHalfOpen,
    /// A probe was answered: the circuit breaker lets every call through again.
    BreakerClosed {
        /// How long it was not closed.
        lasted: Duration,
        /// Probes that this took.
        probes: u64,
    },
    /// An operation met a stored value that does not decrypt or parse, and failed for that.
    Unreadable {
        /// Whose value it is.
        session: SessionId,
    },
}

/// Receives the events of a store. Called from within store operations: it must not block, nor
/// call the store.
pub type EventSink = Arc<dyn Fn(Event) + Send + Sync>;

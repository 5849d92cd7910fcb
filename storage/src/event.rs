//! What a store tells its owner beside its answers: every fallback activation with its cause, start, end and the
//! operations it served. The harness turns these into results; a service turns them into alerts.

use std::sync::Arc;
use std::time::Duration;

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
        /// Items that no merge could keep.
        lost: u64,
    },
    /// Sessions were dropped without having reached Redis: forgotten with the fallback under `degrade`, or evicted
    /// because the bound was reached.
    Lost {
        /// How many sessions.
        sessions: u64,
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

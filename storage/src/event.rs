//! What a store reports besides its replies: every fallback activation with its cause, start, end and the operations it
//! served. The harness turns these into results; a service turns them into alerts.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::Policy;
use crate::store::SessionId;

/// Why a fallback took over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FallbackCause {
    /// No connection was available: refused, or not within the deadline.
    Unreachable,
    /// A call was sent and not answered within its deadline.
    Timeout,
    /// The connection was cut during a call.
    ConnectionLost,
    /// The server answered with a refusal (READONLY, OOM, MISCONF, LOADING …).
    Refused,
    /// Another server process serves than before (a restart, a failover): its state is compared with what is known
    /// here.
    Restarted,
    /// Any other cause, written by another version.
    #[serde(other)]
    Other,
}

impl FallbackCause {
    /// Its name in JSON and reports.
    pub fn name(self) -> &'static str {
        match self {
            FallbackCause::Unreachable => "unreachable",
            FallbackCause::Timeout => "timeout",
            FallbackCause::ConnectionLost => "connection-lost",
            FallbackCause::Refused => "refused",
            FallbackCause::Restarted => "restarted",
            FallbackCause::Other => "other",
        }
    }
}

/// One thing that happened inside a store. Its JSON is an object: `event` names it in kebab-case, next to its fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The fallback took over.
    FallbackStarted {
        /// What the first failing call ran into.
        cause: FallbackCause,
    },
    /// The server refused a connection, or an operation that the fallback then answered. Reported once per code.
    Refused {
        /// Redis's error code.
        code: String,
        /// Its answer, as [`refusal_in_words`](crate::refusal_in_words) shows it.
        answer: String,
    },
    /// Redis is back and the drain is complete: the fallback is over.
    FallbackEnded {
        /// How long the fallback was active.
        #[serde(rename = "lasted_ms", with = "millis", default)]
        lasted: Duration,
        /// Operations that the fallback answered.
        served: u64,
    },
    /// Redis accepts writes again: the drain of the fallback's sessions begins.
    DrainStarted {
        /// Sessions and deletions that Redis does not have yet.
        waiting: u64,
    },
    /// Redis failed during the drain. The next one begins when Redis accepts writes again.
    DrainInterrupted,
    /// The fallback's sessions were written back to Redis.
    Drained {
        /// Sessions written back.
        written: u64,
        /// Deletions carried out.
        deleted: u64,
        /// Sessions whose two copies were merged.
        merged: u64,
        /// Items that no merge could keep, or that another process wrote and a put in the outage replaced.
        lost: u64,
    },
    /// Sessions were dropped before they reached Redis: forgotten with the fallback under `degrade`, or with the memory
    /// when a store was switched from `memory` to Redis.
    #[serde(rename = "sessions-lost")]
    Lost {
        /// How many sessions.
        sessions: u64,
    },
    /// The outage of a `silent-cache` is over.
    #[serde(rename = "writes-dropped")]
    Dropped {
        /// Writes and deletions acknowledged and dropped.
        writes: u64,
        /// Sessions removed from Redis because a dropped write or deletion made them stale.
        invalidated: u64,
    },
    /// Memory is full, and the least recently used sessions were evicted. Reported for the first eviction, then each
    /// time their number has doubled, and again in the next outage; the figures are totals since the store was built.
    Evicted {
        /// Copies of sessions in Redis: in the next outage these sessions are unknown.
        copies: u64,
        /// Acknowledged sessions that existed nowhere else.
        lost: u64,
    },
    /// Most of the memory is taken by sessions that Redis does not have yet; full of them, it will refuse new sessions (or
    /// under `degrade` and `silent-cache` let the least recently used go). Reported once per outage, before that happens.
    NearlyFull {
        /// Sessions and deletions that Redis does not have yet.
        waiting: u64,
        /// How many the memory holds.
        capacity: u64,
    },
    /// The policy was switched ([`Switchable::switch_to`](crate::Switchable::switch_to)).
    #[serde(rename = "deployed")]
    Switched {
        /// The policy until now.
        from: Policy,
        /// The policy from now on.
        to: Policy,
    },
    /// After a switch: Redis now has everything that only memory had, and is enough on its own.
    CarriedOver {
        /// Sessions written.
        written: u64,
        /// Deletions carried out.
        deleted: u64,
        /// Sessions merged with another copy in Redis.
        merged: u64,
        /// Items that no merge could keep.
        lost: u64,
    },
    /// The circuit breaker opened, because of failures in a row or a failed probe: no call reaches Redis.
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
        #[serde(rename = "lasted_ms", with = "millis", default)]
        lasted: Duration,
        /// Probes this took.
        probes: u64,
    },
    /// An operation failed because a stored value does not decrypt or parse. Never in JSON: anyone who knows a session's
    /// id can act as its user.
    #[serde(skip)]
    Unreadable {
        /// The session with that value.
        session: SessionId,
    },
}

/// Receives the events of a store. Called from within store operations, so it must neither block nor call the store.
pub type EventSink = Arc<dyn Fn(Event) + Send + Sync>;

/// Durations as whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_json_object_and_reads_back() {
        let event = Event::FallbackEnded { lasted: Duration::from_millis(1_250), served: 7 };
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(json, r#"{"event":"fallback-ended","lasted_ms":1250,"served":7}"#);
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
        let switched = Event::Switched { from: Policy::Memory, to: Policy::DualWrite };
        assert_eq!(
            serde_json::to_string(&switched).unwrap(),
            r#"{"event":"deployed","from":"memory","to":"dual-write"}"#
        );
    }

    #[test]
    fn a_cause_is_written_by_its_name_and_an_unknown_one_is_read_as_other() {
        for cause in [FallbackCause::Unreachable, FallbackCause::ConnectionLost, FallbackCause::Other] {
            assert_eq!(serde_json::to_string(&cause).unwrap(), format!("\"{}\"", cause.name()));
        }
        assert_eq!(serde_json::from_str::<FallbackCause>("\"moonlight\"").unwrap(), FallbackCause::Other);
    }

    #[test]
    fn the_id_of_a_session_is_never_written() {
        let event = Event::Unreadable { session: SessionId::new("s3cret").unwrap() };
        assert!(serde_json::to_string(&event).is_err());
    }
}

//! Which errors mean that Redis is away.

use crate::error::StoreError;
use crate::event::FallbackCause;

/// What a server answers that serves nobody at present. Any other refusal is about the operation alone: it would do no better
/// later, and others do well meanwhile. A redirection (ASK, MOVED) is among them where it was followed until the deadline.
const OUTAGES: [&str; 14] = [
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "WRONGPASS",
];

/// Whether an error means that Redis is away, and in which way; else it is the operation's answer.
pub(super) fn outage(error: &StoreError) -> Option<FallbackCause> {
    match error {
        StoreError::Unavailable { .. } | StoreError::GaveUp { .. } => Some(FallbackCause::Unreachable),
        StoreError::Timeout { .. } => Some(FallbackCause::Timeout),
        StoreError::ConnectionLost => Some(FallbackCause::ConnectionLost),
        StoreError::Refused { code, .. } if OUTAGES.contains(&code.as_str()) => Some(FallbackCause::Refused),
        _ => None,
    }
}

//! Which errors mean that Redis is away.

use crate::error::StoreError;
use crate::event::FallbackCause;
use crate::planted;

/// Codes that a server returns while it can serve nobody. Any other refusal concerns only its operation, which would
/// not succeed later either, while other operations succeed. ASK and MOVED get here only after redirections were
/// followed until the deadline.
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

/// Returns how Redis is away, if the error means that; any other error answers the operation.
pub(super) fn outage(error: &StoreError) -> Option<FallbackCause> {
    match error {
        StoreError::Unavailable { .. } | StoreError::GaveUp { .. } => Some(FallbackCause::Unreachable),
        StoreError::Timeout { .. } => Some(FallbackCause::Timeout),
        StoreError::ConnectionLost => Some(FallbackCause::ConnectionLost),
        StoreError::Refused { code, .. }
            if OUTAGES.contains(&code.as_str()) && !planted::seam!(refusals_are_no_outage) =>
        {
            Some(FallbackCause::Refused)
        }
        _ => None,
    }
}

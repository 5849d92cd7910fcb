//! An upper bound for the Redis memory a load needs: it assumes that nothing expires, nothing is destroyed and every
//! operation succeeds.

use std::time::Duration;

use crate::history::OpKind;
use crate::load::{LoadBlock, LoadPlan, Pacing, Think};

/// Redis's own overhead for a session, bytes: key, expiry, bookkeeping, and its share of the user's index.
const PER_SESSION: u64 = 700;

/// The size of an append, an award or a session's tombstone, bytes: one item as JSON, encrypted.
const PER_APPEND: u64 = 300;

/// Allocators round up, and JSON and encryption enlarge payloads.
const MARGIN: f64 = 1.6;

/// The most operations per second from virtual users that never pause. No measured machine came near this.
const BUSIEST: f64 = 50_000.0;

/// The memory a load may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Upper bound in bytes on the server.
    pub bytes: u64,
}

impl Footprint {
    /// The footprint of `load`.
    pub fn of(load: &LoadPlan) -> Self {
        let preload: f64 = load.preload().iter().map(|op| (PER_SESSION + u64::from(op.payload_bytes)) as f64).sum();
        let blocks: f64 = load.blocks().iter().map(written).sum();
        Self { bytes: ((preload + blocks) * MARGIN) as u64 }
    }
}

/// The bytes a block may add while it runs.
fn written(block: &LoadBlock) -> f64 {
    let total: f64 = OpKind::ALL.iter().map(|kind| block.mix.weight(*kind)).sum();
    let share = |kind| if total > 0.0 { block.mix.weight(kind) / total } else { 0.0 };
    let payload = f64::from(block.payload.largest());
    let items = share(OpKind::Append) + share(OpKind::Award) + share(OpKind::Destroy);
    let create = share(OpKind::Create) * (PER_SESSION as f64 + payload);
    // In the worst case, puts replace every session once by a larger one.
    let grown = f64::from(block.sessions.count) * payload * f64::from(u8::from(share(OpKind::Put) > 0.0));
    operations(block) * (create + items * PER_APPEND as f64) + grown
}

/// The most operations a block can send.
pub fn operations(block: &LoadBlock) -> f64 {
    match &block.pacing {
        Pacing::Open { stages, .. } => {
            stages.iter().map(|stage| stage.from_rate.max(stage.to_rate) * stage.length.as_secs_f64()).sum()
        }
        Pacing::Closed { users, think, length, rate_cap, .. } => {
            let each = match think {
                Think::Constant(pause) | Think::Exponential(pause) if *pause > Duration::ZERO => {
                    1.0 / pause.as_secs_f64()
                }
                _ => BUSIEST,
            };
            let rate = (f64::from(*users) * each).min(BUSIEST).min(rate_cap.unwrap_or(BUSIEST));
            rate * length.as_secs_f64()
        }
    }
}

/// An amount of memory for display: `11.3 MiB`.
pub fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

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
    // What a command of one's own adds has the payload's size.
    let item = PER_APPEND as f64 + if block.sized_items { payload } else { 0.0 };
    let items = (share(OpKind::Append) + share(OpKind::Command)) * item
        + (share(OpKind::Award) + share(OpKind::Destroy)) * PER_APPEND as f64;
    let create = share(OpKind::Create) * (PER_SESSION as f64 + payload);
    // In the worst case, puts replace every session once by a larger one.
    let grown = f64::from(block.sessions.count) * payload * f64::from(u8::from(share(OpKind::Put) > 0.0));
    let recorded = block.replay.as_ref().map_or(0, |replay| {
        let bytes: usize = replay.recording.others().flatten().map(Vec::len).sum();
        bytes as u64 + PER_SESSION * u64::from(replay.recording.other_keys())
    });
    operations(block) * (create + items) + grown + recorded as f64
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::load::{Mix, Payload, Recording, Replay, SessionRange, Stage};

    fn block(kind: OpKind) -> LoadBlock {
        let stages = vec![Stage::steady(100.0, Duration::from_secs(10))];
        let pacing = Pacing::Open { stages, arrivals: crate::load::ArrivalProcess::Constant };
        let mut block = LoadBlock::new("test", pacing, SessionRange { first: 0, count: 0 });
        (block.mix, block.payload) = (Mix::of(&[(kind, 1.0)]), Payload::Fixed(50_000));
        block
    }

    #[test]
    fn what_commands_of_ones_own_add_counts_with_its_payload() {
        for kind in [OpKind::Append, OpKind::Command] {
            let mut block = block(kind);
            assert_eq!(written(&block), 1_000.0 * 300.0);
            block.sized_items = true;
            assert_eq!(written(&block), 1_000.0 * 50_300.0);
        }
    }

    #[test]
    fn what_a_recording_writes_to_keys_of_other_types_counts() {
        let text = format!("1700000000.5 [0 x] \"HSET\" \"h:1\" \"f\" \"{}\"\n", "v".repeat(9_000));
        let mut block = block(OpKind::Command);
        let before = written(&block);
        let recording = Arc::new(Recording::read(&text).unwrap());
        block.replay = Some(Replay { recording, speed: 1.0, others_before: 0 });
        assert!(written(&block) >= before + 9_000.0 + 700.0);
    }
}

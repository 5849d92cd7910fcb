//! A history as invocations and completions.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::clock::Nanos;
use crate::history::{OpRecord, Outcome};

/// How an export describes operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// As they are: `f` is the kind, `value` the session and what was written or found.
    Sessions,
    /// As transactions on lists (`f` is `txn`): only appends and reads of sessions that were never put or destroyed,
    /// because Elle does not know these operations.
    ListAppend,
}

/// One end of an operation: its invocation or its completion.
pub(super) struct Event<'h> {
    pub(super) op: &'h OpRecord,
    pub(super) completed: bool,
    pub(super) process: u64,
}

/// Both ends of all exported operations, sorted by time. At the same instant, invocations come first, because none of
/// them is known to have come after the completions.
pub(super) fn events<'h>(ops: &[&'h OpRecord]) -> Vec<Event<'h>> {
    let mut ends: Vec<(Nanos, bool, usize)> = Vec::with_capacity(2 * ops.len());
    for (at, op) in ops.iter().enumerate() {
        ends.push((op.started, false, at));
        ends.push((op.ended, true, at));
    }
    ends.sort_unstable();
    // Sorts correctly even for an operation that ends at the instant it began: false comes before true.
    let mut lanes = Lanes::default();
    let mut lane_of = vec![0; ops.len()];
    ends.into_iter()
        .map(|(_, completed, at)| {
            if !completed {
                lane_of[at] = lanes.take();
            } else if ops[at].outcome != Outcome::Unknown {
                lanes.give_back(lane_of[at]);
            }
            Event { op: ops[at], completed, process: lane_of[at] }
        })
        .collect()
}

/// Processes as other judges define them: one operation at a time, and none after one of unknown outcome. Our processes
/// may do several things at once.
#[derive(Default)]
struct Lanes {
    free: BinaryHeap<Reverse<u64>>,
    next: u64,
}

impl Lanes {
    fn take(&mut self) -> u64 {
        self.free.pop().map(|Reverse(lane)| lane).unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    fn give_back(&mut self, lane: u64) {
        self.free.push(Reverse(lane));
    }
}

impl Event<'_> {
    pub(super) fn time(&self) -> Nanos {
        if self.completed { self.op.ended } else { self.op.started }
    }
}

//! Handwritten drills: a scenario's plan, a history of literal operations, and the other observations.

use firedrill_reports::Run;
use firedrill_reports::run::{Gate, GateVerdict};

use super::judge;
use super::observed::Observed;
use crate::clock::Nanos;
use crate::drill::pulse::Delays;
use crate::drill::sampler::Sampled;
use crate::fault::FaultReport;
use crate::history::testing;
use crate::history::{Cause, Header, History, Note, OpBatch, OpRecord, Outcome, Presence, Step, Tail};
use crate::load::{Counts, LoadSummary};
use crate::measure::Stall;
use crate::plan::Plan;
use crate::scenario::{Source, parse};

pub(super) const MS: Nanos = 1_000_000;
pub(super) const S: Nanos = 1_000 * MS;

/// A finished drill.
pub(super) struct Drill {
    pub(super) plan: Plan,
    pub(super) ops: Vec<OpRecord>,
    pub(super) notes: Vec<Note>,
    pub(super) faults: Vec<FaultReport>,
    pub(super) stalls: Vec<Stall>,
    pub(super) late: u64,
    pub(super) ttl: Nanos,
}

impl std::fmt::Debug for Drill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drill").field("ops", &self.ops).field("faults", &self.faults).finish_non_exhaustive()
    }
}

/// What a scenario needs besides its loads, faults and limits.
const HEAD: &str = "name = \"x\"\nabout = \"y\"\n";

impl Drill {
    /// A drill of the scenario in `text`.
    pub(super) fn of(text: &str) -> Self {
        let source = Source { name: "x.toml".to_owned(), text: format!("{HEAD}{text}") };
        let scenario = parse(&source, &[]).unwrap_or_else(|error| panic!("{error}: {text}"));
        Self {
            plan: Plan::of(scenario, 7).unwrap(),
            ops: Vec::new(),
            notes: vec![Note::KeyScan { at: 20 * S, keys: 1, immortal: Vec::new(), immortal_count: 0 }],
            faults: Vec::new(),
            stalls: Vec::new(),
            late: 0,
            ttl: 3_600 * S,
        }
    }

    /// Adds the plan's only fault, active and effective from `onset` to `end`.
    pub(super) fn fault(mut self, onset: Nanos, end: Nanos) -> Self {
        self.faults.push(FaultReport {
            index: self.faults.len() as u32,
            occurrence: 0,
            kind: "proxy.down",
            detail: String::new(),
            hit: Vec::new(),
            planned_at: onset,
            planned_for: end - onset,
            began: Some(onset),
            onset: Some(onset),
            healing: Some(end),
            end: Some(end),
            bit: true,
            evidence: "connections were cut".to_owned(),
            trusted: None,
            error: None,
        });
        self
    }

    /// Adds a load operation to the stream of block `block`; all blocks are open.
    pub(super) fn push(&mut self, block: u64, op: OpRecord) {
        let streams = self.plan.load.blocks().len() as u64;
        let index = self.plan.load.first_index() + self.ops.len() as u64 * streams + block;
        self.ops.push(OpRecord { index, ..op });
    }

    /// Adds the operation `read(at)` every `every` nanoseconds until `to`.
    pub(super) fn reads(mut self, every: Nanos, to: Nanos, read: impl Fn(Nanos) -> OpRecord) -> Self {
        for n in 0..to / every {
            self.push(0, read(n * every));
        }
        self
    }

    pub(super) fn history(&self) -> History {
        let mut ops = self.ops.clone();
        ops.sort_by_key(|op| op.started);
        History {
            header: Header { seed: 7, ..testing::header(self.ttl) },
            ops: OpBatch { ops, tokens: Vec::new() },
            notes: self.notes.clone(),
        }
    }

    pub(super) fn run(&self) -> Run {
        let history = self.history();
        let sent = history.ops.ops.iter().filter(|op| op.step == Step::Load).count() as u64;
        let counts = Counts { planned: sent, started: sent, completed: sent, late: self.late, ..Counts::default() };
        let load = LoadSummary {
            step: Step::Load,
            from: 0,
            to: history.ops.ops.iter().map(|op| op.ended).max().unwrap_or(0),
            counts,
            workers: Vec::new(),
            created: Vec::new(),
            next_index: 0,
        };
        judge(
            &self.plan,
            &history,
            Observed {
                tail: Tail::Complete,
                load,
                faults: self.faults.clone(),
                stalls: self.stalls.clone(),
                delays: Delays::default(),
                sampled: Sampled { resources: Vec::new(), counted: None, refusal: None, lacks: None },
                doubts: Vec::new(),
                interrupted: false,
                remarks: Vec::new(),
                active: None,
                held: None,
                claims: Vec::new(),
                environment: Vec::new(),
                replay: String::new(),
            },
        )
    }

    pub(super) fn gate(&self, name: &str) -> Gate {
        let gates = self.run().gates;
        gates.iter().find(|gate| gate.name == name).cloned().unwrap_or_else(|| panic!("no gate {name} in {gates:?}"))
    }

    pub(super) fn verdict_of(&self, name: &str) -> GateVerdict {
        self.gate(name).verdict
    }
}

/// A read of session 0, due and sent at `planned`, that finds the session a millisecond later.
pub(super) fn read(planned: Nanos) -> OpRecord {
    OpRecord { presence: Presence::Present, ..testing::read(planned..planned + MS) }
}

/// The same read, not acknowledged within half a second.
pub(super) fn timed_out(planned: Nanos) -> OpRecord {
    OpRecord {
        ended: planned + 500 * MS,
        outcome: Outcome::Unknown,
        presence: Presence::Unsaid,
        cause: Cause::Timeout,
        ..read(planned)
    }
}

/// A stall: the machine did not run the harness for `length`.
pub(super) fn standstill(from: Nanos, length: Nanos) -> Stall {
    Stall { from, to: from + length, denied: length, still: length }
}

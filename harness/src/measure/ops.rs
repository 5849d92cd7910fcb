//! The operations of the measured load, with their load block and the outcome used in reports.

use firedrill_reports::run::Outcome;

use crate::clock::Nanos;
use crate::history::{Cause, OpKind, OpRecord, Process, Step};

/// One operation of the measured load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadOp {
    /// When it was due.
    pub planned: Nanos,
    /// When it was sent.
    pub started: Nanos,
    /// When its outcome became known.
    pub ended: Nanos,
    /// What it did.
    pub kind: OpKind,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was not ok.
    pub cause: Cause,
    /// Who did it.
    pub process: Process,
    /// The position of its load block.
    pub block: usize,
}

/// The operations of the measured load.
pub struct Load<'a> {
    ops: &'a [OpRecord],
    missing: &'a [usize],
    block_of: &'a dyn Fn(u64) -> usize,
}

impl<'a> Load<'a> {
    /// The load in `ops`. `missing` holds the positions, in ascending order, of operations that deny a session that
    /// must exist; `block_of` maps an operation's number to the position of its load block.
    pub fn new(ops: &'a [OpRecord], missing: &'a [usize], block_of: &'a dyn Fn(u64) -> usize) -> Self {
        Self { ops, missing, block_of }
    }

    /// The operations in history order.
    pub fn ops(&self) -> impl Iterator<Item = LoadOp> + '_ {
        let mut missing = self.missing.iter().copied().peekable();
        self.ops.iter().enumerate().filter_map(move |(position, op)| {
            while missing.next_if(|at| *at < position).is_some() {}
            let denies = missing.peek() == Some(&position);
            (op.step == Step::Load).then(|| LoadOp {
                planned: op.planned,
                started: op.started,
                ended: op.ended,
                kind: op.kind,
                outcome: if denies { Outcome::Missing } else { op.outcome.into() },
                cause: op.cause,
                process: op.process,
                block: (self.block_of)(op.index),
            })
        })
    }
}

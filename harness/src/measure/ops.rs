//! The operations of the measured load with the outcome that reports use, and their load block.

use firedrill_reports::run::Outcome;

use crate::clock::Nanos;
use crate::history::{Cause, OpKind, OpRecord, Step};

/// One operation of the measured load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadOp {
    /// When it was due.
    pub planned: Nanos,
    /// When it was sent.
    pub started: Nanos,
    /// When its outcome was known.
    pub ended: Nanos,
    /// What it did.
    pub kind: OpKind,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was not ok.
    pub cause: Cause,
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
    /// The load in `ops`. `missing` holds the positions of operations that deny a session that must be there, in rising
    /// order; `block_of` knows the position of the load block that the operation of a number came from.
    pub fn new(ops: &'a [OpRecord], missing: &'a [usize], block_of: &'a dyn Fn(u64) -> usize) -> Self {
        Self { ops, missing, block_of }
    }

    /// The operations in the order of the history.
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
                block: (self.block_of)(op.index),
            })
        })
    }
}

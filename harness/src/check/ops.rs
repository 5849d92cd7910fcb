//! The operations on one session.

use std::hint::black_box;

use crate::history::{History, OpKind, OpRecord, Token};

/// The operations on one session, with what they found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ops<'h> {
    /// All operations of the history, or the session's alone.
    all: &'h [OpRecord],
    /// The tokens that they found lie here.
    history: &'h History,
    /// Where in `all` they stand.
    positions: &'h [u32],
}

impl<'h> Ops<'h> {
    /// The operations of `history` at `positions`.
    pub fn of(history: &'h History, positions: &'h [u32]) -> Self {
        Self { all: &history.ops.ops, history, positions }
    }

    /// The same operations as `known` elsewhere, which `positions` numbers from 0; what they found is in the `history`.
    pub fn known(known: &'h [OpRecord], positions: &'h [u32], history: &'h History) -> Self {
        Self { all: known, history, positions }
    }

    /// In the order in which they were sent.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &'h OpRecord> + Clone + use<'h> {
        let all = self.all;
        self.positions().map(move |at| &all[at])
    }

    /// Brings the operations into the core's cache. They lie far apart: this loop fetches them in parallel, while a
    /// checker that branches on each one would wait for them one by one.
    pub fn fetch(&self) {
        black_box(self.iter().map(|op| op.index ^ op.kind as u64).fold(0, u64::wrapping_add));
    }

    /// The operation at position `place` in that order.
    pub fn at(&self, place: usize) -> &'h OpRecord {
        &self.all[self.positions[place] as usize]
    }

    /// The positions in the history.
    pub fn positions(&self) -> impl DoubleEndedIterator<Item = usize> + Clone + use<'h> {
        self.positions.iter().map(|&at| at as usize)
    }

    /// What a read found: nothing in a counter, which holds no tokens.
    pub fn tokens(&self, op: &OpRecord) -> &'h [Token] {
        match op.kind == OpKind::Read && self.history.header.counter {
            true => &[],
            false => self.history.ops.tokens_of(op),
        }
    }

    /// The number that a read of a counter found.
    pub fn counted(&self, op: &OpRecord) -> Option<u64> {
        let counts = op.kind == OpKind::Read && self.history.header.counter;
        self.history.ops.tokens_of(op).first().copied().filter(|_| counts)
    }
}

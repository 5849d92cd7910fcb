//! The operations on one session.

use crate::history::{OpBatch, OpRecord, Token};

/// The operations on one session, and what they found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ops<'h> {
    /// All operations of the history.
    all: &'h OpBatch,
    /// The session in the upper half, positions in the history in the lower.
    keys: &'h [u64],
}

impl<'h> Ops<'h> {
    /// Those at `keys`.
    pub fn of(all: &'h OpBatch, keys: &'h [u64]) -> Self {
        Self { all, keys }
    }

    /// In the order in which they were sent.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &'h OpRecord> + Clone + use<'h> {
        let all = &self.all.ops;
        self.positions().map(move |at| &all[at])
    }

    /// Their positions in the history.
    pub fn positions(&self) -> impl DoubleEndedIterator<Item = usize> + Clone + use<'h> {
        self.keys.iter().map(|key| (key & u64::from(u32::MAX)) as usize)
    }

    /// What a read found.
    pub fn tokens(&self, op: &OpRecord) -> &'h [Token] {
        self.all.tokens_of(op)
    }
}

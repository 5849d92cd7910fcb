//! Which operations of a history a reader wants to see.

use std::ops::RangeInclusive;

use super::op::{OpKind, OpRecord, Outcome, SessionNo};
use crate::clock::Nanos;

/// Which operations of a history to show. The default has all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only operations on this session, and those whose answer held its data.
    pub session: Option<SessionNo>,
    /// Only operations that were under way at some moment of this period.
    pub period: Option<RangeInclusive<Nanos>>,
    /// Only operations of these outcomes; empty for any.
    pub outcomes: Vec<Outcome>,
    /// Only operations of these kinds; empty for any.
    pub kinds: Vec<OpKind>,
    /// These operations by index, whatever the rest says. Where nothing else is given, only these.
    pub operations: Vec<u64>,
}

impl Selection {
    /// Whether it has `op`.
    pub fn has(&self, op: &OpRecord) -> bool {
        self.names(op.index) || !self.only_names() && self.admits(op)
    }

    /// Whether it names the operation with this index.
    pub fn names(&self, index: u64) -> bool {
        self.operations.contains(&index)
    }

    fn only_names(&self) -> bool {
        !self.operations.is_empty() && *self == Self { operations: self.operations.clone(), ..Self::default() }
    }

    fn admits(&self, op: &OpRecord) -> bool {
        let within = |period: &RangeInclusive<Nanos>| op.started <= *period.end() && op.ended >= *period.start();
        self.session.is_none_or(|session| op.session == session || op.owner == session)
            && self.period.as_ref().is_none_or(within)
            && (self.outcomes.is_empty() || self.outcomes.contains(&op.outcome))
            && (self.kinds.is_empty() || self.kinds.contains(&op.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::read;

    fn shown(selection: &Selection) -> Vec<u64> {
        let ops = [
            OpRecord { index: 0, session: 1, kind: OpKind::Append, ..read(0..10) },
            OpRecord { index: 1, session: 2, outcome: Outcome::Unknown, ..read(5..25) },
            OpRecord { index: 2, session: 1, ..read(20..30) },
            OpRecord { index: 3, session: 3, owner: 1, ..read(40..50) },
        ];
        ops.iter().filter(|op| selection.has(op)).map(|op| op.index).collect()
    }

    #[test]
    fn an_operation_must_pass_every_filter() {
        let all = Selection::default();
        assert_eq!(shown(&all), [0, 1, 2, 3]);
        let session = Selection { session: Some(1), ..all.clone() };
        assert_eq!(shown(&session), [0, 2, 3], "also where the answer held the session's data");
        assert_eq!(shown(&Selection { period: Some(22..=24), ..all.clone() }), [1, 2], "under way, not only begun");
        assert_eq!(shown(&Selection { period: Some(22..=24), ..session.clone() }), [2]);
        assert_eq!(shown(&Selection { outcomes: vec![Outcome::Unknown, Outcome::Failed], ..all.clone() }), [1]);
        assert_eq!(shown(&Selection { kinds: vec![OpKind::Append], ..session }), [0]);
    }

    #[test]
    fn a_named_operation_is_shown_whatever_the_filters_say() {
        let named = Selection { operations: vec![0, 3], ..Selection::default() };
        assert_eq!(shown(&named), [0, 3], "alone, only these");
        assert_eq!(shown(&Selection { period: Some(22..=24), ..named }), [0, 1, 2, 3]);
    }
}

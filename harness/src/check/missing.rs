//! Answers that deny a session that must exist.

use super::index::Index;
use super::lifetime::Existence;
use crate::history::{History, OpRecord, Presence};

/// The positions in `history`, in ascending order, of acknowledged operations that found no session although it had
/// been created, not been destroyed, and not reached the end of its lifetime.
pub fn missing(history: &History) -> Vec<usize> {
    let denies = |op: &OpRecord| op.outcome.acknowledged() && op.presence == Presence::Absent;
    let mut found = Vec::new();
    if !history.ops.ops.iter().any(denies) {
        return found;
    }
    let index = Index::of(history);
    for session in (0..index.sessions()).map(|place| index.session(place)) {
        let certain = |op: &OpRecord| matches!(session.existence(op), Existence::Certain { .. });
        let missing = session.positions().zip(session.ops()).filter(|(_, op)| denies(op) && certain(op));
        found.extend(missing.map(|(position, _)| position));
    }
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::Script;

    #[test]
    fn a_live_session_that_is_denied_is_missing_and_a_destroyed_one_is_not() {
        let mut s = Script::new();
        s.create(0, 1).at(0..1).ok();
        s.create(1, 1).at(0..1).ok();
        s.destroy(1, 1).at(2..3).ok();
        s.read(0, 1).at(4..5).absent();
        s.read(1, 1).at(4..5).absent();
        let history = s.build();
        let found: Vec<u32> = missing(&history).iter().map(|at| history.ops.ops[*at].session).collect();
        assert_eq!(found, [0]);
    }
}

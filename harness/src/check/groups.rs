//! The operations of a history by session.

use std::num::NonZeroU32;

use crate::history::{OpKind, OpRecord, SessionNo};

/// Positions in a history, grouped by session.
#[derive(Debug)]
pub(crate) struct Groups {
    /// The sessions, sorted by number.
    numbers: Vec<SessionNo>,
    /// Where each session starts in `positions`, and the end of the last.
    starts: Vec<u32>,
    positions: Vec<u32>,
}

impl Groups {
    /// Groups `ops`, of which there are fewer than 2³². Counting each session's operations and then putting each into
    /// its place takes a fraction of the time for sorting. A logout everywhere that may
    /// have an effect is an operation on each session of its user, of whom each has `per_user`.
    pub fn of(ops: &[OpRecord], per_user: NonZeroU32) -> Self {
        let slots = Slots::of(ops);
        let mut ends = vec![0u32; slots.count()];
        for op in ops {
            ends[slots.of_session(op.session)] += 1;
        }
        let used: Vec<bool> = ends.iter().map(|count| *count > 0).collect();
        let also = |op: &OpRecord| slots.others_of_user(op, per_user).filter(|slot| used[*slot]).collect::<Vec<_>>();
        let is_of_all = |op: &&OpRecord| op.kind == OpKind::LogoutEverywhere && op.perhaps_effective();
        let logouts: Vec<&OpRecord> = ops.iter().filter(is_of_all).collect();
        logouts.iter().flat_map(|op| also(op)).for_each(|slot| ends[slot] += 1);
        let total = ends.iter().map(|count| *count as usize).sum();
        let mut begin = 0;
        for end in &mut ends {
            begin += std::mem::replace(end, begin);
        }
        // Each entry is the start of its session and moves towards its end.
        let mut positions = vec![0u32; total];
        for (at, op) in ops.iter().enumerate() {
            let mut put = |slot: usize| {
                positions[ends[slot] as usize] = at as u32;
                ends[slot] += 1;
            };
            put(slots.of_session(op.session));
            if is_of_all(&op) {
                also(op).into_iter().for_each(put);
            }
        }
        let (mut numbers, mut starts) = (Vec::new(), vec![0]);
        for (slot, &end) in ends.iter().enumerate() {
            if starts.last().is_some_and(|&begin| begin < end) {
                numbers.push(slots.session(slot));
                starts.push(end);
            }
        }
        Self { numbers, starts, positions }
    }

    /// The number of sessions.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The number of the session at position `place`.
    pub fn number(&self, place: usize) -> SessionNo {
        self.numbers[place]
    }

    /// The positions of its operations, in the order in which they were sent.
    pub fn positions(&self, place: usize) -> &[u32] {
        &self.positions[self.starts[place] as usize..self.starts[place + 1] as usize]
    }
}

/// Maps each session to a number small enough to index a list.
enum Slots {
    /// The session's own number, up to the highest one.
    Own { highest: SessionNo },
    /// The position among the sessions that exist, because a foreign history may number them arbitrarily.
    Placed(Vec<SessionNo>),
}

impl Slots {
    fn of(ops: &[OpRecord]) -> Self {
        let sessions = || ops.iter().map(|op| op.session);
        let highest = sessions().max().unwrap_or(0);
        if highest as usize / 4 <= ops.len() {
            return Self::Own { highest };
        }
        let mut numbers: Vec<SessionNo> = sessions().collect();
        numbers.sort_unstable();
        numbers.dedup();
        Self::Placed(numbers)
    }

    fn count(&self) -> usize {
        match self {
            Self::Own { highest } => *highest as usize + 1,
            Self::Placed(numbers) => numbers.len(),
        }
    }

    fn of_session(&self, session: SessionNo) -> usize {
        match self {
            Self::Own { .. } => session as usize,
            Self::Placed(numbers) => numbers.partition_point(|&number| number < session),
        }
    }

    /// The other sessions of the user whose session the operation names.
    fn others_of_user(&self, op: &OpRecord, per_user: NonZeroU32) -> impl Iterator<Item = usize> + use<'_> {
        let first = op.session / per_user * per_user.get();
        let last = first.saturating_add(per_user.get() - 1);
        let slots = match self {
            Self::Own { highest } => first as usize..(last.min(*highest) as usize + 1),
            Self::Placed(numbers) => {
                numbers.partition_point(|&number| number < first)..numbers.partition_point(|&number| number <= last)
            }
        };
        let own = self.of_session(op.session);
        slots.filter(move |slot| *slot != own)
    }

    fn session(&self, slot: usize) -> SessionNo {
        match self {
            Self::Own { .. } => slot as SessionNo,
            Self::Placed(numbers) => numbers[slot],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::Script;

    fn grouped(sessions: &[SessionNo]) -> Vec<(SessionNo, Vec<u32>)> {
        let mut s = Script::new();
        for (at, &session) in sessions.iter().enumerate() {
            let at = at as i64;
            s.read(session, 0).at(at..at + 1).ok();
        }
        all(&Groups::of(&s.build().ops.ops, NonZeroU32::MIN))
    }

    fn all(groups: &Groups) -> Vec<(SessionNo, Vec<u32>)> {
        (0..groups.len()).map(|place| (groups.number(place), groups.positions(place).to_vec())).collect()
    }

    #[test]
    fn a_logout_everywhere_is_an_operation_on_each_used_session_of_its_user() {
        for far in [7, u32::MAX - 1] {
            let mut s = Script::new();
            for (at, session) in [0, far - far % 4, far].into_iter().enumerate() {
                s.read(session, 0).at(at as i64..at as i64 + 1).ok();
            }
            s.line(OpKind::LogoutEverywhere, far, 0).at(8..9).ok();
            s.read(far - far % 4, 0).at(10..11).ok();
            let groups = Groups::of(&s.build().ops.ops, NonZeroU32::new(4).unwrap());
            assert_eq!(all(&groups), [(0, vec![0]), (far - far % 4, vec![1, 3, 4]), (far, vec![2, 3])]);
        }
    }

    #[test]
    fn a_logout_that_found_no_session_or_failed_says_nothing_of_the_others() {
        let mut s = Script::new();
        s.create(4, 0).at(0..1).ok();
        s.line(OpKind::LogoutEverywhere, 5, 0).at(2..3).absent();
        s.line(OpKind::LogoutEverywhere, 5, 0).at(4..5).failed();
        let groups = Groups::of(&s.build().ops.ops, NonZeroU32::new(2).unwrap());
        assert_eq!(all(&groups), [(4, vec![0]), (5, vec![1, 2])]);
    }

    #[test]
    fn operations_are_grouped_by_session_however_sessions_are_numbered() {
        for others in [7, u32::MAX] {
            let expected = [(1, vec![0, 2]), (3, vec![4]), (others, vec![1, 3])];
            assert_eq!(grouped(&[1, others, 1, others, 3]), expected);
        }
        assert_eq!(grouped(&[]), []);
    }
}

//! The operations of a history by session.

use crate::history::{OpRecord, SessionNo};

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
    /// its place takes a fraction of the time for sorting.
    pub fn of(ops: &[OpRecord]) -> Self {
        let slots = Slots::of(ops);
        let mut ends = vec![0u32; slots.count()];
        for op in ops {
            ends[slots.of_session(op.session)] += 1;
        }
        let mut begin = 0;
        for end in &mut ends {
            begin += std::mem::replace(end, begin);
        }
        // Each entry is the start of its session and moves towards its end.
        let mut positions = vec![0u32; ops.len()];
        for (at, op) in ops.iter().enumerate() {
            let next = &mut ends[slots.of_session(op.session)];
            positions[*next as usize] = at as u32;
            *next += 1;
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
        let groups = Groups::of(&s.build().ops.ops);
        (0..groups.len()).map(|place| (groups.number(place), groups.positions(place).to_vec())).collect()
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

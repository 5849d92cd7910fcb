//! A history by session, and its writes by token: the two orders in which checkers walk it.

use crate::history::{History, OpRecord, SessionNo, Token};

/// The operations of a history grouped by session, each group in the order in which they were sent.
#[derive(Debug)]
pub(super) struct Sessions<'h> {
    history: &'h History,
    /// Session in the upper half, position in the history in the lower: sorting the numbers groups and orders them.
    keys: Vec<u64>,
}

impl<'h> Sessions<'h> {
    /// Groups `history`, which holds fewer than 2³² operations ([`History::load`] sees to it).
    pub fn of(history: &'h History) -> Self {
        let key = |(at, op): (usize, &OpRecord)| u64::from(op.session) << 32 | at as u64;
        let mut keys: Vec<u64> = history.ops.ops.iter().enumerate().map(key).collect();
        keys.sort_unstable();
        Self { history, keys }
    }

    /// Each session with its operations, in the order of session numbers.
    pub fn iter(&self) -> impl Iterator<Item = Session<'_>> {
        self.keys.chunk_by(|a, b| a >> 32 == b >> 32).map(|keys| Session {
            history: self.history,
            number: (keys[0] >> 32) as SessionNo,
            keys,
        })
    }
}

/// The operations on one session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session<'h> {
    history: &'h History,
    /// Which it is.
    pub number: SessionNo,
    keys: &'h [u64],
}

impl<'h> Session<'h> {
    /// Its operations, in the order in which they were sent.
    pub fn ops(&self) -> impl DoubleEndedIterator<Item = &'h OpRecord> + Clone + use<'h> {
        let ops = &self.history.ops.ops;
        self.keys.iter().map(move |key| &ops[(key & u64::from(u32::MAX)) as usize])
    }

    /// Its operations process by process, each in the order sent: split them where the process changes.
    pub fn ops_by_process(&self) -> Vec<&'h OpRecord> {
        let mut ops: Vec<_> = self.ops().collect();
        ops.sort_by_key(|op| op.process);
        ops
    }

    /// What a read found.
    pub fn tokens(&self, op: &OpRecord) -> &'h [Token] {
        self.history.ops.tokens_of(op)
    }

    /// Its answered reads, each with the length of what it has in common, from the start, with the answered read
    /// before it. What a checker says of single tokens holds for the common part already: a session that is only
    /// appended to is looked through once, however often it is read.
    pub fn reads_with_known_prefix(&self) -> impl Iterator<Item = (&'h OpRecord, usize)> {
        let session = *self;
        let mut before: &[Token] = &[];
        self.ops().filter(|op| super::life::answered_read(op)).map(move |read| {
            let tokens = session.tokens(read);
            let common = common_prefix(before, tokens);
            before = tokens;
            (read, common)
        })
    }
}

/// How many tokens two lists have in common from their start.
pub(super) fn common_prefix(a: &[Token], b: &[Token]) -> usize {
    let shorter = a.len().min(b.len());
    if a[..shorter] == b[..shorter] {
        return shorter; // by far the most frequent case, and a comparison of memory
    }
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// Which of the tokens in `wanted` are not in `list`; both in any order.
pub(super) fn missing(wanted: &[Token], list: &[Token]) -> Vec<Token> {
    if list.starts_with(wanted) {
        return Vec::new();
    }
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    wanted.iter().copied().filter(|token| sorted.binary_search(token).is_err()).collect()
}

/// Finds the operation that a token names.
#[derive(Debug)]
pub(super) struct Writes<'h> {
    history: &'h History,
    /// Index and position of every operation, sorted.
    by_index: Vec<(u64, u32)>,
}

impl<'h> Writes<'h> {
    /// Prepares the look-up.
    pub fn of(history: &'h History) -> Self {
        let ops = history.ops.ops.iter().enumerate();
        let mut by_index: Vec<(u64, u32)> = ops.map(|(at, op)| (op.index, at as u32)).collect();
        by_index.sort(); // stable, because it gains by the order that is nearly there
        Self { history, by_index }
    }

    /// The operation that writes `token`, where there is one.
    pub fn find(&self, token: Token) -> Option<&'h OpRecord> {
        let index = token.checked_sub(1)?;
        let first = self.by_index.first()?.0;
        // Indices have few gaps: an operation stands where they would have it without any, or before.
        let guess = usize::try_from(index.checked_sub(first)?).ok()?.min(self.by_index.len() - 1);
        let at = match self.by_index[guess].0 == index {
            true => guess,
            false => self.by_index[..guess].binary_search_by_key(&index, |entry| entry.0).ok()?,
        };
        Some(&self.history.ops.ops[self.by_index[at].1 as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::Script;

    #[test]
    fn operations_are_grouped_by_session_in_the_order_sent() {
        let mut s = Script::new();
        let late = s.append(1, 0).at(9..10).ok();
        let other = s.create(7, 0).at(1..2).ok();
        let early = s.create(1, 0).at(0..3).ok();
        let history = s.build();
        let sessions = Sessions::of(&history);
        let groups: Vec<(u32, Vec<u64>)> =
            sessions.iter().map(|s| (s.number, s.ops().map(|op| op.index).collect())).collect();
        assert_eq!(groups, [(1, vec![early, late]), (7, vec![other])]);
    }

    #[test]
    fn reads_say_how_much_of_them_the_read_before_showed() {
        let mut s = Script::new();
        s.read(1, 0).at(0..1).shows(&[3]).ok();
        s.read(1, 0).at(2..3).shows(&[3, 4, 5]).ok();
        s.read(1, 0).at(4..5).shows(&[9]).failed();
        s.read(1, 0).at(6..7).shows(&[3, 4, 6]).ok();
        s.read(1, 0).at(8..9).shows(&[3, 4]).ok();
        let history = s.build();
        let sessions = Sessions::of(&history);
        let common: Vec<usize> =
            sessions.iter().flat_map(|s| s.reads_with_known_prefix().map(|r| r.1).collect::<Vec<_>>()).collect();
        assert_eq!(common, [0, 1, 2, 2]);
    }

    #[test]
    fn a_token_names_the_operation_before_it() {
        let mut s = Script::new();
        let append = s.append(1, 0).at(5..6).ok();
        let history = s.build();
        let writes = Writes::of(&history);
        assert_eq!(writes.find(append + 1).map(|op| op.index), Some(append));
        assert_eq!(writes.find(0), None);
        assert_eq!(writes.find(append + 2), None);
    }

    #[test]
    fn a_token_is_found_whatever_indices_are_missing() {
        let mut s = Script::new();
        for index in [5, 6, 9, 40, 41] {
            let at = s.append(1, 0).at(50 - index..51).ok();
            s.amend(at, |op| op.index = index as u64);
        }
        let history = s.build();
        let writes = Writes::of(&history);
        let found: Vec<u64> =
            (0..60).filter(|&token| writes.find(token).is_some_and(|op| op.token() == token)).collect();
        assert_eq!(found, [6, 7, 10, 41, 42]);
        assert!((0..60).filter(|token| !found.contains(token)).all(|token| writes.find(token).is_none()));
    }
}

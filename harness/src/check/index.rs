//! An index of a history, built once and shared by all checkers and threads: operations by session, writes by token.

use std::cell::OnceCell;

use firedrill_storage::Event;
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;

use super::causes::Causes;
use super::expiry::Expiry;
use super::groups::Groups;
use super::lifetime::{Destroyed, Existence, Lifetime, Spans, perhaps_expired_from};
use super::ops::Ops;
use super::viewpoint::{Stores, Viewpoint};
use crate::clock::Nanos;
use crate::history::{History, Note, OpKind, OpRecord, SessionNo, Token, activations};

/// A history, indexed.
#[derive(Debug)]
pub struct Index<'h> {
    /// The history.
    pub(super) history: &'h History,
    /// Whether it is only one part of a longer history.
    pub(super) part: bool,
    /// When lifetimes end.
    pub(super) expiry: Expiry,
    /// When the store itself may have written sessions: while draining a fallback, or while migrating to another store.
    pub(super) moved: Spans,
    /// What may have destroyed acknowledged writes.
    pub(super) causes: Causes,
    /// The stores, each of which knows something else.
    pub(super) stores: Stores,
    groups: Groups,
    writes: Writes<'h>,
    strangers: Strangers,
}

impl<'h> Index<'h> {
    /// Indexes `history`, which has fewer than 2³² operations ([`History::load`] ensures this).
    pub(super) fn of(history: &'h History) -> Self {
        let (groups, writes) = std::thread::scope(|scope| {
            let writes = scope.spawn(|| Writes::of(history));
            (Groups::of(&history.ops.ops, history.header.sessions_per_user), writes.join())
        });
        let writes = writes.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let (expiry, moved, causes) = (Expiry::of(history), moved(history), Causes::of(history));
        let stores = Stores::of(history);
        Self { history, part: false, expiry, moved, causes, stores, groups, writes, strangers: Strangers::default() }
    }

    /// The number of sessions.
    pub(super) fn sessions(&self) -> usize {
        self.groups.len()
    }

    /// The session at position `place`, in order of session numbers.
    pub(super) fn session(&self, place: usize) -> Session<'_> {
        Session {
            index: self,
            number: self.groups.number(place),
            place,
            ops: Ops::of(self.history, self.groups.positions(place)),
            by_process: OnceCell::new(),
            known: OnceCell::new(),
        }
    }

    /// All sessions of the user who owns `first`, if `first` is that user's first session; otherwise `None`.
    pub(super) fn sessions_of_user(&self, first: &Session<'_>) -> Option<Vec<Session<'_>>> {
        let user = |place: usize| self.history.header.user_of(self.groups.number(place));
        let theirs = user(first.place);
        let is_first = first.place == 0 || user(first.place - 1) != theirs;
        is_first.then(|| {
            let places = (first.place..self.sessions()).take_while(|place| user(*place) == theirs);
            places.map(|place| self.session(place)).collect()
        })
    }

    /// The operation that writes `token`, if any.
    pub(super) fn write(&self, token: Token) -> Option<&OpRecord> {
        self.writes.find(token).or_else(|| self.strangers.find(token))
    }

    /// The tokens not found so far, if this is one part of a history.
    pub(super) fn not_found(&self) -> HashSet<Token> {
        std::mem::take(&mut *self.strangers.missed.lock())
    }

    /// Adds operations from the history's other parts.
    pub(super) fn add_strangers(&mut self, ops: Vec<OpRecord>) {
        self.strangers.ops.extend(ops.into_iter().map(|op| (op.token(), op)));
    }
}

/// Operations in other parts of the history that tokens in this part refer to: none in a sound history.
#[derive(Debug, Default)]
struct Strangers {
    ops: HashMap<Token, OpRecord>,
    missed: Mutex<HashSet<Token>>,
}

impl Strangers {
    fn find(&self, token: Token) -> Option<&OpRecord> {
        let found = self.ops.get(&token);
        if found.is_none() {
            self.missed.lock().insert(token);
        }
        found
    }
}

/// When the store itself may have written sessions.
fn moved(history: &History) -> Spans {
    let mut moved = Spans::default();
    for active in activations(&history.notes) {
        moved.push(active.from, active.to);
    }
    for note in &history.notes {
        if let Note::Store { at, event: Event::Switched { .. } | Event::CarriedOver { .. }, .. } = note {
            moved.push(*at, Nanos::MAX);
        }
    }
    moved.seal();
    moved
}

/// The operations on one session, and facts derived from them, which are computed on first use.
#[derive(Debug)]
pub struct Session<'i> {
    index: &'i Index<'i>,
    /// Its number.
    pub(super) number: SessionNo,
    place: usize,
    ops: Ops<'i>,
    by_process: OnceCell<Vec<&'i OpRecord>>,
    /// What is known of it from each viewpoint.
    known: OnceCell<Box<[Known]>>,
}

/// What is known of a session from one viewpoint.
#[derive(Debug, Default)]
struct Known {
    lifetime: OnceCell<Lifetime>,
    destroyed: OnceCell<Destroyed>,
}

impl<'i> Session<'i> {
    /// Its operations, in the order in which they were sent.
    pub(super) fn ops(&self) -> impl DoubleEndedIterator<Item = &'i OpRecord> + Clone + use<'i> {
        self.ops.iter()
    }

    /// Call this before checkers look at the session one after another.
    pub(super) fn fetch(&self) {
        self.ops.fetch();
    }

    /// The positions of its operations in the history.
    pub(super) fn positions(&self) -> impl Iterator<Item = usize> + use<'i> {
        self.ops.positions()
    }

    /// Its operations by process, each process's in the order sent.
    pub(super) fn by_process(&self) -> impl Iterator<Item = &[&'i OpRecord]> {
        let ops = self.by_process.get_or_init(|| {
            // Numbers sort faster than the operations they stand for.
            let key = |(place, op): (usize, &OpRecord)| u64::from(op.process) << 32 | place as u64;
            let mut keys: Vec<u64> = self.ops().enumerate().map(key).collect();
            keys.sort_unstable();
            keys.into_iter().map(|key| self.ops.at(key as u32 as usize)).collect()
        });
        ops.chunk_by(|a, b| a.process == b.process)
    }

    /// What a read found.
    pub(super) fn tokens(&self, op: &OpRecord) -> &'i [Token] {
        self.ops.tokens(op)
    }

    /// The number that a read of a counter found.
    pub(super) fn counted(&self, op: &OpRecord) -> Option<u64> {
        self.ops.counted(op)
    }

    /// When it certainly existed, and what may have happened to its content, as Redis has it.
    pub(super) fn lifetime(&self) -> &Lifetime {
        self.lifetime_from(Viewpoint::Redis)
    }

    /// The same as far as the store that carried out `op` can know.
    pub(super) fn lifetime_for(&self, op: &OpRecord) -> &Lifetime {
        self.lifetime_from(self.index.stores.viewpoint(op))
    }

    /// Whether it existed while `op` was in flight, as far as the store that carried out `op` can know.
    pub(super) fn existence(&self, op: &OpRecord) -> Existence {
        self.lifetime_for(op).existence(op.started, op.ended)
    }

    fn lifetime_from(&self, viewpoint: Viewpoint) -> &Lifetime {
        let sliding = self.index.history.header.sliding;
        let of = |ops: Ops<'_>| Lifetime::of(ops, &self.index.expiry, sliding);
        self.known(viewpoint)
            .lifetime
            .get_or_init(|| self.as_told(|op| self.index.stores.known_of_life(op, viewpoint), of))
    }

    fn known(&self, viewpoint: Viewpoint) -> &Known {
        let known = || (0..self.index.stores.viewpoints()).map(|_| Known::default()).collect();
        &self.known.get_or_init(known)[viewpoint.place()]
    }

    /// What `of` makes of its operations as somebody knows them.
    fn as_told<T>(&self, told: impl Fn(&OpRecord) -> OpRecord, of: impl FnOnce(Ops<'_>) -> T) -> T {
        if !self.index.stores.are_several() {
            return of(self.ops);
        }
        let known: Vec<OpRecord> = self.ops().map(told).collect();
        let positions: Vec<u32> = (0..known.len() as u32).collect();
        of(Ops::known(&known, &positions, self.index.history))
    }

    /// Whether it certainly did not expire before `t` once it existed.
    pub(super) fn outlives(&self, t: Nanos) -> bool {
        self.perhaps_expired_from() > t
    }

    /// The first moment at which it may have expired.
    pub(super) fn perhaps_expired_from(&self) -> Nanos {
        perhaps_expired_from(self.ops, &self.index.expiry, self.index.history.header.sliding)
    }

    /// When it was certainly destroyed, as far as the store that carried out `op` can know.
    pub(super) fn destroyed_for(&self, op: &OpRecord) -> &Destroyed {
        let (viewpoint, stores) = (self.index.stores.viewpoint(op), &self.index.stores);
        // Whether it may have been recreated does not depend on who knows of it.
        let told = |op: &OpRecord| match op.kind {
            OpKind::Destroy => stores.known(op, viewpoint),
            _ => stores.handed_back(op),
        };
        self.known(viewpoint).destroyed.get_or_init(|| self.as_told(told, Destroyed::of))
    }

    /// Its answered reads, each with the length of the prefix that it shares with the previous answered read. A checker
    /// that judges single tokens has already judged the shared prefix: a session that is only appended to is examined
    /// once, however often it is read.
    pub(super) fn reads_with_known_prefix(&self) -> impl Iterator<Item = (&'i OpRecord, usize)> {
        let ops = self.ops;
        let mut before: &[Token] = &[];
        self.ops().filter(|op| op.is_answered_read()).map(move |read| {
            let tokens = ops.tokens(read);
            let common = common_prefix(before, tokens);
            before = tokens;
            (read, common)
        })
    }
}

/// The length of the common prefix of two lists.
pub(super) fn common_prefix(a: &[Token], b: &[Token]) -> usize {
    let shorter = a.len().min(b.len());
    if std::ptr::eq(a.as_ptr(), b.as_ptr()) || a[..shorter] == b[..shorter] {
        return shorter; // by far the most frequent cases: the same memory, or an equal prefix
    }
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// Whether `list` starts with `start`. Lists of one session usually share their memory.
pub(super) fn starts_with(list: &[Token], start: &[Token]) -> bool {
    list.len() >= start.len() && (std::ptr::eq(list.as_ptr(), start.as_ptr()) || list.starts_with(start))
}

/// The tokens in `wanted` that are not in `list`; both may be in any order. Wanted tokens are likely to be at the
/// list's end.
pub(super) fn missing(wanted: &[Token], list: &[Token]) -> Vec<Token> {
    const FEW: usize = 4;
    if starts_with(list, wanted) {
        return Vec::new();
    }
    if wanted.len() <= FEW {
        return wanted.iter().copied().filter(|token| !list.iter().rev().any(|t| t == token)).collect();
    }
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    wanted.iter().copied().filter(|token| sorted.binary_search(token).is_err()).collect()
}

/// Finds the operation that a token names.
#[derive(Debug)]
struct Writes<'h> {
    history: &'h History,
    /// The positions of the operations in the history, sorted by index; `None` if the operations already are.
    by_index: Option<Vec<u32>>,
}

impl<'h> Writes<'h> {
    /// Prepares the look-up.
    fn of(history: &'h History) -> Self {
        let ops = &history.ops.ops;
        let by_index = (!ops.is_sorted_by_key(|op| op.index)).then(|| {
            let mut by_index: Vec<u32> = (0..ops.len() as u32).collect();
            by_index.sort_by_key(|&at| ops[at as usize].index); // stable: fast on an order that is nearly right
            by_index
        });
        Self { history, by_index }
    }

    /// The operation at position `place` in order of indices.
    fn at(&self, place: usize) -> &'h OpRecord {
        let at = self.by_index.as_ref().map_or(place, |by_index| by_index[place] as usize);
        &self.history.ops.ops[at]
    }

    fn find(&self, token: Token) -> Option<&'h OpRecord> {
        let index = token.checked_sub(1)?;
        let last = self.history.ops.ops.len().checked_sub(1)?;
        // Indices have few gaps: an operation is at the position its index would have without gaps, or before it.
        let guess = usize::try_from(index.checked_sub(self.at(0).index)?).ok()?.min(last);
        if self.at(guess).index == index {
            return Some(self.at(guess));
        }
        let (mut from, mut until) = (0, guess);
        while from < until {
            let middle = from.midpoint(until);
            if self.at(middle).index < index {
                from = middle + 1;
            } else {
                until = middle;
            }
        }
        Some(self.at(from)).filter(|op| op.index == index)
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
        let index = Index::of(&history);
        let sessions = (0..index.sessions()).map(|place| index.session(place));
        let groups: Vec<(u32, Vec<u64>)> = sessions.map(|s| (s.number, s.ops().map(|op| op.index).collect())).collect();
        assert_eq!(groups, [(1, vec![early, late]), (7, vec![other])]);
    }

    #[test]
    fn the_sessions_of_a_user_are_found_from_the_first_one() {
        let mut s = Script::new().sessions_per_user(3);
        for session in [0, 2, 3, 8] {
            s.create(session, 0).at(0..1).ok();
        }
        let history = s.build();
        let index = Index::of(&history);
        let theirs = |place| {
            let sessions = index.sessions_of_user(&index.session(place));
            sessions.map(|sessions| sessions.iter().map(|s| s.number).collect::<Vec<_>>())
        };
        assert_eq!(
            [theirs(0), theirs(1), theirs(2), theirs(3)],
            [Some(vec![0, 2]), None, Some(vec![3]), Some(vec![8])]
        );
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
        let index = Index::of(&history);
        let common: Vec<usize> = index.session(0).reads_with_known_prefix().map(|read| read.1).collect();
        assert_eq!(common, [0, 1, 2, 2]);
    }

    #[test]
    fn a_token_names_the_operation_before_it() {
        let mut s = Script::new();
        let append = s.append(1, 0).at(5..6).ok();
        let history = s.build();
        let index = Index::of(&history);
        assert_eq!(index.write(append + 1).map(|op| op.index), Some(append));
        assert_eq!(index.write(0), None);
        assert_eq!(index.write(append + 2), None);
    }

    #[test]
    fn a_token_is_found_whatever_indices_are_missing_and_in_whatever_order_operations_were_sent() {
        for sent in [|index: i64| index, |index: i64| 50 - index] {
            let mut s = Script::new();
            for index in [5, 6, 9, 40, 41] {
                let at = s.append(1, 0).at(sent(index)..51).ok();
                s.amend(at, |op| op.index = index as u64);
            }
            let history = s.build();
            let index = Index::of(&history);
            let found: Vec<u64> =
                (0..60).filter(|&token| index.write(token).is_some_and(|op| op.token() == token)).collect();
            assert_eq!(found, [6, 7, 10, 41, 42]);
            assert!((0..60).filter(|token| !found.contains(token)).all(|token| index.write(token).is_none()));
        }
    }
}

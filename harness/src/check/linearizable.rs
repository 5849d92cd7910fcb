//! Each session behaves like one copy that does one operation at a time, in an order that agrees with real time: the
//! algorithm of Wing and Gong with Lowe's cache of visited states ("Testing for linearizability", 2017), one session at
//! a time. It catches what the other checkers do not look for, such as two users who see two puts in different orders,
//! but reports only that no order explains the session; the other checkers name the broken promise.
//!
//! It skips sessions for which a fallback acknowledged anything (its replies are ordered only within its own process)
//! and sessions that may have expired. The search is bounded; beyond the bound, the verdict is unknown.

use hashbrown::{HashMap, HashSet};

use super::index::{Index, Session, common_prefix};
use super::tally::{Tally, Words};
use super::{Facts, SessionChecker};
use crate::clock::Nanos;
use crate::history::{OpKind, OpRecord, Outcome, Presence, Token};
use crate::property::Property;

/// See the module documentation.
pub(super) struct Linearizable;

impl SessionChecker for Linearizable {
    fn facts(&self) -> Facts {
        Facts {
            name: "linearizable",
            formerly: &[],
            about: "every session behaves like a single copy that does one operation at a time",
            words: Words {
                things: "sessions",
                right: "behave like one copy",
                wrong: "are explained by no order of their operations",
                nothing: "every session was answered by a fallback, or may have expired",
            },
            relies_on: Property::WRITES.union(Property::DESTROYS).union(Property::CLAIMS).union(Property::EXPIRY),
            stands_alone: false,
            judges: None,
            on_request: true,
            invalid: "no order of a session's operations that agrees with real time explains all its answers",
            defects: "two copies of a session that are read in turn; an old put applied after a newer one",
        }
    }

    fn session(&self, session: &Session<'_>, _: &Index<'_>, tally: &mut Tally) {
        judge(session, BUDGET, tally);
    }
}

/// The search for one session is given up after ordering this many operations, including those taken back, for each of
/// its operations, but not before `LEAST_BUDGET`.
const BUDGET: usize = 20;
const LEAST_BUDGET: usize = 20_000;

fn judge(session: &Session<'_>, budget: usize, tally: &mut Tally) {
    if session.ops().any(|op| op.outcome == Outcome::Degraded) {
        return;
    }
    let Some(last) = session.ops().map(|op| op.ended).max() else { return };
    if !session.outlives(last) {
        return;
    }
    let (ops, perhaps) = steps(session);
    if ops.is_empty() {
        return;
    }
    match search(&ops, &perhaps, LEAST_BUDGET + budget * ops.len()) {
        Found::Order => tally.examine(1),
        Found::OutOfBudget => tally.doubt(|| format!("session {} has too many orders to try them all", session.number)),
        Found::None { furthest } => {
            tally.examine(1);
            let stuck = &ops[furthest];
            tally.violation(Some(session.number), stuck.ended, &[stuck.index], || {
                let (number, index) = (session.number, stuck.index);
                format!("session {number}: no order of its operations explains operation {index} and all before it")
            });
        }
    }
}

/// An operation as the search sees it.
#[derive(Debug, Clone, Copy)]
struct Step {
    started: Nanos,
    ended: Nanos,
    index: u64,
    does: Does,
}

/// What an operation does and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Creates an empty session, or leaves an existing one as it is.
    Make,
    /// Shows the session: the set of its tokens, or that it does not exist.
    Shows(Option<Set>),
    /// Finds the session, or does not.
    Finds(bool),
    /// Adds a token to an existing session; an unacknowledged one does nothing without a session.
    Add {
        token: Token,
        answered: bool,
    },
    Replace(Token),
    End,
    /// Finds the session and claims its reward unless it has been claimed; an acknowledged claim names the claimant.
    Claim {
        token: Token,
        answered: Option<Token>,
    },
}

/// A set of tokens, as its size and the sum of its members' hashes: different sets practically never compare equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Set {
    size: u32,
    sum: u64,
}

impl Set {
    fn with(self, token: Token) -> Self {
        Self { size: self.size + 1, sum: self.sum.wrapping_add(mixed(token)) }
    }
}

/// The finaliser of SplitMix64.
fn mixed(token: Token) -> u64 {
    let z = token.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The single copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Copied {
    there: bool,
    holds: Set,
    claimant: Option<Token>,
}

impl Copied {
    /// The state after an operation; `None` if the operation's reply contradicts it.
    fn after(self, does: Does) -> Option<Self> {
        let there = |holds| Self { there: true, holds, ..self };
        match does {
            Does::Make => Some(if self.there { self } else { Self { there: true, ..Self::default() } }),
            Does::Shows(Some(set)) => (self.there && self.holds == set).then_some(self),
            Does::Shows(None) => (!self.there).then_some(self),
            Does::Finds(found) => (self.there == found).then_some(self),
            Does::Add { token, .. } if self.there => Some(there(self.holds.with(token))),
            Does::Add { answered, .. } => (!answered).then_some(self),
            Does::Replace(token) => Some(Self { there: true, holds: Set::default().with(token), claimant: None }),
            Does::End => Some(Self::default()),
            Does::Claim { answered: None, .. } if !self.there => Some(self),
            Does::Claim { token, answered } => {
                let claimant = self.claimant.unwrap_or(token);
                let agrees = self.there && answered.is_none_or(|answered| answered == claimant);
                agrees.then_some(Self { claimant: Some(claimant), ..self })
            }
        }
    }
}

/// The operations that certainly took effect, in the order sent, and those that may have or may still.
fn steps(session: &Session<'_>) -> (Vec<Step>, Vec<Step>) {
    // An unacknowledged append shows only through its token: it took effect before the end of the first read that shows
    // the token, or possibly never.
    let mut unsure: HashMap<Token, Nanos> = HashMap::new();
    for op in session.ops().filter(|op| op.kind == OpKind::Append && op.outcome == Outcome::Unknown) {
        unsure.insert(op.token(), Nanos::MAX);
    }
    let made: HashSet<Token> = session.ops().filter(|op| op.kind == OpKind::Create).map(OpRecord::token).collect();
    let mut sets: Vec<Set> = Vec::new();
    let (mut before, mut set): (&[Token], Set) = (&[], Set::default());
    for read in session.ops().filter(|op| op.is_answered_read()) {
        let tokens = session.tokens(read);
        let known = common_prefix(before, tokens);
        let grows = known == before.len();
        if !grows {
            set = Set::default();
        }
        for &token in if grows { &tokens[known..] } else { tokens } {
            if let Some(shown) = unsure.get_mut(&token) {
                *shown = read.ended.min(*shown);
            }
            // A create does not promise that its own token is in the session.
            if !made.contains(&token) {
                set = set.with(token);
            }
        }
        before = tokens;
        sets.push(set);
    }
    let mut sets = sets.into_iter();
    let (mut certain, mut perhaps) = (Vec::new(), Vec::new());
    for op in session.ops() {
        let answered = op.outcome.acknowledged();
        let shown = if op.is_answered_read() { sets.next() } else { None };
        let found = match op.presence {
            Presence::Absent => Some(false),
            Presence::Present => Some(true),
            Presence::Unsaid => None,
        };
        let does = match op.kind {
            _ if op.outcome == Outcome::Failed => continue,
            OpKind::Create => Does::Make,
            OpKind::Put => Does::Replace(op.token()),
            OpKind::Destroy | OpKind::LogoutEverywhere if op.perhaps_destroys() => Does::End,
            OpKind::Renew if op.perhaps_strays() => Does::End,
            OpKind::Append if answered && found == Some(false) => Does::Finds(false),
            OpKind::Append => Does::Add { token: op.token(), answered },
            OpKind::Award if answered && found == Some(false) => Does::Finds(false),
            OpKind::Award => {
                Does::Claim { token: op.token(), answered: session.tokens(op).first().copied().filter(|_| answered) }
            }
            OpKind::Read if answered && found == Some(false) => Does::Shows(None),
            OpKind::Read if answered => Does::Shows(shown),
            OpKind::Touch | OpKind::Renew | OpKind::Increment if answered && found.is_some() => {
                Does::Finds(found == Some(true))
            }
            _ => continue,
        };
        let step = Step { started: op.started, ended: op.ended, index: op.index, does };
        match unsure.get(&op.token()) {
            Some(&Nanos::MAX) => {}
            Some(&shown) => certain.push(Step { ended: shown.max(op.started), ..step }),
            None if answered => certain.push(step),
            None => perhaps.push(Step { ended: Nanos::MAX, ..step }),
        }
    }
    (certain, perhaps)
}

/// The result of a search.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Order,
    /// No order exists; `furthest` is the first operation, by the time sent, that no order gets past.
    None {
        furthest: usize,
    },
    OutOfBudget,
}

/// The state of a search: everything before `first` is in order, and so are the operations `beyond` that come after it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    first: u32,
    /// Positions, in ascending order.
    beyond: Vec<u32>,
    /// Which of the operations that may have taken effect did, as a bit set.
    took: u64,
    copy: Copied,
}

/// Searches for an order in which `ops` and any of `perhaps` explain every reply. `budget` limits the steps.
fn search(ops: &[Step], perhaps: &[Step], mut budget: usize) -> Found {
    if perhaps.len() > u64::BITS as usize {
        return Found::OutOfBudget;
    }
    let mut tried: HashSet<Place> = HashSet::new();
    let mut open = vec![Place { first: 0, beyond: Vec::new(), took: 0, copy: Copied::default() }];
    let mut furthest = 0;
    while let Some(mut place) = open.pop() {
        if open.is_empty() {
            budget -= straight_on(ops, perhaps, &mut place, budget - 1);
        }
        if place.first as usize == ops.len() {
            return Found::Order;
        }
        furthest = furthest.max(place.first as usize);
        let after = followers(ops, perhaps, &place);
        if after.len() > budget {
            return Found::OutOfBudget;
        }
        budget -= after.len().max(1).min(budget);
        if budget == 0 {
            return Found::OutOfBudget;
        }
        // With only one way to continue, there is no alternative to remember.
        let alone = after.len() == 1 && open.is_empty();
        for next in after {
            if alone || tried.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    Found::None { furthest }
}

/// Continues from `place` as long as each operation was over before any other remaining one was sent, so that there is
/// only one way, for at most `most` steps. Returns the number of steps.
fn straight_on(ops: &[Step], perhaps: &[Step], place: &mut Place, most: usize) -> usize {
    if !place.beyond.is_empty() {
        return 0;
    }
    let from = place.first;
    for (at, step) in ops.iter().enumerate().skip(from as usize).take(most) {
        let later = |other: Option<&Step>| other.is_none_or(|other| other.started > step.ended);
        if !later(ops.get(at + 1)) || !later(perhaps.first()) {
            break;
        }
        let Some(copy) = place.copy.after(step.does) else { break };
        (place.first, place.copy) = (at as u32 + 1, copy);
    }
    (place.first - from) as usize
}

/// The places where a search can continue from `place`, the likeliest last, because the last one is tried first.
fn followers(ops: &[Step], perhaps: &[Step], place: &Place) -> Vec<Place> {
    let first = place.first as usize;
    let left = |at: &usize| place.beyond.binary_search(&(*at as u32)).is_err();
    // The next operation was sent before any remaining one had ended.
    let mut until = Nanos::MAX;
    let mut candidates = Vec::new();
    for at in (first..ops.len()).filter(left) {
        if ops[at].started > until {
            break;
        }
        until = until.min(ops[at].ended);
        candidates.push(at);
    }
    candidates.retain(|&at| ops[at].started <= until);
    let mut after = Vec::new();
    for (at, step) in perhaps.iter().enumerate().filter(|(_, step)| step.started <= until) {
        let taken = 1 << at;
        if place.took & taken == 0
            && let Some(copy) = place.copy.after(step.does)
            && copy != place.copy
        {
            after.push(Place { took: place.took | taken, copy, ..place.clone() });
        }
    }
    // The operation that ended first is the likeliest to come first.
    candidates.sort_by_key(|&at| std::cmp::Reverse(ops[at].ended));
    for at in candidates {
        if let Some(copy) = place.copy.after(ops[at].does) {
            let (first, beyond) = with(place, at as u32);
            after.push(Place { first, beyond, copy, took: place.took });
        }
    }
    after
}

/// The part in order after adding the operation at `at`.
fn with(place: &Place, at: u32) -> (u32, Vec<u32>) {
    let mut beyond = place.beyond.clone();
    if at != place.first {
        let spot = beyond.partition_point(|&other| other < at);
        beyond.insert(spot, at);
        return (place.first, beyond);
    }
    let mut first = at + 1;
    let run = beyond.iter().take_while(|&&other| {
        let next = other == first;
        first += u32::from(next);
        next
    });
    let run = run.count();
    beyond.drain(..run);
    (first, beyond)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    fn judged(script: Script) -> (Verdict, u64, u64) {
        let finding = script.judged_by(&Linearizable);
        (finding.verdict, finding.violations, finding.examined)
    }

    #[test]
    fn sequential_operations_are_linearizable_and_so_is_a_write_seen_before_it_was_acknowledged() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        let write = s.append(1, 0).at(2..9);
        let token = write.index();
        write.ok();
        s.read(1, 1).at(3..4).shows(&[token]).ok();
        s.read(1, 2).at(5..6).shows(&[token]).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 1));
    }

    #[test]
    fn a_write_seen_by_one_user_and_then_not_by_another_is_not() {
        let mut s = Script::new();
        s.create(17, 0).at(0..1).ok();
        let write = s.append(17, 0).at(2..9);
        let token = write.index();
        write.ok();
        s.read(17, 1).at(3..4).shows(&[token]).ok();
        let stale = s.read(17, 2).at(5..6).shows(&[]).ok();
        let finding = s.judged_by(&Linearizable);
        assert_eq!(finding.verdict, Verdict::Invalid);
        assert_eq!(
            finding.samples[0].text,
            format!("session 17: no order of its operations explains operation {stale} and all before it")
        );
    }

    #[test]
    fn two_puts_seen_in_different_order_by_two_users_are_not() {
        let mut s = Script::new();
        let (a, b) = (s.put(1, 0).at(0..10).ok(), s.put(1, 1).at(0..10).ok());
        s.read(1, 2).at(11..12).shows(&[a]).ok();
        s.read(1, 3).at(13..14).shows(&[b]).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 1));
    }

    #[test]
    fn an_unacknowledged_write_may_take_effect_late_or_never() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        let a = s.append(1, 0).at(2..3).unknown();
        s.destroy(2, 0).at(2..3).unknown();
        s.read(1, 1).at(4..5).shows(&[]).ok();
        s.read(1, 1).at(6..7).shows(&[a]).ok();
        s.create(2, 0).at(0..1).ok();
        s.read(2, 1).at(4..5).shows(&[]).ok();
        s.read(2, 1).at(6..7).absent();
        assert_eq!(judged(s), (Verdict::Valid, 0, 2));
    }

    #[test]
    fn it_takes_effect_once() {
        let mut s = Script::new();
        s.put(1, 0).at(0..1).ok();
        let a = s.put(1, 0).at(2..3).unknown();
        let b = s.put(1, 1).at(4..5).ok();
        s.read(1, 1).at(6..7).shows(&[a]).ok();
        s.read(1, 1).at(8..9).shows(&[b]).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 1));
    }

    #[test]
    fn claims_name_one_claimant_in_every_order() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        let first = s.award(1, 0).at(2..5);
        let winner = first.index();
        first.shows(&[winner]).ok();
        s.award(1, 1).at(2..5).shows(&[winner]).ok();
        s.create(2, 0).at(0..1).ok();
        for process in 0..2 {
            let award = s.award(2, process).at(2..5);
            let own = award.index();
            award.shows(&[own]).ok();
        }
        assert_eq!(judged(s), (Verdict::Invalid, 1, 2));
    }

    #[test]
    fn beyond_its_budget_it_cannot_tell() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        let appends: Vec<u64> = (0..12).map(|process| s.append(1, process).at(2..30).ok()).collect();
        for (process, shown) in appends.iter().enumerate() {
            s.read(1, process as u32).at(3..29).shows(&[*shown]).ok();
        }
        let finding = s.judged_by(&Linearizable);
        assert_eq!(finding.verdict, Verdict::Unknown, "{finding:?}");
        assert!(finding.summary.contains("session 1 has too many orders"), "{}", finding.summary);
    }

    #[test]
    fn a_session_that_a_fallback_answered_or_that_may_have_expired_is_left_out() {
        let mut s = Script::new().ttl(1_000, 0);
        s.create(1, 0).at(0..1).ok();
        s.append(1, 0).at(2..3).degraded();
        s.read(1, 0).at(4..5).shows(&[]).ok();
        s.create(2, 0).at(0..1).ok();
        s.read(2, 0).at(2_000..2_001).absent();
        assert_eq!(judged(s), (Verdict::Valid, 0, 0));
    }
}

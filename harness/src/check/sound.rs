//! A simulated sound store: no checker may accuse it, whatever random users do to it, and every defect planted in its
//! history must be found.

mod generator;

use generator::{Attempt, COUNTING, Fate, ORDERED, TTL, attempts, carried_out, counted, growing};
use proptest::prelude::*;

use super::{Budget, Finding, Verdict, all, check_all, named};
use crate::history::{History, OpKind, OpRecord, Outcome, Presence, Step, Token};

/// The history, with one line per operation.
fn described(history: &History) -> String {
    let line = |op: &OpRecord| {
        let (kind, outcome, ms) = (op.kind.name(), op.outcome.name(), |t: i64| t / 1_000_000);
        let (from, to, tokens) = (ms(op.started), ms(op.ended), history.ops.tokens_of(op));
        let (number, session, process, presence) = (op.index, op.session, op.process, op.presence);
        format!(
            "\n{number}: {kind} {session} by {process} at {from}..{to} {outcome} {presence:?} v{} {tokens:?}",
            op.version
        )
    };
    history.ops.ops.iter().map(line).collect()
}

fn findings(history: &History) -> Vec<(&'static str, Finding)> {
    check_all(history, all(), &Budget::default())
}

fn verdict(history: &History, checker: &str) -> Verdict {
    check_all(history, &[named(checker).unwrap()], &Budget::default())[0].1.verdict
}

/// The positions of the operations for which `wanted` holds.
fn positions(history: &History, wanted: impl Fn(&History, &OpRecord) -> bool) -> Vec<usize> {
    let ops = &history.ops.ops;
    (0..ops.len()).filter(|&at| wanted(history, &ops[at])).collect()
}

fn answered(op: &OpRecord) -> bool {
    op.kind == OpKind::Read && op.presence == Presence::Present
}

/// Replaces the tokens shown by the read at `at`.
fn show(history: &mut History, at: usize, tokens: &[Token]) {
    history.ops.ops[at].tokens_at = history.ops.tokens.len() as u32;
    history.ops.ops[at].tokens_len = tokens.len() as u32;
    history.ops.tokens.extend_from_slice(tokens);
}

fn tokens(history: &History, at: usize) -> Vec<Token> {
    history.ops.tokens_of(&history.ops.ops[at]).to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_order_is_found_exactly_where_trying_every_order_finds_one(
        attempts in attempts(ORDERED, 1..6, 600), session in any::<usize>(), drop in any::<bool>()
    ) {
        let attempts: Vec<Attempt> = attempts.into_iter().map(|attempt| Attempt {
            fate: if attempt.fate == Fate::Degraded { Fate::Ok } else { attempt.fate },
            session: 0,
            ..attempt
        }).collect();
        let mut history = carried_out(&attempts, 1_000_000, true);
        let shown = positions(&history, |_, op| answered(op) && op.tokens_len > 0);
        if drop && !shown.is_empty() {
            let read = shown[session % shown.len()];
            let list = tokens(&history, read);
            show(&mut history, read, &list[1..]);
        }
        let of_session = |op: &&OpRecord| op.session == 0 && op.outcome != Outcome::Failed;
        let ops: Vec<&OpRecord> = history.ops.ops.iter().filter(of_session).collect();
        let explained = super::golden::explained(&history, &ops, None);
        let expected = if explained { Verdict::Valid } else { Verdict::Invalid };
        prop_assert_eq!(verdict(&history, "linearizable"), expected, "{}", described(&history));
        let accused = findings(&history).iter().any(|(_, finding)| finding.verdict == Verdict::Invalid);
        prop_assert_eq!(accused, !explained, "{}", described(&history));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_checker_accuses_a_sound_store(
        attempts in attempts(&OpKind::ALL, 1..80, 4_000), sliding in any::<bool>(), ttl in prop_oneof![Just(TTL), Just(60_000)]
    ) {
        let history = carried_out(&attempts, ttl, sliding);
        for (name, finding) in findings(&history) {
            let expected = if name == "immortal-keys" { Verdict::Unknown } else { Verdict::Valid };
            prop_assert_eq!(finding.verdict, expected, "{}: {:?} in {}", name, finding, described(&history));
        }
    }

    #[test]
    fn no_checker_accuses_a_sound_counter(
        attempts in attempts(COUNTING, 1..80, 4_000), sliding in any::<bool>(), ttl in prop_oneof![Just(TTL), Just(60_000)]
    ) {
        let history = counted(&attempts, ttl, sliding);
        for (name, finding) in findings(&history) {
            let expected = if name == "immortal-keys" { Verdict::Unknown } else { Verdict::Valid };
            prop_assert_eq!(finding.verdict, expected, "{}: {:?} in {}", name, finding, described(&history));
        }
    }

    #[test]
    fn any_number_outside_what_increments_can_have_led_to_is_a_violation(
        attempts in attempts(&[OpKind::Increment, OpKind::Read], 20..60, 4_000), which in any::<usize>(), more in any::<bool>()
    ) {
        let whole = Attempt { kind: OpKind::Create, session: 0, process: 9, started: -100, lasts: 10, point: 50, fate: Fate::Ok, drift: 0 };
        let made = (0..3).map(|session| Attempt { session, ..whole.clone() });
        let mut history = counted(&made.chain(attempts).collect::<Vec<_>>(), 1_000_000, true);
        let reads = positions(&history, |_, op| answered(op) && op.step == Step::Final);
        let at = reads[which % reads.len()];
        let read = history.ops.ops[at];
        let of = |history: &History, wanted: &dyn Fn(&OpRecord) -> bool| {
            positions(history, |_, op| op.kind == OpKind::Increment && op.session == read.session && wanted(op)).len() as u64
        };
        let (least, most) = (of(&history, &|op| op.outcome.acknowledged()), of(&history, &OpRecord::perhaps_effective));
        prop_assume!(more || least > 0);
        let number = if more { most + 1 } else { least - 1 };
        show(&mut history, at, &[number]);
        prop_assert_eq!(verdict(&history, "counter"), Verdict::Invalid, "{}", described(&history));
    }

    #[test]
    fn any_acknowledged_answer_dropped_from_the_final_read_is_lost(history in growing(), which in any::<usize>()) {
        let mut history = history;
        let acknowledged = positions(&history, |_, op| op.kind == OpKind::Append && op.outcome.acknowledged());
        prop_assume!(!acknowledged.is_empty());
        let lost = history.ops.ops[acknowledged[which % acknowledged.len()]];
        let last = positions(&history, |_, op| op.step == Step::Final && op.session == lost.session)[0];
        let rest: Vec<Token> = tokens(&history, last).into_iter().filter(|&token| token != lost.token()).collect();
        show(&mut history, last, &rest);
        prop_assert_eq!(verdict(&history, "lost-writes"), Verdict::Invalid);
    }

    #[test]
    fn any_answer_shown_twice_is_a_duplicate(history in growing(), which in any::<usize>(), place in any::<usize>()) {
        let mut history = history;
        let reads = positions(&history, |_, op| answered(op) && op.tokens_len > 0);
        prop_assume!(!reads.is_empty());
        let read = reads[which % reads.len()];
        let mut list = tokens(&history, read);
        let twice = list[place % list.len()];
        list.insert(place % (list.len() + 1), twice);
        show(&mut history, read, &list);
        prop_assert_eq!(verdict(&history, "duplicated-writes"), Verdict::Invalid);
    }

    #[test]
    fn any_failed_or_made_up_answer_shown_is_a_phantom(history in growing(), which in any::<usize>(), failed in any::<usize>()) {
        let mut history = history;
        let reads = positions(&history, |_, op| answered(op));
        let read = reads[which % reads.len()];
        let session = history.ops.ops[read].session;
        let without_effect = positions(&history, |_, op| {
            op.session == session && op.kind == OpKind::Append && op.outcome == Outcome::Failed
        });
        let phantom = match without_effect.len() {
            0 => 1_000_000,
            some => history.ops.ops[without_effect[failed % some]].token(),
        };
        let mut list = tokens(&history, read);
        list.insert(failed % (list.len() + 1), phantom);
        show(&mut history, read, &list);
        prop_assert_eq!(verdict(&history, "phantom-writes"), Verdict::Invalid);
    }

    #[test]
    fn any_foreign_answer_or_owner_breaks_isolation(history in growing(), which in any::<usize>(), owner in any::<bool>()) {
        let mut history = history;
        let reads = positions(&history, |_, op| answered(op));
        let read = reads[which % reads.len()];
        let session = history.ops.ops[read].session;
        let foreign = positions(&history, |_, op| op.session != session && op.kind == OpKind::Append);
        prop_assume!(owner || !foreign.is_empty());
        if owner {
            history.ops.ops[read].owner = session + 1;
        } else {
            let mut list = tokens(&history, read);
            list.push(history.ops.ops[foreign[which % foreign.len()]].token());
            show(&mut history, read, &list);
        }
        prop_assert_eq!(verdict(&history, "isolation"), Verdict::Invalid);
    }

    #[test]
    fn any_own_write_missing_from_a_later_read_breaks_read_your_writes(history in growing(), which in any::<usize>()) {
        let mut history = history;
        let own = |history: &History, read: &OpRecord| -> Vec<Token> {
            history.ops.ops.iter()
                .filter(|w| w.kind == OpKind::Append && w.outcome.acknowledged() && w.process == read.process)
                .filter(|w| w.session == read.session && w.ended < read.started)
                .map(OpRecord::token).collect()
        };
        let reads = positions(&history, |h, op| answered(op) && op.step == Step::Load && !own(h, op).is_empty());
        prop_assume!(!reads.is_empty());
        let read = reads[which % reads.len()];
        let due = own(&history, &history.ops.ops[read]);
        let missed = due[which % due.len()];
        let rest: Vec<Token> = tokens(&history, read).into_iter().filter(|&token| token != missed).collect();
        show(&mut history, read, &rest);
        prop_assert_eq!(verdict(&history, "read-your-writes"), Verdict::Invalid);
    }

    #[test]
    fn any_answer_seen_and_then_missing_breaks_monotonic_reads(history in growing(), which in any::<usize>()) {
        let mut history = history;
        let seen = |history: &History, read: &OpRecord| -> Vec<Token> {
            history.ops.ops.iter()
                .filter(|r| answered(r) && r.process == read.process && r.session == read.session)
                .filter(|r| r.ended < read.started)
                .flat_map(|r| history.ops.tokens_of(r).to_vec()).collect()
        };
        let reads = positions(&history, |h, op| answered(op) && !seen(h, op).is_empty());
        prop_assume!(!reads.is_empty());
        let read = reads[which % reads.len()];
        let due = seen(&history, &history.ops.ops[read]);
        let missed = due[which % due.len()];
        let rest: Vec<Token> = tokens(&history, read).into_iter().filter(|&token| token != missed).collect();
        show(&mut history, read, &rest);
        prop_assert_eq!(verdict(&history, "monotonic-reads"), Verdict::Invalid);
    }

    #[test]
    fn any_session_not_found_while_it_must_live_is_gone_too_early(history in growing(), which in any::<usize>()) {
        let mut history = history;
        let reads = positions(&history, |_, op| answered(op));
        let read = reads[which % reads.len()];
        show(&mut history, read, &[]);
        history.ops.ops[read].presence = Presence::Absent;
        prop_assert_eq!(verdict(&history, "ttl"), Verdict::Invalid);
    }

    #[test]
    fn any_second_claimant_of_a_session_created_once_is_a_double_award(history in growing(), which in any::<usize>()) {
        let mut history = history;
        let awards = positions(&history, |_, op| op.kind == OpKind::Award && op.outcome == Outcome::Ok);
        prop_assume!(!awards.is_empty());
        let award = history.ops.ops[awards[which % awards.len()]];
        let at = history.ops.ops.len();
        history.ops.ops.push(OpRecord { index: 1_000_000, started: award.ended + 10, ended: award.ended + 20, ..award });
        show(&mut history, at, &[1_000_001]);
        history.ops.ops.sort_by_key(|op| op.started);
        prop_assert_eq!(verdict(&history, "double-award"), Verdict::Invalid);
    }

    #[test]
    fn any_session_found_after_an_acknowledged_destroy_is_a_resurrection(history in growing(), which in any::<usize>()) {
        let mut history = history;
        let reads = positions(&history, |_, op| answered(op));
        let read = history.ops.ops[reads[which % reads.len()]];
        history.ops.ops.push(OpRecord {
            index: 1_000_000,
            kind: OpKind::Destroy,
            started: read.started - 10,
            ended: read.started - 1,
            tokens_len: 0,
            ..read
        });
        history.ops.ops.sort_by_key(|op| op.started);
        prop_assert_eq!(verdict(&history, "resurrection"), Verdict::Invalid);
    }

    #[test]
    fn any_living_session_missing_from_a_listing_is_a_violation_of_the_index(history in growing(), which in any::<usize>()) {
        let mut history = history;
        let lists = positions(&history, |_, op| op.kind == OpKind::List && op.outcome == Outcome::Ok);
        prop_assume!(!lists.is_empty());
        let list = lists[which % lists.len()];
        let mut shown = tokens(&history, list);
        shown.remove(which % shown.len());
        show(&mut history, list, &shown);
        prop_assert_eq!(verdict(&history, "user-index"), Verdict::Invalid);
    }

    #[test]
    fn any_session_of_another_user_in_a_listing_is_a_violation_of_the_index(history in growing(), which in any::<usize>()) {
        let mut history = history;
        let lists = positions(&history, |_, op| op.kind == OpKind::List && op.outcome.acknowledged());
        prop_assume!(!lists.is_empty());
        let list = lists[which % lists.len()];
        let foreign = [2, 2, 0][history.ops.ops[list].session as usize];
        let mut shown = tokens(&history, list);
        shown.push(foreign);
        show(&mut history, list, &shown);
        prop_assert_eq!(verdict(&history, "user-index"), Verdict::Invalid);
    }
}

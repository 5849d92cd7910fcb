//! Golden histories, small enough to judge by hand: a sound one, one of each anomaly, and hard cases from the
//! literature. Two judges agree on each: the checkers, and a dozen lines that try every order of a session's
//! operations.

use std::path::Path;

use super::{Budget, Verdict, all, check_all};
use crate::history::{FORMAT_VERSION, Header, History, OpKind, OpRecord, Outcome, Presence, Token};

/// All golden histories, and whether some order explains each.
const GOLDEN: [(&str, bool); 13] = [
    ("sound", true),
    ("concurrent-puts-either-order", true),
    ("late-effect", true),
    ("lost-write", false),
    ("lost-update", false),
    // Created while Redis was away, and never written to again.
    ("forgotten-session", false),
    ("failed-and-done", false),
    ("own-write-missed", false),
    ("others-write-missed", false),
    ("seen-and-gone", false),
    ("resurrected", false),
    // Herlihy and Wing, "Linearizability: a correctness condition for concurrent objects" (1990): new, then old.
    ("read-inversion", false),
    ("put-applied-twice", false),
];

fn golden(name: &str) -> History {
    let header = Header {
        version: FORMAT_VERSION,
        scenario: name.to_owned(),
        seed: 0,
        ttl_ns: i64::MAX / 4,
        ttl_slack_ns: 0,
        sliding: true,
        sessions_per_user: std::num::NonZeroU32::MIN,
        instances: std::num::NonZeroU32::MIN,
        counter: false,
        epoch_ms: 0,
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/check/golden/{name}.json"));
    History::import(&path, &header).unwrap().unwrap()
}

/// Whether the operations `left` can follow in some order on a session that holds `held`, or does not exist. An
/// operation can come next only if no other in `left` had ended before it was sent; an unacknowledged one may never
/// happen.
pub(super) fn explained(history: &History, left: &[&OpRecord], held: Option<&[Token]>) -> bool {
    let done = |op: &&OpRecord| op.outcome == Outcome::Unknown;
    left.iter().all(done)
        || (0..left.len()).any(|next| {
            let (op, mut rest) = (left[next], left.to_vec());
            rest.remove(next);
            let in_time = rest.iter().all(|other| done(other) || other.ended >= op.started);
            let mut shown = history.ops.tokens_of(op).to_vec();
            shown.sort_unstable();
            let after: Option<Option<Vec<Token>>> = match (op.kind, held) {
                (OpKind::Create, None) => Some(Some(Vec::new())),
                (OpKind::Create, Some(held)) => Some(Some(held.to_vec())),
                (OpKind::Put, _) => Some(Some(vec![op.token()])),
                (OpKind::Destroy, _) => Some(None),
                (OpKind::Append, Some(held)) if op.presence != Presence::Absent => Some(Some(sorted(held, op.token()))),
                (OpKind::Append, None) => (done(&op) || op.presence == Presence::Absent).then_some(None),
                (OpKind::Append, Some(_)) => None,
                (OpKind::Read, None) => (op.presence == Presence::Absent).then_some(None),
                (OpKind::Read, Some(held)) if op.presence == Presence::Absent || shown != held => None,
                (_, held) => Some(held.map(<[Token]>::to_vec)),
            };
            in_time && after.is_some_and(|held| explained(history, &rest, held.as_deref()))
        })
}

/// The order of a session's items is not promised.
fn sorted(held: &[Token], token: Token) -> Vec<Token> {
    let mut held = [held, &[token]].concat();
    held.sort_unstable();
    held
}

#[test]
fn every_golden_history_is_judged_alike_by_the_checkers_and_by_trying_every_order() {
    for (name, sound) in GOLDEN {
        let history = golden(name);
        let took_effect = |op: &&OpRecord| op.outcome != Outcome::Failed;
        let ops: Vec<&OpRecord> = history.ops.ops.iter().filter(took_effect).collect();
        assert_eq!(explained(&history, &ops, None), sound, "{name}, every order");
        let findings = check_all(&history, all(), &Budget::default());
        let accused = findings.iter().any(|(_, finding)| finding.verdict == Verdict::Invalid);
        assert_eq!(!accused, sound, "{name}: {findings:#?}");
    }
}

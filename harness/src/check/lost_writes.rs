//! No acknowledged write is lost: the final reads find every session whose create was acknowledged, and show every
//! acknowledged append and put, unless the session may have been destroyed, may have expired, or its content may have
//! been replaced by a later put.

use std::cell::OnceCell;

use super::index::{Index, Session};
use super::lifetime::Existence;
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::clock::Nanos;
use crate::history::{OpKind, OpRecord, Outcome, Presence, Step, Token};
use crate::property::Property;

/// Its name in scenarios and reports.
pub const NAME: &str = "lost-writes";

/// See the module documentation.
pub(super) struct LostWrites;

impl SessionChecker for LostWrites {
    fn facts(&self) -> Facts {
        Facts {
            name: NAME,
            formerly: &["lost-answers"],
            about: "every acknowledged create, append and put is in the final reads of its session",
            words: Words {
                things: "acknowledged writes",
                right: "in the final reads",
                wrong: "lost",
                nothing: "no acknowledged write had to be in a final read",
            },
            relies_on: Property::WRITES,
            stands_alone: false,
            judges: None,
            on_request: false,
            invalid: "an acknowledged append or put is missing from a final read of its session, or a session that \
                      must exist is not found: then its acknowledged create is lost as well",
            defects: "a fallback that is forgotten after the outage; lost updates; a restart without persistence",
        }
    }

    fn session(&self, session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
        let answers: Vec<Answer> = session.ops().filter(is_acknowledged_write).map(Answer::new).collect();
        if !answers.is_empty() {
            judge(session, index, answers, tally);
        }
    }
}

/// Whether `op` is an acknowledged create, append or put.
fn is_acknowledged_write(op: &&OpRecord) -> bool {
    op.outcome.acknowledged() && op.certainly_writes()
}

/// One acknowledged write, and what the final reads say about it.
struct Answer<'h> {
    write: &'h OpRecord,
    judged: bool,
    lost: bool,
}

impl<'h> Answer<'h> {
    fn new(write: &'h OpRecord) -> Self {
        Self { write, judged: false, lost: false }
    }
}

fn judge(session: &Session<'_>, index: &Index<'_>, mut answers: Vec<Answer<'_>>, tally: &mut Tally) {
    let mut finals = 0;
    for read in session.ops().filter(|op| op.step == Step::Final && op.kind == OpKind::Read) {
        finals += 1;
        let due: Vec<&mut Answer<'_>> = answers.iter_mut().filter(|answer| answer.write.ended < read.started).collect();
        if !read.is_answered_read() {
            tally.doubt(|| unanswered(session, read));
        } else if read.presence == Presence::Absent {
            judge_absent(session, index, read, due, tally);
        } else {
            judge_present(session, index, read, due, tally);
        }
    }
    if finals == 0 {
        let perhaps_gone = session.lifetime().perhaps_destroyed_until();
        if answers.iter().any(|answer| answer.write.started > perhaps_gone) {
            tally.doubt(|| format!("session {} has no final read", session.number));
        }
    }
    tally.examine(answers.iter().filter(|answer| answer.judged).count() as u64);
}

fn unanswered(session: &Session<'_>, read: &OpRecord) -> String {
    let (number, at, why) = (session.number, seconds(read.started), read.cause.name());
    format!("the final read of session {number} at {at} was not answered ({why})")
}

/// A session that must exist but is not found has lost everything it must have held at the end.
fn judge_absent(
    session: &Session<'_>,
    index: &Index<'_>,
    read: &OpRecord,
    due: Vec<&mut Answer<'_>>,
    tally: &mut Tally,
) {
    let lifetime = session.lifetime();
    if !matches!(lifetime.existence(read.started, read.ended), Existence::Certain { .. }) {
        return;
    }
    // Nobody knows which put came last, so each may have replaced what came before it or overlaps it. But one of the
    // acknowledged puts must have been the last: assume the one that started last.
    let puts = session.ops().filter(|op| op.kind == OpKind::Put);
    let replaced_until = puts.clone().filter_map(|put| lifetime.may_replace_until(put)).max();
    let unknown = puts.clone().filter(|put| put.outcome == Outcome::Unknown);
    let perhaps_until = unknown.filter_map(|put| lifetime.may_replace_until(put)).max();
    let last = puts.filter(|put| put.certainly_adds()).max_by_key(|put| put.started).map(|put| put.index);
    let made_last = made_last(session, read).map(|create| create.index);
    for answer in due {
        let replaced = if Some(answer.write.index) == last { perhaps_until } else { replaced_until };
        let gone_until = lifetime.may_miss_until(read, &[]).max(replaced.unwrap_or(Nanos::MIN));
        if answer.write.started > gone_until || made_last == Some(answer.write.index) {
            accuse(session, index, answer, read, "and the final read finds no such session", tally);
        }
    }
}

/// The acknowledged create that made the session as it must be at `read`, if no other operation can have created or
/// ended it since. An expiry before this create is no excuse for the loss of what it created.
fn made_last<'h>(session: &Session<'h>, read: &OpRecord) -> Option<&'h OpRecord> {
    let made = |op: &&OpRecord| op.kind == OpKind::Create && op.outcome.acknowledged() && op.ended < read.started;
    let create = session.ops().filter(made).max_by_key(|create| create.started)?;
    let else_since = |op: &OpRecord| {
        op.index != create.index
            && (op.perhaps_creates() || op.perhaps_destroys())
            && op.latest_effect() >= create.started
            && op.started <= read.ended
    };
    (!session.ops().any(else_since)).then_some(create)
}

fn judge_present(
    session: &Session<'_>,
    index: &Index<'_>,
    read: &OpRecord,
    due: Vec<&mut Answer<'_>>,
    tally: &mut Tally,
) {
    let tokens = session.tokens(read);
    let mut sorted: Vec<Token> = tokens.to_vec();
    sorted.sort_unstable();
    let may_miss_until = OnceCell::new();
    for answer in due {
        let owed =
            || answer.write.started > *may_miss_until.get_or_init(|| session.lifetime().may_miss_until(read, tokens));
        if answer.write.kind == OpKind::Create {
            // Its own token is not promised, only the existence of the session.
            answer.judged |= owed();
        } else if sorted.binary_search(&answer.write.token()).is_ok() {
            answer.judged = true;
        } else if owed() {
            accuse(session, index, answer, read, "and is missing from the final read", tally);
        }
    }
}

/// Counts a write as lost, once, however many final reads miss it.
fn accuse(
    session: &Session<'_>,
    index: &Index<'_>,
    answer: &mut Answer<'_>,
    read: &OpRecord,
    how: &str,
    tally: &mut Tally,
) {
    answer.judged = true;
    if !std::mem::replace(&mut answer.lost, true) {
        let write = answer.write;
        tally.violation(Some(session.number), write.ended, &[write.index, read.index], || {
            let (index, outcome, at) = (write.index, write.outcome.name(), seconds(write.ended));
            let (number, kind, seen) = (session.number, write.kind.name(), seconds(read.started));
            format!(
                "session {number}: {kind} {index} was acknowledged ({outcome}) at {at} {how} ({} at {seen})",
                read.index
            )
        });
        tally.because(index.causes.of_loss(write, first_missed(session, write, read)), write);
    }
}

/// When `write`, which the final read misses, was first missed: by the next read already, or not before the final one. What
/// came later cannot have taken it.
fn first_missed(session: &Session<'_>, write: &OpRecord, last: &OpRecord) -> Nanos {
    let after = |op: &&OpRecord| op.is_answered_read() && op.started > write.ended;
    match session.ops().filter(after).min_by_key(|read| read.started) {
        // That a create's token is there is not promised.
        Some(next) if write.kind != OpKind::Create && !session.tokens(next).contains(&write.token()) => {
            next.ended.min(last.started)
        }
        _ => last.started,
    }
}

#[cfg(test)]
mod tests;

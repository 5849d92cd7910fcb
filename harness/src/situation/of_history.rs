//! Situations that no single session shows.

use firedrill_storage::Event;
use hashbrown::HashMap;

use super::times::Times;
use crate::clock::Nanos;
use crate::history::{History, LIST_LIMIT, Note, OpKind, OpRecord, SessionNo, Step};

/// What is known of a session by the operations looked at so far.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// From when on it was certainly there.
    since: Nanos,
    /// Its lifetime was certainly extended at this moment or later.
    extended: Nanos,
    /// Whether it may have been destroyed.
    destroyed: bool,
}

/// Listings as long as they may be, of users who certainly had more sessions when they asked, and until they were answered
/// unless one was destroyed meanwhile.
pub(super) fn listings_over_the_limit(history: &History, times: &Times) -> u64 {
    let ops = &history.ops.ops;
    let is_full = |op: &OpRecord| {
        op.kind == OpKind::List
            && op.step == Step::Load
            && op.outcome.acknowledged()
            && op.tokens_len as usize >= LIST_LIMIT
    };
    if !ops.iter().any(is_full) {
        return 0;
    }
    let mut users: HashMap<u32, HashMap<SessionNo, Known>> = HashMap::new();
    let mut found = 0;
    for op in ops {
        let theirs = users.entry(history.header.user_of(op.session)).or_default();
        if is_full(op) {
            let lives = |known: &&Known| {
                known.since <= op.started && !known.destroyed && times.expiry.earliest(known.extended) > op.ended
            };
            // As many as decide are looked at.
            found += u64::from(theirs.values().filter(lives).take(LIST_LIMIT + 1).count() > LIST_LIMIT);
        } else if op.perhaps_destroys() {
            theirs.entry(op.session).and_modify(|known| known.destroyed = true);
        } else if op.proves_session() {
            let known =
                theirs.entry(op.session).or_insert(Known { since: op.ended, extended: op.started, destroyed: false });
            known.since = known.since.min(op.ended);
            if op.certainly_extends(times.sliding) {
                known.extended = known.extended.max(op.started);
            }
        }
    }
    found
}

/// Faults that took hold while the fallback was still active after another fault had ended.
pub(super) fn faults_before_the_fallback_ended(history: &History, times: &Times) -> u64 {
    let (mut over, mut found): (Option<Nanos>, u64) = (None, 0);
    for note in &history.notes {
        match note {
            Note::FaultOff { at, .. } => over = Some(*at),
            Note::FaultOn { at, .. } => {
                let active = times.activation(*at);
                found += u64::from(active.zip(over).is_some_and(|((from, _), over)| from < over && over <= *at));
            }
            _ => {}
        }
    }
    found
}

/// Drains in which Redis failed again.
pub(super) fn drains_interrupted(history: &History, _: &Times) -> u64 {
    let interrupted = |note: &&Note| matches!(note, Note::Store { event: Event::DrainInterrupted, .. });
    history.notes.iter().filter(interrupted).count() as u64
}

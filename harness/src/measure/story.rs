//! What the fallback, the circuit breaker and the store beside them did, from the notes of a history; and the reads whose users
//! were told that their session is gone.

use std::collections::HashSet;

use firedrill_reports::run::{Activation, BreakerOutage, Deploy, Drained, Fallback, Missing, StoreStory};

use super::ms;
use crate::history::{History, Note, OpKind, OpRecord, Outcome, Presence, Step};

/// What a fallback and a store beside it did in a drill.
pub fn told(history: &History) -> (Fallback, StoreStory) {
    let mut fallback = Fallback::default();
    let mut story = StoreStory { missing: missing(history), ..StoreStory::default() };
    for note in &history.notes {
        match note {
            Note::FallbackStarted { at, cause } => fallback.activations.push(Activation {
                started_ms: ms(*at),
                ended_ms: None,
                cause: cause.clone(),
                served: 0,
            }),
            Note::FallbackEnded { at, served } => {
                if let Some(open) = fallback.activations.last_mut() {
                    open.ended_ms = Some(ms(*at));
                    open.served = *served;
                }
            }
            Note::Drained { written, deleted, merged, lost, .. } => {
                add(&mut fallback.drained, [*written, *deleted, *merged, *lost]);
            }
            Note::SessionsLost { sessions, .. } => fallback.sessions_lost += sessions,
            Note::Deployed { at, from, to } => {
                story.deploys.push(Deploy { at_ms: ms(*at), from: from.clone(), to: to.clone() });
            }
            Note::CarriedOver { written, deleted, merged, lost, .. } => {
                add(&mut story.carried_over, [*written, *deleted, *merged, *lost]);
            }
            // Sums since the store was built: the last one tells.
            Note::Evicted { lost, .. } => story.evicted = story.evicted.max(*lost),
            Note::WritesDropped { writes, .. } => story.dropped += writes,
            Note::BreakerOpened { at, .. } => match story.breaker.last_mut().filter(|last| last.closed_ms.is_none()) {
                Some(open) => {
                    // It opened again because its probe failed.
                    open.opens += 1;
                    open.probes += 1;
                }
                None => story.breaker.push(BreakerOutage { opened_ms: ms(*at), opens: 1, ..BreakerOutage::default() }),
            },
            Note::BreakerClosed { at, probes } => {
                if let Some(open) = story.breaker.last_mut() {
                    open.closed_ms = Some(ms(*at));
                    open.probes = *probes;
                }
            }
            _ => {}
        }
    }
    // The store says what a fallback served when it ends; of one that never did, the operations tell.
    if let Some(open) = fallback.activations.last_mut().filter(|activation| activation.ended_ms.is_none()) {
        let served = |op: &&OpRecord| op.outcome == Outcome::Degraded && ms(op.ended) >= open.started_ms;
        open.served = history.ops.ops.iter().filter(served).count() as u64;
    }
    (fallback, story)
}

fn add(sum: &mut Drained, [written, deleted, merged, lost]: [u64; 4]) {
    sum.written += written;
    sum.deleted += deleted;
    sum.merged += merged;
    sum.lost += lost;
}

/// Reads of the load that found nothing, of sessions that nobody ever destroyed.
fn missing(history: &History) -> Missing {
    let ops = &history.ops.ops;
    let destroyed: HashSet<_> = ops.iter().filter(|op| op.kind == OpKind::Destroy).map(|op| op.session).collect();
    let made: HashSet<_> = ops
        .iter()
        .filter(|op| matches!(op.kind, OpKind::Create | OpKind::Put) && op.outcome == Outcome::Ok)
        .map(|op| op.session)
        .collect();
    let lost = ops.iter().filter(|op| {
        op.step == Step::Load
            && op.kind == OpKind::Read
            && op.outcome.acknowledged()
            && op.presence == Presence::Absent
            && made.contains(&op.session)
            && !destroyed.contains(&op.session)
    });
    let mut missing = Missing::default();
    let mut sessions = HashSet::new();
    for op in lost {
        missing.reads += 1;
        sessions.insert(op.session);
        let (from, to) = (ms(op.started), ms(op.ended));
        missing.from_ms = Some(missing.from_ms.map_or(from, |known: f64| known.min(from)));
        missing.to_ms = Some(missing.to_ms.map_or(to, |known: f64| known.max(to)));
    }
    missing.sessions = sessions.len() as u64;
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Nanos;
    use crate::history::{FORMAT_VERSION, Header, OpBatch};
    use crate::measure::tests::op;

    const S: Nanos = 1_000_000_000;

    #[test]
    fn a_fallback_that_never_ended_has_served_what_was_acknowledged_since_it_began() {
        let degraded = |at| op(at, Outcome::Degraded);
        let header = Header {
            version: FORMAT_VERSION,
            scenario: "x".to_owned(),
            seed: 1,
            ttl_ns: S,
            ttl_slack_ns: 0,
            sliding: true,
            sessions_per_user: std::num::NonZeroU32::MIN,
            epoch_ms: 0,
        };
        let started = |at| Note::FallbackStarted { at, cause: "timeout".to_owned() };
        let history = History {
            header,
            ops: OpBatch {
                ops: vec![degraded(2 * S), op(3 * S, Outcome::Ok), degraded(5 * S), degraded(6 * S)],
                ..OpBatch::default()
            },
            notes: vec![started(S), Note::FallbackEnded { at: 3 * S, served: 1 }, started(4 * S)],
        };
        let served: Vec<u64> = told(&history).0.activations.iter().map(|activation| activation.served).collect();
        assert_eq!(served, [1, 2]);
    }
}

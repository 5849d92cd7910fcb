//! What the store did beside its fallback, from the notes of a history; and the reads whose users were told that their
//! session is gone.

use std::collections::HashSet;

use firedrill_reports::run::{BreakerOutage, Deploy, Drained, Missing, StoreStory};

use super::ms;
use crate::history::{History, Note, OpKind, Outcome, Presence, Step};

/// The story of the store in a drill.
pub fn story(history: &History) -> StoreStory {
    let mut story = StoreStory { missing: missing(history), ..StoreStory::default() };
    for note in &history.notes {
        match note {
            Note::Deployed { at, from, to } => {
                story.deploys.push(Deploy { at_ms: ms(*at), from: from.clone(), to: to.clone() });
            }
            Note::CarriedOver { written, deleted, merged, lost, .. } => {
                let sum = story.carried_over;
                story.carried_over = Drained {
                    written: sum.written + written,
                    deleted: sum.deleted + deleted,
                    merged: sum.merged + merged,
                    lost: sum.lost + lost,
                };
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
    story
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

//! Counts situations: the operations in one pass, the sessions shared out among threads.

use super::of_session::Session;
use super::times::Times;
use super::{Situation, Source};
use crate::check::Groups;
use crate::history::{History, OpKind};
use crate::measure::{Load, LoadOp};

type OfOperation = fn(&LoadOp, &Times) -> bool;
type OfSession = fn(&Session<'_>, &Times, Option<OpKind>) -> u64;

/// How often each of `situations` happened in `history`, whose load is `load`.
pub fn count(situations: &[Situation], history: &History, load: &Load<'_>) -> Vec<u64> {
    let mut found = vec![0; situations.len()];
    let (mut of_operations, mut of_sessions) = (Vec::new(), Vec::new());
    let times = Times::of(history);
    for (at, situation) in situations.iter().enumerate() {
        match situation.row.source {
            Source::Operations(holds) => of_operations.push((at, situation.kind, holds)),
            Source::Sessions(count) => of_sessions.push((at, situation.kind, count)),
            Source::History(count) => found[at] = count(history, &times),
        }
    }
    operations(&of_operations, load, &times, &mut found);
    sessions(&of_sessions, history, &times, &mut found);
    found
}

fn operations(wanted: &[(usize, Option<OpKind>, OfOperation)], load: &Load<'_>, times: &Times, found: &mut [u64]) {
    if wanted.is_empty() {
        return;
    }
    for op in load.ops() {
        for (at, kind, holds) in wanted {
            found[*at] += u64::from(kind.is_none_or(|kind| kind == op.kind) && holds(&op, times));
        }
    }
}

fn sessions(wanted: &[(usize, Option<OpKind>, OfSession)], history: &History, times: &Times, found: &mut [u64]) {
    if wanted.is_empty() {
        return;
    }
    let all = &history.ops.ops;
    let groups = Groups::of(all, history.header.sessions_per_user);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    // Sessions of neighbouring numbers have about as many operations: each thread takes every so many.
    let share = |first: usize| {
        let mut counted = vec![0; wanted.len()];
        for place in (first..groups.len()).step_by(threads) {
            let session = Session { all, positions: groups.positions(place) };
            for (sum, (_, kind, count)) in counted.iter_mut().zip(wanted) {
                *sum += count(&session, times, *kind);
            }
        }
        counted
    };
    let counted: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let share = &share;
        let others: Vec<_> = (1..threads).map(|first| scope.spawn(move || share(first))).collect();
        let own = share(0);
        let join = |thread: std::thread::ScopedJoinHandle<'_, Vec<u64>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        std::iter::once(own).chain(others.into_iter().map(join)).collect()
    });
    for share in counted {
        for ((at, ..), sum) in wanted.iter().zip(share) {
            found[*at] += sum;
        }
    }
}

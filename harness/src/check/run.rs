//! Shows every session of a history to every checker, on all cores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::index::Index;
use super::tally::Tally;
use super::{Budget, Finding, SessionChecker};
use crate::history::History;

/// How many sessions a thread takes at a time.
const BATCH: usize = 32;

/// Runs all `checkers` on `history`. Stops soon after `budget.time` with what is known by then. If a checker panics,
/// its verdict is unknown, with the panic's message.
pub fn check_all(
    history: &History,
    checkers: &[&'static dyn SessionChecker],
    budget: &Budget,
) -> Vec<(&'static str, Finding)> {
    let began = Instant::now();
    let index = Index::of(history);
    let mut tallies = new_tallies(checkers, budget);
    tally_history(&index, checkers, &mut tallies);
    let of_sessions = tally_sessions(&index, checkers, budget, began);
    tallies.iter_mut().zip(of_sessions).for_each(|(tally, of_sessions)| tally.merge(of_sessions));
    checkers.iter().zip(tallies).map(|(checker, tally)| (checker.facts().name, tally.finding())).collect()
}

/// Judges what does not belong to a single session.
pub(super) fn tally_history(index: &Index<'_>, checkers: &[&'static dyn SessionChecker], tallies: &mut [Tally]) {
    for (checker, tally) in checkers.iter().zip(tallies) {
        guarded(tally, |tally| checker.history(index, tally));
    }
}

/// Judges all sessions, until `budget.time` after `began`. The tallies are in the order of `checkers`.
pub(super) fn tally_sessions(
    index: &Index<'_>,
    checkers: &[&'static dyn SessionChecker],
    budget: &Budget,
    began: Instant,
) -> Vec<Tally> {
    let mut tallies = new_tallies(checkers, budget);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut tallies = new_tallies(checkers, budget);
        take_sessions(index, checkers, &next, &mut tallies, || began.elapsed() < budget.time);
        tallies
    };
    let threads = match budget.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let threads = threads.min(index.sessions().div_ceil(BATCH)).max(1);
    let of_threads: Vec<Vec<Tally>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        // A checker's panic is caught where it happens.
        std::iter::once(own).chain(others.into_iter().filter_map(|thread| thread.join().ok())).collect()
    });
    for counted in of_threads {
        tallies.iter_mut().zip(counted).for_each(|(tally, counted)| tally.merge(counted));
    }
    tallies
}

/// Empty tallies for `checkers`, in their order.
pub(super) fn new_tallies(checkers: &[&'static dyn SessionChecker], budget: &Budget) -> Vec<Tally> {
    checkers.iter().map(|checker| Tally::new(checker.facts().words, budget)).collect()
}

/// Takes sessions until none are left or the time is up.
fn take_sessions(
    index: &Index<'_>,
    checkers: &[&'static dyn SessionChecker],
    next: &AtomicUsize,
    tallies: &mut [Tally],
    in_time: impl Fn() -> bool,
) {
    loop {
        let from = next.fetch_add(BATCH, Ordering::Relaxed);
        for place in from..(from + BATCH).min(index.sessions()) {
            if !in_time() {
                tallies.iter_mut().for_each(Tally::run_out_of_time);
                return;
            }
            let session = index.session(place);
            session.fetch();
            for (checker, tally) in checkers.iter().zip(&mut *tallies) {
                if !tally.failed() {
                    tally.turn_to(session.number);
                    guarded(tally, |tally| checker.session(&session, index, tally));
                }
            }
        }
        if from + BATCH >= index.sessions() {
            return;
        }
    }
}

/// Runs a checker. A panic is recorded and ends only this checker.
fn guarded(tally: &mut Tally, judge: impl FnOnce(&mut Tally)) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| judge(tally))) {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        tally.fail(said.to_owned());
    }
}

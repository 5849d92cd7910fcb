//! The drills of an invocation as they are known so far. Observers fill it; the pages and metrics read it.

use std::sync::Arc;

use parking_lot::Mutex;

use super::shown::{Ended, Shown};
use crate::drill::{Happening, Observer};
use crate::plan::Plan;

/// The drills of an invocation, in the order of the command line.
pub struct Board(Mutex<Vec<Shown>>);

impl Board {
    /// A board of drills that wait for their turn.
    pub fn of<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(plans.into_iter().map(Shown::waiting).collect())))
    }

    /// An observer for the drill with this number.
    pub fn observer(self: &Arc<Self>, number: usize) -> Arc<dyn Observer> {
        Arc::new(Scribe { board: self.clone(), number })
    }

    /// Notes that the drill with this number could not run, or did not start.
    pub fn not_run(&self, number: usize, reason: &str) {
        self.change(number, |shown| {
            shown.ended.get_or_insert_with(|| Ended::not_run(reason));
        });
    }

    /// Looks at the drills.
    pub fn read<T>(&self, look: impl FnOnce(&[Shown]) -> T) -> T {
        look(&self.0.lock())
    }

    fn change(&self, number: usize, change: impl FnOnce(&mut Shown)) {
        if let Some(shown) = self.0.lock().get_mut(number) {
            change(shown);
        }
    }
}

/// Keeps one drill of the board up to date.
struct Scribe {
    board: Arc<Board>,
    number: usize,
}

impl Observer for Scribe {
    fn see(&self, happening: &Happening<'_>) {
        self.board.change(self.number, |shown| shown.see(happening));
    }
}

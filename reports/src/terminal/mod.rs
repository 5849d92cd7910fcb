//! A run on the terminal: what people read when the drill is over, and one table for several drills. Pure text: the
//! caller says how wide the terminal is and whether colours are allowed, and prints.

mod capacity;
mod compare;
mod drill;
mod paint;
mod runs;
mod summary;

pub use capacity::capacity;
pub use compare::{comparison, comparison_in_short, comparison_line};
pub use drill::{drill, verdict};
pub use runs::runs;
pub use summary::summary;

use crate::describe;
use crate::run::Run;

/// How to render for a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to use colours: only on a terminal, and never if `NO_COLOR` is set.
    pub colour: bool,
    /// The most columns to use; values below 40 count as 40.
    pub width: u16,
}

impl Style {
    /// The width actually used.
    fn columns(self) -> u16 {
        self.width.max(40)
    }
}

/// The flags of `firedrill history` that show what is behind the first offence that counts; `None` if there is none.
pub fn history_flags(run: &Run) -> Option<String> {
    let accused = run.checks.iter().filter(|check| check.counts).flat_map(|check| &check.samples);
    accused.filter_map(describe::history_flags).next()
}

//! A run on the terminal: what a person reads when the drill is over, and one table over several drills. Pure text: the
//! caller says how wide the terminal is and whether it may be coloured, and prints.

mod drill;
mod paint;
mod summary;

pub use drill::drill;
pub use summary::summary;

/// How to render for a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour: only on a terminal, and never when `NO_COLOR` is set.
    pub colour: bool,
    /// Columns to fill at most; below 40 it is taken as 40.
    pub width: u16,
}

impl Style {
    /// The width that is really used.
    fn columns(self) -> u16 {
        self.width.max(40)
    }
}

//! How a history file ends.

/// How a history ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// The history was finished, and everything is there.
    Complete,
    /// It ends after a whole frame but was not finished: the drill died between two batches.
    Unfinished,
    /// It ends within a frame, which was left out: the drill died while writing.
    Cut {
        /// Where the torn frame starts.
        at: u64,
        /// The number of bytes left out.
        bytes: u64,
    },
}

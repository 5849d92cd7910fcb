//! How the file of a history ends.

/// How a history ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// It was finished: everything is there.
    Complete,
    /// It stops after a whole frame without having been finished: the drill died between two batches.
    Unfinished,
    /// It stops within a frame, which was left out: the drill died while it wrote.
    Cut {
        /// Where the torn frame begins.
        at: u64,
        /// How many bytes were left out.
        bytes: u64,
    },
}

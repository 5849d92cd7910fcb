//! Errors of a history file.

use std::path::PathBuf;

/// Why a history could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The file system returned an error.
    #[error("cannot {action} the history {}: {source}", path.display())]
    Io {
        /// The attempted action: "create", "write", "read".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file does not start like a history.
    #[error("{} is not a Firedrill history", path.display())]
    NotAHistory {
        /// The file.
        path: PathBuf,
    },
    /// The file ends before its header is complete: the drill died at its start, and there is nothing to judge.
    #[error("the history {} ends before its header is complete: the drill died at its start; run it again", path.display())]
    NoHeader {
        /// The file.
        path: PathBuf,
    },
    /// A later version of Firedrill wrote the file.
    #[error(
        "the history {} has format version {found}, this firedrill reads up to {known}: use a newer firedrill",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest supported version.
        known: u32,
    },
    /// The file is damaged before its end: more is missing than a crash can cut off.
    #[error("the history {} is damaged at byte {offset}: {reason}; it cannot be judged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged frame starts.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Too many operations or read tokens for this program: more than four thousand million.
    #[error("the history {} holds more than 4,294,967,295 operations or read tokens: judge a shorter drill", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Not enough memory to load the file.
    #[error(
        "the history {} needs about {} MB of memory and {} MB are available: judge it by parts with `firedrill check {}`",
        path.display(), needed.div_ceil(1_000_000), room / 1_000_000, path.display()
    )]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// Memory needed for the whole history, in bytes.
        needed: u64,
        /// Available memory, in bytes.
        room: u64,
    },
}

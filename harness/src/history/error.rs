//! Errors of a history's file.

use std::path::PathBuf;

/// Why a history could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The file system said no.
    #[error("cannot {action} the history {}: {source}", path.display())]
    Io {
        /// What was tried: "create", "write", "read".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file does not begin as a history does.
    #[error("{} is not a Firedrill history", path.display())]
    NotAHistory {
        /// The file.
        path: PathBuf,
    },
    /// The file ends before its header is complete: the drill died while it began, and there is nothing to judge.
    #[error("the history {} ends before its header is complete: the drill died at its start; run it again", path.display())]
    NoHeader {
        /// The file.
        path: PathBuf,
    },
    /// Written by a later version of Firedrill.
    #[error(
        "the history {} has format version {found}, this firedrill reads up to {known}: use a newer firedrill",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version it has.
        found: u32,
        /// The newest version that can be read.
        known: u32,
    },
    /// Damaged before its end: what is missing is not only what a crash cuts off.
    #[error("the history {} is damaged at byte {offset}: {reason}; it cannot be judged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged frame begins.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// More than this program can hold: over four thousand million operations, or tokens in reads.
    #[error("the history {} holds more than 4,294,967,295 operations or read tokens: judge a shorter drill", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// There is not enough memory for it.
    #[error(
        "the history {} needs about {} MB of memory and {} MB are available: judge it by parts with `firedrill check {}`",
        path.display(), needed.div_ceil(1_000_000), room / 1_000_000, path.display()
    )]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// What all of it takes, in bytes.
        needed: u64,
        /// What there is, in bytes.
        room: u64,
    },
}

//! What the commands for saved histories share.

use std::path::{Path, PathBuf};

use super::exit::Failure;
use crate::history::{HistoryError, Tail};
use firedrill_reports::text;

/// The history file; `named` may also be the folder of a run.
pub fn file_of(named: &Path) -> PathBuf {
    if named.is_dir() { named.join(crate::history::FILE_NAME) } else { named.to_owned() }
}

/// The failure for an unreadable history.
pub fn read(error: HistoryError) -> Failure {
    Failure::File(error.to_string())
}

/// The failure of writing to stdout.
pub fn unwritable(error: std::io::Error) -> Failure {
    Failure::File(format!("cannot write to stdout: {error}"))
}

/// Whether a history is complete, in words.
pub fn completeness(tail: Tail) -> String {
    match tail {
        Tail::Complete => "complete".to_owned(),
        Tail::Unfinished => "not complete: the drill died before it ended".to_owned(),
        Tail::Cut { bytes, .. } => {
            format!("not complete: the drill died, and {} at the end are torn", text::counted(bytes, "byte"))
        }
    }
}

//! What the commands for saved histories share.

use std::path::{Path, PathBuf};

use super::exit::Failure;
use crate::history::HistoryError;

/// The history file; `named` may also be the folder of a run.
pub fn file_of(named: &Path) -> PathBuf {
    if named.is_dir() { named.join(crate::history::FILE_NAME) } else { named.to_owned() }
}

/// The failure for an unreadable history.
pub fn read(error: HistoryError) -> Failure {
    Failure::File(error.to_string())
}

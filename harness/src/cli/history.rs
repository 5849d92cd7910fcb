//! What the commands on saved histories share.

use std::path::{Path, PathBuf};

use super::exit::Failure;
use crate::history::HistoryError;

/// The history's file, where the folder of a run is named too.
pub fn file_of(named: &Path) -> PathBuf {
    if named.is_dir() { named.join(crate::history::FILE_NAME) } else { named.to_owned() }
}

/// A history that cannot be read.
pub fn read(error: HistoryError) -> Failure {
    Failure::File(error.to_string())
}

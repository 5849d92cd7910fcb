//! Where journals are kept: `journals/` in the state folder, which is `FIREDRILL_STATE`, else
//! `$XDG_STATE_HOME/firedrill`, else `~/.local/state/firedrill` (XDG Base Directory Specification 0.8). Only their
//! owner may read them.

use std::ffi::OsString;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::lab::error::{LabError, Missing};

/// Overrides the state folder.
pub const STATE_VARIABLE: &str = "FIREDRILL_STATE";

/// The file extension of journals.
pub const ENDING: &str = "journal";

/// The folder of the journals; it may not exist yet.
///
/// # Errors
/// [`Missing::NoStateFolder`] if neither a variable nor a home directory names one.
pub fn folder() -> Result<PathBuf, LabError> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    state_folder(set(STATE_VARIABLE), set("XDG_STATE_HOME"), set("HOME"))
        .map(|state| state.join("journals"))
        .ok_or(LabError::Missing(Missing::NoStateFolder))
}

fn state_folder(named: Option<OsString>, xdg: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let named = named.map(PathBuf::from);
    // The specification says to ignore relative paths.
    let xdg = xdg.map(PathBuf::from).filter(|path| path.is_absolute()).map(|path| path.join("firedrill"));
    named.or(xdg).or_else(|| home.map(|home| Path::new(&home).join(".local/state/firedrill")))
}

/// Creates `folder`, accessible to this user alone.
pub(super) fn make(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The journals in `folder`, sorted by name; empty if the folder does not exist.
///
/// # Errors
/// The system's error on reading the folder.
pub fn journals(folder: &Path) -> Result<Vec<PathBuf>, LabError> {
    let failed = |error| LabError::system(format!("reading {}", folder.display()), error);
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(failed))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == ENDING))
        .collect();
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_of_the_state_folder_wins() {
        let some = |text: &str| Some(OsString::from(text));
        assert_eq!(state_folder(some("/a"), some("/b"), some("/c")), Some("/a".into()));
        assert_eq!(state_folder(None, some("/b"), some("/c")), Some("/b/firedrill".into()));
        assert_eq!(state_folder(None, some("relative"), some("/c")), Some("/c/.local/state/firedrill".into()));
        assert_eq!(state_folder(None, None, None), None);
    }

    #[test]
    fn only_journals_are_found_and_a_missing_folder_holds_none() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["2.journal", "1.journal", "notes.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<PathBuf> = journals(folder.path()).unwrap();
        assert_eq!(names, [folder.path().join("1.journal"), folder.path().join("2.journal")]);
        assert_eq!(journals(&folder.path().join("none")).unwrap(), Vec::<PathBuf>::new());
    }
}

//! `capacity.json` on disk.

use std::io;
use std::path::{Path, PathBuf};

use super::{Capacity, FORMAT_VERSION};
use crate::run::write_whole;

/// The name of the record.
pub const CAPACITY_FILE: &str = "capacity.json";
/// The name of the steps as comma-separated values.
pub const STEPS_FILE: &str = "steps.csv";
/// The name of the page.
pub const CAPACITY_PAGE: &str = "capacity.html";

/// Why a record could not be saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CapacityError {
    /// The file system refuses.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// The attempted action.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not a record.
    #[error("{} is not a record of `firedrill capacity`: {reason}", path.display())]
    NotACapacity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with line and column.
        reason: String,
    },
    /// A newer Firedrill wrote it.
    #[error(
        "{} has format version {found}, this Firedrill reads up to {FORMAT_VERSION}: use the Firedrill that wrote it, or a newer one",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: u64,
    },
}

impl Capacity {
    /// Writes it to [`CAPACITY_FILE`] and its steps to [`STEPS_FILE`], in `dir`.
    ///
    /// # Errors
    /// [`CapacityError::Io`].
    pub fn save(&self, dir: &Path) -> Result<(), CapacityError> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| failed("write", &dir.join(CAPACITY_FILE), io::Error::other(error)))?;
        let files = [(CAPACITY_FILE, format!("{text}\n")), (STEPS_FILE, super::steps_csv(self))];
        for (name, text) in files {
            let path = dir.join(name);
            write_whole(&path, text.as_bytes()).map_err(|source| failed("write", &path, source))?;
        }
        Ok(())
    }

    /// Reads a record: the file, or the folder that holds it.
    ///
    /// # Errors
    /// [`CapacityError`] with the reason.
    pub fn load(path: &Path) -> Result<Self, CapacityError> {
        let path = if path.is_dir() { path.join(CAPACITY_FILE) } else { path.to_owned() };
        let text = std::fs::read_to_string(&path).map_err(|source| failed("read", &path, source))?;
        let not = |reason: String| CapacityError::NotACapacity { path: path.clone(), reason };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| not(error.to_string()))?;
        let version = value.get("format_version").and_then(serde_json::Value::as_u64);
        match version {
            Some(found) if found > u64::from(FORMAT_VERSION) => Err(CapacityError::Newer { path: path.clone(), found }),
            // From the text, so that the error names line and column.
            Some(_) => serde_json::from_str(&text).map_err(|error| not(error.to_string())),
            None => Err(not("it has no format_version".to_owned())),
        }
    }
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> CapacityError {
    CapacityError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::super::Knee;
    use super::super::testing::{at, capacity};
    use super::*;

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        for knee in [at(90.1, 95.2, 101.3), Knee::AtLeast { rate: 9.0 }, Knee::Unknown { why: "stopped".to_owned() }] {
            let record = capacity(knee);
            record.save(dir.path()).unwrap();
            assert_eq!(Capacity::load(dir.path()).unwrap(), record);
            assert_eq!(Capacity::load(&dir.path().join(CAPACITY_FILE)).unwrap(), record);
        }
    }

    #[test]
    fn what_is_no_record_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        let refused = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Capacity::load(&path).unwrap_err().to_string()
        };
        assert!(refused("{\"format_version\": 99}").contains("format version 99"));
        assert!(refused("{}").contains("no format_version"));
        assert!(refused("{\"format_version\": 1}").contains("missing field"));
        assert!(refused("nonsense").contains("line 1"));
    }
}

//! `run.json` on disk. It is written completely or not at all, and an unreadable file is rejected with the reason.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{FORMAT_VERSION, Run};

/// The file name of the record in a run's folder.
pub const RUN_FILE: &str = "run.json";
/// The report's file name in the folder of a run.
pub const REPORT_FILE: &str = "report.html";

/// The history's file name in the folder of a run.
pub const HISTORY_FILE: &str = "history.fdh";

/// Why a run could not be saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// There is no such file.
    #[error("no run at {}: give a run's folder or its {RUN_FILE}", path.display())]
    NotFound {
        /// Where it was expected.
        path: PathBuf,
    },
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
    /// The file is not a run's record.
    #[error("{} is not the record of a Firedrill run: {reason}", path.display())]
    NotARun {
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
        found: u32,
    },
    /// A number in the run to be saved is infinite or NaN, which JSON cannot represent.
    #[error("cannot save the run: {field} is not a finite number")]
    NotFinite {
        /// The field, such as `phases[0].rate`.
        field: String,
    },
}

impl Run {
    /// Writes the run to `run.json` in `dir`, which is created if missing, and returns the file's path. A reader sees
    /// the old file or the new one, never a part.
    ///
    /// # Errors
    /// [`RunError::NotFinite`] if JSON cannot represent a number, [`RunError::Io`] if the file system refuses.
    pub fn save(&self, dir: &Path) -> Result<PathBuf, RunError> {
        let path = dir.join(RUN_FILE);
        let not_json = |error: serde_json::Error| RunError::NotARun { path: path.clone(), reason: error.to_string() };
        if let Some(field) = first_null(&serde_json::to_value(self).map_err(not_json)?) {
            return Err(RunError::NotFinite { field });
        }
        let mut json = serde_json::to_string_pretty(self).map_err(not_json)?;
        json.push('\n');

        let io = |doing, path: &Path| {
            let path = path.to_path_buf();
            move |source| RunError::Io { doing, path, source }
        };
        fs::create_dir_all(dir).map_err(io("create the folder", dir))?;
        write_whole(&path, json.as_bytes()).map_err(io("write", &path))?;
        Ok(path)
    }

    /// Reads a run from its folder or from its `run.json`.
    ///
    /// # Errors
    /// [`RunError::NotFound`], [`RunError::Io`], [`RunError::NotARun`] or [`RunError::Newer`].
    pub fn load(path: &Path) -> Result<Run, RunError> {
        let path = if path.is_dir() { path.join(RUN_FILE) } else { path.to_path_buf() };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(RunError::NotFound { path }),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(RunError::NotARun { path, reason: "it is not text".to_string() });
            }
            Err(source) => return Err(RunError::Io { doing: "read", path, source }),
        };

        Self::parse(&text, path)
    }

    /// Reads a run from the `text` of the file at `path`.
    pub(crate) fn parse(text: &str, path: PathBuf) -> Result<Run, RunError> {
        /// The one field that every version has.
        #[derive(Deserialize)]
        struct Versioned {
            format_version: u32,
        }
        let not_a_run = |error: serde_json::Error| RunError::NotARun { path: path.clone(), reason: error.to_string() };
        let Versioned { format_version: found } = serde_json::from_str(text).map_err(not_a_run)?;
        if found > FORMAT_VERSION {
            return Err(RunError::Newer { path, found });
        }
        serde_json::from_str(text).map_err(not_a_run)
    }
}

/// Writes `bytes` to `path` and waits until they are on the disk.
///
/// # Errors
/// [`io::Error`] if the file system refuses.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Writes `bytes` to `path`, completely or not at all: a reader sees the old file or the new one, also after a power cut.
///
/// # Errors
/// [`io::Error`] if the file system refuses, or if the path has no file name.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let part = path.with_file_name(format!(".{}.part", name.to_string_lossy()));
    write_synced(&part, bytes)?;
    fs::rename(&part, path)
}

/// The path of the first null. Absent values are left out of the record, so a null can only come from a non-finite
/// number.
fn first_null(value: &Value) -> Option<String> {
    fn find(value: &Value, path: &mut String) -> bool {
        let whole = path.len();
        match value {
            Value::Null => return true,
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push_str(&format!("[{index}]"));
                    if find(item, path) {
                        return true;
                    }
                    path.truncate(whole);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    if whole > 0 {
                        path.push('.');
                    }
                    path.push_str(name);
                    if find(field, path) {
                        return true;
                    }
                    path.truncate(whole);
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        false
    }
    let mut path = String::new();
    find(value, &mut path).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Fault, Figures, Phase, PhaseName, Scenario};

    fn small() -> Run {
        Run { scenario: Scenario { name: "redis-outage".into(), ..Scenario::default() }, seed: 7, ..Run::default() }
    }

    #[test]
    fn a_saved_run_is_loaded_by_its_folder_and_by_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("2026-01-01/redis-outage");
        let saved = small();
        let path = saved.save(&folder).unwrap();
        assert_eq!(path, folder.join("run.json"));
        assert_eq!(Run::load(&folder).unwrap(), saved);
        assert_eq!(Run::load(&path).unwrap(), saved);
    }

    #[test]
    fn saving_again_replaces_the_record_and_leaves_no_other_file() {
        let dir = tempfile::tempdir().unwrap();
        small().save(dir.path()).unwrap();
        let second = Run { seed: 8, ..small() };
        second.save(dir.path()).unwrap();
        assert_eq!(Run::load(dir.path()).unwrap(), second);
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["run.json"]);
    }

    #[test]
    fn a_number_that_json_cannot_hold_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = small();
        let figures = Figures { rate: f64::NAN, ..Figures::default() };
        run.phases.push(Phase { name: PhaseName::Before, figures, operations: Vec::new(), batches: Vec::new() });
        let error = run.save(dir.path()).unwrap_err();
        assert_eq!(error.to_string(), "cannot save the run: phases[0].rate is not a finite number");

        let mut run = small();
        run.faults.push(Fault { onset_ms: Some(f64::INFINITY), ..Fault::default() });
        let error = run.save(dir.path()).unwrap_err();
        assert!(matches!(error, RunError::NotFinite { field } if field == "faults[0].onset_ms"));
        assert!(!dir.path().join("run.json").exists());
    }

    #[test]
    fn a_newer_format_is_refused_even_when_its_fields_differ() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("run.json"), r#"{"format_version": 3, "verdict": "splendid"}"#).unwrap();
        let error = Run::load(dir.path()).unwrap_err();
        assert!(matches!(error, RunError::Newer { found: 3, .. }), "{error}");
        assert!(error.to_string().contains("use the Firedrill that wrote it"), "{error}");
    }

    #[test]
    fn unknown_fields_are_ignored_so_that_fields_can_be_added() {
        let dir = tempfile::tempdir().unwrap();
        let path = small().save(dir.path()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen('{', r#"{"moon_phase": "full","#, 1)).unwrap();
        assert_eq!(Run::load(&path).unwrap(), small());
    }

    #[test]
    fn what_is_not_a_run_is_refused_with_the_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        for (content, says) in [
            (&b"not json"[..], "expected ident at line 1 column 2"),
            (b"[]", "invalid length 0"),
            (br#"{"name": "package"}"#, "missing field `format_version`"),
            (br#"{"format_version": 1}"#, "missing field `firedrill_version`"),
            (b"\xff\xfe", "it is not text"),
        ] {
            fs::write(&path, content).unwrap();
            let error = Run::load(&path).unwrap_err();
            assert!(matches!(error, RunError::NotARun { .. }), "{error}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn a_missing_run_says_what_to_give() {
        let dir = tempfile::tempdir().unwrap();
        let error = Run::load(dir.path()).unwrap_err();
        assert!(matches!(error, RunError::NotFound { .. }));
        assert!(error.to_string().ends_with("give a run's folder or its run.json"), "{error}");
    }
}

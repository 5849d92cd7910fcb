//! Runs on disk as a library of evidence: which there are below a folder, and which of them may go. Symbolic links below the
//! folder are never followed.

mod prune;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::run::{HISTORY_FILE, RUN_FILE, Run, Verdict};
use crate::text;

pub use prune::{Kept, Limits, delete, surplus};

/// What lies below a folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Library {
    /// The runs, newest first; those that do not say when they were come last.
    pub runs: Vec<Entry>,
    /// The folders that should hold a run and cannot be read, by path.
    pub unreadable: Vec<Unreadable>,
    /// How many folders hold neither a run nor folders.
    pub others: u64,
}

/// A run in its folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// The folder.
    pub path: PathBuf,
    /// The scenario's name.
    pub scenario: String,
    /// The drill's verdict.
    pub verdict: Verdict,
    /// The seed.
    pub seed: u64,
    /// When the load started: RFC 3339 in UTC with milliseconds; empty if the record does not say.
    pub started_at: String,
    /// The length of the load, in seconds.
    pub load_seconds: f64,
    /// Why the verdict is not `passed`, the most important reason first.
    pub reasons: Vec<String>,
    /// The Firedrill that ran it.
    pub firedrill_version: String,
}

/// A folder that cannot be read as a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// The folder.
    pub path: PathBuf,
    /// Why not.
    #[serde(rename = "unreadable")]
    pub reason: String,
}

impl Entry {
    fn of(path: &Path, run: Run) -> Self {
        Self {
            path: path.to_owned(),
            scenario: run.scenario.name,
            verdict: run.verdict,
            seed: run.seed,
            started_at: if text::is_rfc3339(&run.started_at) { run.started_at } else { String::new() },
            load_seconds: run.load_seconds,
            reasons: run.reasons,
            firedrill_version: run.firedrill_version,
        }
    }
}

impl Library {
    /// Looks through `folder`, which may itself be the folder of a run.
    ///
    /// # Errors
    /// `folder` is missing or cannot be listed.
    pub fn of(folder: &Path) -> io::Result<Self> {
        fs::read_dir(folder)?;
        let mut library = Self::default();
        library.visit(folder);
        // Times of one format sort like their texts.
        library.runs.sort_by(|a, b| b.started_at.cmp(&a.started_at).then_with(|| a.path.cmp(&b.path)));
        library.unreadable.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(library)
    }

    fn visit(&mut self, folder: &Path) {
        let here = |file: &str| fs::symlink_metadata(folder.join(file));
        match here(RUN_FILE) {
            Ok(found) if found.is_file() => match Run::load(folder) {
                Ok(run) => self.runs.push(Entry::of(folder, run)),
                Err(error) => self.cannot_read(folder, error.to_string()),
            },
            Ok(_) => self.cannot_read(folder, format!("{RUN_FILE} is not a file of its own")),
            Err(_) if here(HISTORY_FILE).is_ok() => {
                let reason = format!(
                    "it has no {RUN_FILE}: the drill runs, or was killed; `firedrill report` shows what it left"
                );
                self.cannot_read(folder, reason);
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => self.cannot_read(folder, error.to_string()),
            Err(_) => self.visit_all(folder),
        }
    }

    fn visit_all(&mut self, folder: &Path) {
        let entries = match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => return self.cannot_read(folder, error.to_string()),
        };
        let mut inner = 0_u64;
        for entry in entries {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    inner += 1;
                    self.visit(&path);
                }
                Ok(kind) if kind.is_symlink() && path.is_dir() => {
                    inner += 1;
                    self.cannot_read(&path, "a symbolic link, which is not followed".to_owned());
                }
                Ok(_) => {}
                Err(error) => self.cannot_read(&path, error.to_string()),
            }
        }
        if inner == 0 {
            self.others += 1;
        }
    }

    fn cannot_read(&mut self, path: &Path, reason: String) {
        self.unreadable.push(Unreadable { path: path.to_owned(), reason });
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::run::Scenario;

    /// Saves a run and returns its folder.
    pub(super) fn saved(root: &Path, folder: &str, started_at: &str) -> PathBuf {
        let run = Run {
            scenario: Scenario { name: "redis-outage".to_owned(), ..Scenario::default() },
            started_at: started_at.to_owned(),
            ..Run::default()
        };
        let path = root.join(folder);
        run.save(&path).unwrap();
        path
    }

    fn paths<'a>(root: &Path, paths: impl Iterator<Item = &'a PathBuf>) -> Vec<String> {
        paths.map(|path| path.strip_prefix(root).unwrap().display().to_string()).collect()
    }

    #[test]
    fn runs_are_found_at_any_depth_the_newest_first() {
        let root = tempfile::tempdir().unwrap();
        saved(root.path(), "a/redis-outage", "2026-11-28T10:00:00.000Z");
        saved(root.path(), "b/c/redis-outage", "2026-11-29T10:00:00.000Z");
        saved(root.path(), "undated", "last Tuesday");
        fs::create_dir_all(root.path().join("empty")).unwrap();
        let library = Library::of(root.path()).unwrap();
        let found = paths(root.path(), library.runs.iter().map(|run| &run.path));
        assert_eq!(found, ["b/c/redis-outage", "a/redis-outage", "undated"]);
        assert_eq!((library.unreadable.len(), library.others), (0, 1));
        assert_eq!(library.runs[2].started_at, "");
        let itself = Library::of(&root.path().join("undated")).unwrap();
        assert_eq!(itself.runs.len(), 1);
        assert!(Library::of(&root.path().join("missing")).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_named_with_the_reason() {
        let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let outside = saved(elsewhere.path(), "outside", "2026-11-28T10:00:00.000Z");
        for (folder, file, content) in
            [("damaged", RUN_FILE, "{}"), ("killed", HISTORY_FILE, ""), ("newer", RUN_FILE, "{\"format_version\": 99}")]
        {
            fs::create_dir(root.path().join(folder)).unwrap();
            fs::write(root.path().join(folder).join(file), content).unwrap();
        }
        symlink(&outside, root.path().join("link")).unwrap();
        fs::create_dir(root.path().join("linked-record")).unwrap();
        symlink(outside.join(RUN_FILE), root.path().join("linked-record").join(RUN_FILE)).unwrap();
        let library = Library::of(root.path()).unwrap();
        assert_eq!(library.runs, []);
        let found = paths(root.path(), library.unreadable.iter().map(|one| &one.path));
        assert_eq!(found, ["damaged", "killed", "link", "linked-record", "newer"]);
        let reasons: Vec<&str> = library.unreadable.iter().map(|one| one.reason.as_str()).collect();
        assert!(reasons[0].contains("missing field `format_version`"), "{reasons:?}");
        assert!(reasons[1].contains("no run.json"), "{reasons:?}");
        assert!(reasons[2].contains("symbolic link"), "{reasons:?}");
        assert!(reasons[3].contains("not a file of its own"), "{reasons:?}");
        assert!(reasons[4].contains("format version 99"), "{reasons:?}");
    }
}

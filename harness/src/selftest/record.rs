//! `selftest.json`: all attempts, saved after each, so that an interrupted self-test goes on where it was.

use std::fs;
use std::path::{Path, PathBuf};

use firedrill_reports::run::write_whole;
use serde::{Deserialize, Serialize};

use super::attempt::{Attempt, Ended};
use super::pairing::Pairing;

/// The name of the file in the self-test's folder.
pub const RECORD_FILE: &str = "selftest.json";

/// The version of the format.
const FORMAT_VERSION: u32 = 1;

/// A self-test, done or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    format_version: u32,
    /// The Firedrill that began it.
    pub firedrill_version: String,
    /// When it began: RFC 3339.
    pub begun_at: String,
    /// The seeds of every pairing.
    pub seeds: Vec<u64>,
    /// What was drilled.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refuses.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// The attempted action.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{} is not the record of a self-test: {reason}", path.display())]
    NotARecord {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Record {
    /// A self-test that begins now.
    pub fn begin(seeds: Vec<u64>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            firedrill_version: env!("CARGO_PKG_VERSION").to_owned(),
            begun_at: firedrill_reports::text::rfc3339(std::time::SystemTime::now()),
            seeds,
            attempts: Vec::new(),
        }
    }

    /// Reads the record in this file, or in this folder.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn load(path: &Path) -> Result<Self, RecordError> {
        let path = if path.is_dir() { path.join(RECORD_FILE) } else { path.to_owned() };
        let text = fs::read_to_string(&path).map_err(|source| RecordError::Io {
            doing: "read",
            path: path.clone(),
            source,
        })?;
        let not_a_record = |reason: String| RecordError::NotARecord { path: path.clone(), reason };
        let record: Self = serde_json::from_str(&text).map_err(|error| not_a_record(error.to_string()))?;
        match record.format_version {
            FORMAT_VERSION => Ok(record),
            other => {
                Err(not_a_record(format!("it has format version {other}, and this Firedrill reads {FORMAT_VERSION}")))
            }
        }
    }

    /// Writes it to `dir`, completely or not at all.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn save(&self, dir: &Path) -> Result<(), RecordError> {
        let path = dir.join(RECORD_FILE);
        let io = |doing| {
            let path = path.clone();
            move |source| RecordError::Io { doing, path, source }
        };
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| RecordError::NotARecord { path: path.clone(), reason: error.to_string() })?;
        text.push('\n');
        fs::create_dir_all(dir).map_err(io("create the folder of"))?;
        write_whole(&path, text.as_bytes()).map_err(io("write"))
    }

    /// Whether there is a conclusive attempt of `pairing` at `seed`.
    pub fn has(&self, pairing: &Pairing, seed: u64) -> bool {
        let ended = |attempt: &&Attempt| attempt.pairing == *pairing && attempt.seed == seed;
        self.attempts.iter().find(ended).is_some_and(|attempt| attempt.ended != Ended::Inconclusive)
    }

    /// Adds an attempt, in the place of an inconclusive one.
    pub fn add(&mut self, attempt: Attempt) {
        self.attempts.retain(|other| other.pairing != attempt.pairing || other.seed != attempt.seed);
        self.attempts.push(attempt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::pairings;
    use crate::targets::Defect;

    #[test]
    fn a_saved_record_is_loaded_by_its_folder_and_by_its_file_and_says_what_is_done() {
        let defect = Defect::find(Defect::names()[0]).unwrap();
        let pairing = pairings(&[defect], false).remove(0);
        let ended = |seed, ended| Attempt {
            pairing: pairing.clone(),
            seed,
            ended,
            failed: vec!["recovery".to_owned()],
            reasons: Vec::new(),
            seconds: 2.5,
        };
        let mut record = Record::begin(vec![1, 2]);
        record.add(ended(1, Ended::Failed));
        record.add(ended(2, Ended::Inconclusive));
        let dir = tempfile::tempdir().unwrap();
        record.save(dir.path()).unwrap();
        assert_eq!(Record::load(dir.path()).unwrap(), record);
        let loaded = Record::load(&dir.path().join(RECORD_FILE)).unwrap();
        assert!(loaded.has(&pairing, 1) && !loaded.has(&pairing, 2));
    }

    #[test]
    fn what_is_no_record_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |text: &str| {
            fs::write(dir.path().join(RECORD_FILE), text).unwrap();
            Record::load(dir.path()).unwrap_err().to_string()
        };
        assert!(refused("{}").contains("is not the record of a self-test: missing field"));
        let newer = r#"{"format_version": 9, "firedrill_version": "9", "begun_at": "", "seeds": []}"#;
        assert!(refused(newer).ends_with("it has format version 9, and this Firedrill reads 1"));
        fs::remove_file(dir.path().join(RECORD_FILE)).unwrap();
        assert!(Record::load(dir.path()).unwrap_err().to_string().starts_with("cannot read "));
    }
}

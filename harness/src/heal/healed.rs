//! The result of healing one killed drill.

use std::path::{Path, PathBuf};

/// A killed drill, and what healing did about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healed {
    /// Its journal on this machine, if there is one.
    pub journal: Option<PathBuf>,
    /// The drill's name in messages: scenario and start.
    pub drill: String,
    /// What was undone, or would be undone in a dry run.
    pub undone: Vec<String>,
    /// What was left alone because others have changed it since.
    pub kept: Vec<String>,
    /// What needs attention: an external server still has the drill's value.
    pub doubtful: Vec<String>,
    /// What remains to be done.
    pub left: Left,
}

/// What remains to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// Nothing: the journal is gone.
    Nothing,
    /// Its drill is still running and heals itself.
    Alive {
        /// The harness, if known.
        who: Option<String>,
    },
    /// The journal belongs to another Redis than the requested one.
    OtherRedis,
    /// These could not be undone and stay in the journal.
    Undone(Vec<String>),
}

impl Healed {
    /// A result in which nothing has been done yet.
    pub fn of(journal: Option<&Path>, drill: String, left: Left) -> Self {
        let (undone, kept, doubtful) = (Vec::new(), Vec::new(), Vec::new());
        Self { journal: journal.map(Path::to_owned), drill, undone, kept, doubtful, left }
    }
}

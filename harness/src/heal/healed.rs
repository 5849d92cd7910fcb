//! The result of healing one killed drill.

use std::path::{Path, PathBuf};

/// A drill that was killed, and what healing did for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healed {
    /// Its journal on this machine, if there is one.
    pub journal: Option<PathBuf>,
    /// The drill for people: scenario and beginning.
    pub drill: String,
    /// What was undone, or would be.
    pub undone: Vec<String>,
    /// What was left because it was changed since.
    pub kept: Vec<String>,
    /// What needs attention: it is still as the drill set it, on an external server.
    pub doubtful: Vec<String>,
    /// Why it is not over.
    pub left: Left,
}

/// What is left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// Nothing: the journal is gone.
    Nothing,
    /// Its drill is still running and heals itself.
    Alive {
        /// The harness, where it is known.
        who: Option<String>,
    },
    /// Another Redis is meant than the one that was asked for.
    OtherRedis,
    /// These could not be undone, and stay in the journal.
    Undone(Vec<String>),
}

impl Healed {
    /// Nothing was done yet.
    pub fn of(journal: Option<&Path>, drill: String, left: Left) -> Self {
        let (undone, kept, doubtful) = (Vec::new(), Vec::new(), Vec::new());
        Self { journal: journal.map(Path::to_owned), drill, undone, kept, doubtful, left }
    }
}

//! What the callers saw.

use std::fmt;

use crate::schedule::Op;

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Answered.
    Acked {
        /// Whether the fallback answered.
        fallback: bool,
        /// Whether there was a session.
        found: bool,
        /// Its version, if the answer says.
        version: u64,
        /// Its items, if it was read.
        items: Option<Vec<u64>>,
    },
    /// An error that says that it certainly had no effect.
    Refused(String),
    /// An error that says that it may have had an effect.
    Unknown(String),
    /// The caller stopped waiting, or the schedule ended first.
    Dropped,
    /// The caller's task panicked.
    Panicked,
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The process it was made through.
    pub process: usize,
    /// The session concerned.
    pub session: usize,
    /// The operation.
    pub op: Op,
    /// The items it wrote; for a whole write, all items of the session.
    pub wrote: Vec<u64>,
    /// The item that only this call wrote.
    pub item: Option<u64>,
    /// Milliseconds since the start.
    pub start: u64,
    /// `None`: the caller saw no end.
    pub end: Option<u64>,
    /// Position of its start in the order of all starts and ends.
    pub from: u64,
    /// Position of its end.
    pub to: Option<u64>,
    /// Milliseconds between the caller's polls; 0: it notices the end at once.
    pub slow: u64,
    /// How it ended.
    pub outcome: Outcome,
}

impl Call {
    /// Whether it ended before another began.
    pub fn before(&self, other: &Call) -> bool {
        self.to.is_some_and(|to| to < other.from)
    }

    /// Whether it was acknowledged, and by whom: `Some(true)` by the fallback.
    pub fn acked(&self) -> Option<bool> {
        match &self.outcome {
            Outcome::Acked { fallback, .. } => Some(*fallback),
            _ => None,
        }
    }

    /// Whether it may have changed the session's content.
    pub fn can_write(&self) -> bool {
        !matches!(self.op, Op::Get | Op::Touch) && !matches!(self.outcome, Outcome::Refused(_))
    }

    /// The highest session that it concerns.
    pub fn last_session(&self) -> usize {
        self.renames_to().map_or(self.session, |to| to.max(self.session))
    }

    /// The session whose id it gave to this one.
    pub fn renames_to(&self) -> Option<usize> {
        match self.op {
            Op::Rename(to) => Some(to),
            _ => None,
        }
    }

    /// Whether it wrote the session whole, whatever was there.
    pub fn is_whole(&self) -> bool {
        matches!(self.op, Op::Create | Op::Put | Op::Update)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}", self.start)?;
        match self.end {
            Some(end) => write!(f, "..{end:<6}")?,
            None => write!(f, "..      ")?,
        }
        write!(f, " p{} {:?} s{}", self.process, self.op, self.session)?;
        if !self.wrote.is_empty() {
            write!(f, " writes {:?}", self.wrote)?;
        }
        match &self.outcome {
            Outcome::Acked { fallback, found, version, items } => {
                write!(f, " -> {}", if *fallback { "fallback" } else { "redis" })?;
                if *version > 0 {
                    write!(f, " v{version}")?;
                }
                match items {
                    Some(items) => write!(f, " {items:?}"),
                    None if !*found => f.write_str(" none"),
                    None => Ok(()),
                }
            }
            Outcome::Refused(error) => write!(f, " -> refused: {error}"),
            Outcome::Unknown(error) => write!(f, " -> unknown: {error}"),
            Outcome::Dropped => f.write_str(" -> dropped"),
            Outcome::Panicked => f.write_str(" -> panicked"),
        }
    }
}

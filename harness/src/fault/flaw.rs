//! What can be wrong with a key of a fault.

use std::fmt;

/// A parameter whose value is out of range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The parameter.
    pub key: &'static str,
    /// What is wrong with it, worded to follow its name: `must be at least 1`.
    pub problem: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.key, self.problem)
    }
}

impl Flaw {
    /// Creates a flaw of the parameter `key`.
    pub fn new(key: &'static str, problem: impl Into<String>) -> Self {
        Self { key, problem: problem.into() }
    }
}

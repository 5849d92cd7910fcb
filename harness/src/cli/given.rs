//! A scenario of the command line.

use crate::scenario::Source;

/// A scenario as given, once it is known to be valid.
#[derive(Debug, Clone)]
pub struct Given {
    /// Its name.
    pub scenario: String,
    /// Its text.
    pub source: Source,
    /// Its file, as pipelines know it; absent for a shipped scenario.
    pub file: Option<String>,
}

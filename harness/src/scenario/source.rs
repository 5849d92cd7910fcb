//! Where a scenario comes from.

use std::ops::Range;

use miette::{NamedSource, SourceSpan};

use super::error::{Invalid, ScenarioError};
use super::secrets;

/// A scenario's text and its origin.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file's path, or the shipped scenario's name.
    pub name: String,
    /// The TOML text.
    pub text: String,
}

impl Source {
    /// Reads a file.
    pub fn read(path: &str) -> Result<Self, ScenarioError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self { name: path.to_owned(), text }),
            Err(error) => Err(ScenarioError::Unreadable { path: path.to_owned(), reason: error.to_string() }),
        }
    }

    /// An error in it, at `span`, with what to do about it.
    pub fn invalid(&self, message: String, span: Option<Range<usize>>, help: Option<String>) -> ScenarioError {
        ScenarioError::Invalid(Box::new(self.error(message, span, help)))
    }

    /// An error in it.
    pub(super) fn error(&self, message: String, span: Option<Range<usize>>, help: Option<String>) -> Invalid {
        Invalid {
            message,
            source_code: NamedSource::new(&self.name, secrets::hidden(&self.text)),
            span: span.map(|range| SourceSpan::new(range.start.into(), range.len())),
            help,
            others: Vec::new(),
        }
    }
}

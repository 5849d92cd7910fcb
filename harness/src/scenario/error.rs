//! Scenario errors with their positions, which miette renders with the line and a caret.

use std::ops::Range;

use miette::{Diagnostic, NamedSource, SourceSpan};

/// A problem in a scenario whose position in the text is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The path of keys and positions from the root, such as `["load", "0", "for"]`.
    pub path: Vec<String>,
    /// The reason.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// Whether the last key of the path is wrong, rather than its value.
    pub on_key: bool,
}

impl Problem {
    /// A problem at `path`, in dotted form: `load.0.for`. If keys contain dots, build the path by hand.
    pub fn at(path: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        let path = path.split('.').map(str::to_owned).collect();
        Self { path, message: message.into(), help: help.into(), on_key: false }
    }
}

/// What is wrong, where in the text, and what to do about it.
pub(super) type Found = (String, Option<Range<usize>>, Option<String>);

/// An invalid place in a scenario's text.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct Invalid {
    /// The reason.
    pub message: String,
    /// The file.
    #[source_code]
    pub source_code: NamedSource<String>,
    /// The position in the file.
    #[label("here")]
    pub span: Option<SourceSpan>,
    /// What to do about it.
    #[help]
    pub help: Option<String>,
    /// Further problems in the same file.
    #[related]
    pub others: Vec<Invalid>,
}

/// A scenario that cannot run.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ScenarioError {
    /// The text is not TOML, a key, type or unit is wrong, or the content is invalid.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Invalid(Box<Invalid>),
    /// A `--set` cannot be applied.
    #[error("--set {text}: {message}")]
    #[diagnostic(help("write --set path=value, for example --set store.policy=degrade or --set load.0.rate=500/s"))]
    Override {
        /// As given.
        text: String,
        /// The reason.
        message: String,
    },
    /// The file cannot be read.
    #[error("cannot read {path}: {reason}")]
    #[diagnostic(help("give a TOML file, or the name of a shipped scenario: `firedrill list` shows them"))]
    Unreadable {
        /// As given.
        path: String,
        /// The system's error.
        reason: String,
    },
}

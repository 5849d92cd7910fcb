//! Who is told how a search goes.

use firedrill_capacity::Trial;
use firedrill_reports::capacity::Step;

/// Watches a search.
pub trait Watcher: Send + Sync {
    /// A step begins.
    fn begins(&self, trial: &Trial);
    /// A step is over.
    fn ended(&self, step: &Step);
    /// Something else is being done now.
    fn now(&self, doing: &str);
    /// Something else is known.
    fn line(&self, text: &str);
}

//! What pipelines read of an invocation: `junit.xml`, `summary.md`, `summary.json`, `index.html`, annotations and events.
//! Each format stands in its own file, and all of them render the same [`Finding`]s, so that none says more or less than
//! another.

pub mod annotations;
mod baseline;
mod drilled;
pub mod events;
mod finding;
#[cfg(test)]
mod fixture;
pub mod index;
pub mod junit;
mod markdown;
mod plain;
pub mod summary;
pub mod summary_json;

pub use baseline::Baseline;
pub use drilled::{Drilled, Ended, Invocation};
pub use finding::{Answer, Finding, What};

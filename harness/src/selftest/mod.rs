//! The self-test: every planted defect in the drills that must catch it, and the sound store in the same drills. A defect's own
//! file says where it must be caught and by what ([`Drilled`](crate::targets::defect::Drilled)); nothing here names one.
//!
//! A [`Pairing`] is a store in a [`Setting`]; an [`Attempt`] is what became of its drill at one seed; a [`Record`] holds all
//! attempts, on disk after each; a [`Matrix`] is what they say together.

mod attempt;
mod matrix;
mod pairing;
mod record;
mod scenarios;

pub use attempt::{Attempt, Ended, Judged, failures};
pub use matrix::{Escape, Matrix, Row};
pub use pairing::{Pairing, Setting, pairings};
pub use record::{RECORD_FILE, Record, RecordError};
pub use scenarios::source;

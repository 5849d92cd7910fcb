//! What time faults share.

use std::time::Duration;

use super::super::kind::Flaw;
use crate::units::Span;

/// An in-memory store reads its clock more often than this only if it is used: its cleanup alone reads about once a
/// second.
pub(super) const IDLE_READS: u64 = 10;

/// A shorter jump would be no longer than an answer may take.
const LEAST_JUMP: Duration = Duration::from_secs(1);

/// Ten years: longer than any session lives.
const MOST_JUMP: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// Checks that the parameter `by` is a jump that can be drilled.
pub(super) fn a_jump(by: Span) -> Result<(), Flaw> {
    match (LEAST_JUMP..=MOST_JUMP).contains(&by.0) {
        true => Ok(()),
        false => Err(Flaw::new("by", format!("must be between {} and {}", Span(LEAST_JUMP), Span(MOST_JUMP)))),
    }
}

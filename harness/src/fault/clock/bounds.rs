//! What faults of time share.

use std::time::Duration;

use super::super::kind::Flaw;
use crate::units::Span;

/// A store in memory asks its clock more often than that only where it is used: its cleanup asks about once a second.
pub(super) const IDLE_READS: u64 = 10;

/// A shorter jump is no longer than an answer takes.
const LEAST_JUMP: Duration = Duration::from_secs(1);

/// Ten years: longer than any session lives.
const MOST_JUMP: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// Whether the parameter `by` is a jump that can be drilled.
pub(super) fn a_jump(by: Span) -> Result<(), Flaw> {
    match (LEAST_JUMP..=MOST_JUMP).contains(&by.0) {
        true => Ok(()),
        false => Err(Flaw::new("by", format!("must be between {} and {}", Span(LEAST_JUMP), Span(MOST_JUMP)))),
    }
}

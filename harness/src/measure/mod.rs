//! Figures from operations: latency histograms, the timeline, the table of phases, and the time to recover.
//!
//! Three latencies are kept apart everywhere. *Service* is the time from an operation's start to its end, *slip* is how
//! late it started, and *response*, their sum, counts from the instant it was planned for: what a user would have
//! waited. A stall shows in the response of every operation planned during it; service time alone hides it.

mod latency;

pub use latency::{Latencies, OpLatencies, Quantiles, new_histogram};

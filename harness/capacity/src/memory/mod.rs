//! Memory: what a session costs in Redis, why it costs that, and how many fit.
//!
//! What is believed is what was measured ([`slope`]). The formula ([`explain`]) only says why.

mod allocator;
mod formula;
mod room;
mod slope;

pub use allocator::Allocator;
pub use formula::{Parts, TextKey, explain};
pub use room::{Machine, Room, tables};
pub use slope::{Reading, Slope, slope};

//! Faults of time: hours pass in an instant, or the application's clock goes wrong alone.

mod jump;
mod skew;

pub use jump::Jump;
pub(super) use jump::JumpFault;
pub use skew::Skew;
pub(super) use skew::SkewFault;

/// A store in memory asks its clock more often than that only where it is used: its cleanup asks about once a second.
const IDLE_READS: u64 = 10;

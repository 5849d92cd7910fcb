//! Faults of time: hours pass in an instant, or the application's clock goes wrong alone.

mod bounds;
pub(super) mod jump;
pub(super) mod skew;

//! Faults of the application's process.

pub(super) mod kill;
pub(super) mod stop;

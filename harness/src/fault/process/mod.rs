//! Faults of a server process that the drill owns, and of its files.

mod death;
pub(super) mod disk_full;
pub(super) mod kill;
pub(super) mod power_loss;
pub(super) mod slow_start;
pub(super) mod stop;
pub(super) mod target;

pub use kill::DiskData;

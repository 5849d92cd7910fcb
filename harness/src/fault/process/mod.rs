//! Faults of a process that the drill owns, of the server or of the application, and of what the server has on disk.

mod death;
mod disk_full;
mod kill;
mod power_loss;
mod slow_start;
mod stop;
mod victim;

pub use disk_full::DiskFull;
pub(super) use disk_full::DiskFullFault;
pub(super) use kill::KillFault;
pub use kill::{AppKill, DiskData, Kill};
pub use power_loss::PowerLoss;
pub(super) use power_loss::PowerLossFault;
pub use slow_start::SlowStart;
pub(super) use slow_start::SlowStartFault;
pub(super) use stop::StopFault;
pub use stop::{AppStop, Stop};
pub(super) use victim::Victim;

//! Faults of the server's process and of what it has on disk.

mod death;
mod disk_full;
mod kill;
mod power_loss;
mod slow_start;
mod stop;

pub use disk_full::DiskFull;
pub(super) use disk_full::DiskFullFault;
pub(super) use kill::KillFault;
pub use kill::{DiskData, Kill};
pub use power_loss::PowerLoss;
pub(super) use power_loss::PowerLossFault;
pub use slow_start::SlowStart;
pub(super) use slow_start::SlowStartFault;
pub use stop::Stop;
pub(super) use stop::StopFault;

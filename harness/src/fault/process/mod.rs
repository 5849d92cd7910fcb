//! Faults of the server's process.

mod kill;
mod stop;

pub use kill::Kill;
pub(super) use kill::KillFault;
pub use stop::Stop;
pub(super) use stop::StopFault;

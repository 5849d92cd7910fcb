//! Faults of a process that the drill owns: of the server, or of the application.

mod kill;
mod stop;
mod victim;

pub(super) use kill::KillFault;
pub use kill::{AppKill, Kill};
pub(super) use stop::StopFault;
pub use stop::{AppStop, Stop};
pub(super) use victim::Victim;

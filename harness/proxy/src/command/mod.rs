//! Commands are read as they pass through the proxy, and a [`Trigger`] resets, silences or delays a connection at
//! exactly one point of a command's execution.
//!
//! ```text
//!          ── commands ─▶ Reader ─▶ toxics ─▶
//!  client                   │ Exchange            server
//!          ◀─ toxics ◀─── Reader ◀─ replies ──
//! ```
//!
//! Only connections of a proxy that [reads commands](crate::Proxy::read_commands) are read, and only from their first
//! byte on: in the middle of a connection, replies could not be matched to commands.

#[cfg(test)]
mod bad_input;
mod exchange;
mod reader;
mod resp;
mod trigger;

pub(crate) use exchange::Exchange;
pub(crate) use reader::Reader;
pub(crate) use trigger::Armed;
pub use trigger::{Action, CommandPattern, Side, Trigger, TriggerStats, When};

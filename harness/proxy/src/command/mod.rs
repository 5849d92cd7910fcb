//! Commands read as they pass through the proxy, and what happens at them: a [`Trigger`] resets, silences or delays a
//! connection at exactly one point of a command's execution.
//!
//! ```text
//!          ── commands ─▶ Reader ─▶ toxics ─▶
//!  client                   │ Exchange            server
//!          ◀─ toxics ◀─── Reader ◀─ replies ──
//! ```
//!
//! Only connections of a proxy that [reads commands](crate::Proxy::read_commands) are read, from their first byte on: on
//! one that is joined in its middle, replies could not be matched to their commands.

mod exchange;
mod reader;
mod resp;
mod trigger;

pub(crate) use exchange::Exchange;
pub(crate) use reader::Reader;
pub(crate) use trigger::Armed;
pub use trigger::{Action, CommandPattern, Side, Trigger, TriggerStats, When};

//! The history: every invocation and its completion, recorded by the workers without locks and saved before anything
//! judges it. [`model`] says what an operation leaves behind, [`HistoryWriter`] puts it on disk batch by batch, and
//! [`History::load`] reads it back, also what a killed drill left. `docs/history-format.md` describes the file for
//! those who want to read it with something else.

mod codec;
mod error;
mod export;
mod frame;
pub mod model;
mod reader;
mod varint;
mod writer;

pub use error::HistoryError;
pub use export::{Notation, Telling, export};
pub use frame::{FORMAT_VERSION, MAGIC};
pub use model::*;
pub use reader::Tail;
pub use writer::HistoryWriter;

//! The history: every invocation and its completion, recorded by the workers without locks and saved before anything
//! judges it. An operation leaves an [`OpRecord`], [`HistoryWriter`] writes them to disk batch by batch, and
//! [`History::load`] reads them back, even after a killed drill. `docs/history-format.md` describes the file for other
//! readers.

mod activations;
mod codec;
mod error;
mod export;
mod file;
mod frame;
mod import;
mod lists;
mod note;
mod notes;
mod op;
mod reader;
mod selection;
mod tail;
#[cfg(test)]
pub(crate) mod testing;
mod varint;
mod writer;

pub use activations::{Activation, activations};
pub use error::HistoryError;
pub use export::{Notation, Telling, export};
pub use file::{Header, History};
pub use frame::{FILE_NAME, FORMAT_VERSION, MAGIC};
pub use note::Note;
pub use notes::{Notes, Reported};
pub use op::*;
pub(crate) use reader::Part;
pub(crate) use reader::available_memory;
pub use selection::Selection;
pub use tail::Tail;
pub use writer::HistoryWriter;

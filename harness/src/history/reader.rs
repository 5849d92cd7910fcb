//! Reads a history back: all of a finished one, all whole frames of one that a killed drill left, and nothing of one
//! that is damaged before its end, because a checker must not judge a story with a hole in it.

use std::path::Path;

use super::codec::{self, Unreadable};
use super::error::HistoryError;
use super::frame::{self, FORMAT_VERSION, MAGIC, Tag};
use super::model::{Header, History, Note, OpBatch};
use super::writer::Written;

/// How a history ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// It was finished: everything is there.
    Complete,
    /// It stops after a whole frame without having been finished: the drill died between two batches.
    Unfinished,
    /// It stops within a frame, which was left out: the drill died while it wrote.
    Cut {
        /// Where the torn frame begins.
        at: u64,
        /// How many bytes were left out.
        bytes: u64,
    },
}

impl History {
    /// Reads the history at `path`. Operations come sorted by the time they were sent, notes by their time, and all
    /// tokens lie in one arena.
    ///
    /// # Errors
    /// A torn tail is no error, see [`Tail`]. A damaged frame with whole ones behind it is
    /// ([`HistoryError::Damaged`]), and so is anything that is no history, or a newer one than is known here.
    pub fn load(path: &Path) -> Result<(History, Tail), HistoryError> {
        let bytes =
            std::fs::read(path).map_err(|source| HistoryError::Io { action: "read", path: path.to_owned(), source })?;
        parse(path, &bytes)
    }
}

/// Only the version: all that is sure to be in the header of a newer format.
#[derive(serde::Deserialize)]
struct Versioned {
    version: u32,
}

fn parse(path: &Path, bytes: &[u8]) -> Result<(History, Tail), HistoryError> {
    let (header, mut at) = parse_header(path, bytes)?;
    let (mut ops, mut notes) = (OpBatch::default(), Vec::new());
    let damaged =
        |at: usize, reason: String| HistoryError::Damaged { path: path.to_owned(), offset: at as u64, reason };
    let tail = loop {
        if at == bytes.len() {
            break Tail::Unfinished;
        }
        let frame = match frame::read(bytes, at) {
            Ok(frame) => frame,
            Err(reason) if frame::find(bytes, at + 1).is_some() => return Err(damaged(at, reason.into())),
            Err(_) => break Tail::Cut { at: at as u64, bytes: (bytes.len() - at) as u64 },
        };
        match frame.tag {
            Tag::Ops => codec::decode(frame.body, &mut ops).map_err(|why| match why {
                Unreadable::TooLarge => HistoryError::TooLarge { path: path.to_owned() },
                why => damaged(at, why.to_string()),
            })?,
            Tag::Note => {
                let note: Note = serde_json::from_slice(frame.body).map_err(|e| damaged(at, format!("note: {e}")))?;
                notes.push(note);
            }
            Tag::End => {
                let end: Written = serde_json::from_slice(frame.body).map_err(|e| damaged(at, format!("end: {e}")))?;
                let found = Written { ops: ops.ops.len() as u64, notes: notes.len() as u64 };
                if end != found {
                    return Err(damaged(at, format!("the end speaks of {end:?}, here are {found:?}")));
                }
                if frame.next != bytes.len() {
                    return Err(damaged(frame.next, "something follows the end".into()));
                }
                break Tail::Complete;
            }
            Tag::Head => return Err(damaged(at, "a second header".into())),
        }
        at = frame.next;
    };
    if u32::try_from(ops.ops.len()).is_err() {
        return Err(HistoryError::TooLarge { path: path.to_owned() });
    }
    ops.ops.sort_by_key(|op| (op.started, op.index));
    notes.sort_by_key(Note::at);
    Ok((History { header, ops, notes }, tail))
}

/// The header, and where the frame after it begins.
fn parse_header(path: &Path, bytes: &[u8]) -> Result<(Header, usize), HistoryError> {
    if !bytes.starts_with(&MAGIC) {
        return Err(if MAGIC.starts_with(bytes) {
            HistoryError::NoHeader { path: path.to_owned() }
        } else {
            HistoryError::NotAHistory { path: path.to_owned() }
        });
    }
    let at = MAGIC.len();
    let damaged = |reason: String| HistoryError::Damaged { path: path.to_owned(), offset: at as u64, reason };
    let frame = match frame::read(bytes, at) {
        Ok(frame) => frame,
        Err(reason) if frame::find(bytes, at + 1).is_some() => return Err(damaged(reason.into())),
        Err(_) => return Err(HistoryError::NoHeader { path: path.to_owned() }),
    };
    if frame.tag != Tag::Head {
        return Err(damaged("the header is missing".into()));
    }
    let Versioned { version } = serde_json::from_slice(frame.body).map_err(|e| damaged(format!("header: {e}")))?;
    if version > FORMAT_VERSION {
        return Err(HistoryError::Newer { path: path.to_owned(), found: version, known: FORMAT_VERSION });
    }
    let header = serde_json::from_slice(frame.body).map_err(|e| damaged(format!("header: {e}")))?;
    Ok((header, frame.next))
}

#[cfg(test)]
mod tests;

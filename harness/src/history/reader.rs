//! Reads a history back: all of a finished one, all whole frames of one that a killed drill left, and nothing of one
//! that is damaged before its end, because a checker must not judge a history with a gap.

mod contents;
mod frames;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hashbrown::HashSet;

use self::contents::contents;
use self::frames::Frames;
use super::error::HistoryError;
use super::import;
use super::{Header, History, Note, OpRecord, Tail, Token};

impl History {
    /// Reads the history at `path`. Operations come sorted by the time they were sent, notes by their time, and all
    /// tokens lie in one arena, which reads that show the same share.
    ///
    /// # Errors
    /// A torn tail is no error, see [`Tail`]. A damaged frame with whole ones behind it is
    /// ([`HistoryError::Damaged`]), and so is anything that is no history, or a newer one than is known here. A history
    /// for which there is not enough memory is refused with the figure ([`HistoryError::NoRoom`]).
    pub fn load(path: &Path) -> Result<(History, Tail), HistoryError> {
        Self::load_part(path, Part::WHOLE, available_memory())
    }

    /// Reads the history at `path` if it is one of another tool: Jepsen's operation maps in JSON, made under the promises of
    /// `header`. `None`: it does not look like that.
    ///
    /// # Errors
    /// A file that cannot be read, and maps that make no sense, with the place.
    pub fn import(path: &Path, header: &Header) -> Result<Option<History>, HistoryError> {
        let failed = |source| HistoryError::Io { action: "read", path: path.to_owned(), source };
        let mut beginning = Vec::new();
        File::open(path).map_err(failed)?.take(64).read_to_end(&mut beginning).map_err(failed)?;
        if !import::is_json(&beginning) {
            return Ok(None);
        }
        import::import(path, &std::fs::read(path).map_err(failed)?, header.clone()).map(Some)
    }

    /// Reads the head of the history at `path` alone.
    ///
    /// # Errors
    /// As [`History::load`].
    pub(crate) fn load_header(path: &Path) -> Result<Header, HistoryError> {
        Frames::open(path)?.header()
    }

    /// Reads those operations whose users are in `part`, and all notes, into at most about `room` bytes.
    ///
    /// # Errors
    /// As [`History::load`].
    pub(crate) fn load_part(path: &Path, part: Part, room: u64) -> Result<(History, Tail), HistoryError> {
        let mut frames = Frames::open(path)?;
        let header = frames.header()?;
        let keep = |op: &OpRecord| part.has(header.user_of(op.session));
        let (mut ops, mut notes, tail) = contents(&mut frames, room, keep)?;
        ops.ops.sort_unstable_by_key(|op| (op.started, op.index));
        notes.sort_by_key(Note::at);
        Ok((History { header, ops, notes }, tail))
    }

    /// Reads the operations that write one of `tokens`, in any order and without what they found.
    ///
    /// # Errors
    /// As [`History::load`].
    pub(crate) fn load_writes(path: &Path, tokens: &HashSet<Token>) -> Result<Vec<OpRecord>, HistoryError> {
        let mut frames = Frames::open(path)?;
        frames.header()?;
        let (ops, ..) = contents(&mut frames, available_memory(), |op| tokens.contains(&op.token()))?;
        Ok(ops.ops.into_iter().map(|op| OpRecord { tokens_len: 0, ..op }).collect())
    }
}

/// A share of a history's users, so that a part of it can be judged alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Which of the parts, from 0.
    pub at: u32,
    /// How many parts there are.
    pub of: u32,
}

impl Part {
    /// All users.
    pub const WHOLE: Part = Part { at: 0, of: 1 };

    fn has(self, user: u32) -> bool {
        user % self.of == self.at
    }
}

/// Memory available without swapping, in bytes, from Linux's /proc/meminfo; without it, unlimited.
pub(crate) fn available_memory() -> u64 {
    let told = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or(u64::MAX, |kib| kib * 1024)
}

#[cfg(test)]
mod tests;

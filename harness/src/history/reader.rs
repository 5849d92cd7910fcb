//! Reads a history back: all of a finished one, all whole frames of one left by a killed drill, and nothing of one that
//! is damaged before its end, because a checker must not judge a history with a gap.

#[cfg(test)]
mod bad_input;
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
    /// Reads the history at `path`. Operations are sorted by the time they were sent, notes by their time, and all
    /// tokens are in one arena, where reads that show the same tokens share them.
    ///
    /// # Errors
    /// [`HistoryError::Damaged`] if a damaged frame is followed by whole ones; a torn tail is no error, see [`Tail`].
    /// An error also if the file is not a history or has a newer format. [`HistoryError::NoRoom`], with the amount, if
    /// there is not enough memory.
    pub fn load(path: &Path) -> Result<(History, Tail), HistoryError> {
        Self::load_part(path, Part::WHOLE, available_memory())
    }

    /// Reads the history at `path` if another tool wrote it: Jepsen's operation maps in JSON, recorded under the
    /// promises of `header`. `None` if it does not look like that.
    ///
    /// # Errors
    /// The file cannot be read, or a map makes no sense; the error says where.
    pub fn import(path: &Path, header: &Header) -> Result<Option<History>, HistoryError> {
        let failed = |source| HistoryError::Io { action: "read", path: path.to_owned(), source };
        let mut beginning = Vec::new();
        File::open(path).map_err(failed)?.take(64).read_to_end(&mut beginning).map_err(failed)?;
        if !import::is_json(&beginning) {
            return Ok(None);
        }
        import::import(path, &std::fs::read(path).map_err(failed)?, header.clone()).map(Some)
    }

    /// Reads only the header of the history at `path`.
    ///
    /// # Errors
    /// Same as [`History::load`].
    pub(crate) fn load_header(path: &Path) -> Result<Header, HistoryError> {
        Frames::open(path)?.header()
    }

    /// Reads the operations whose users are in `part`, and all notes, into at most about `room` bytes.
    ///
    /// # Errors
    /// Same as [`History::load`].
    pub(crate) fn load_part(path: &Path, part: Part, room: u64) -> Result<(History, Tail), HistoryError> {
        Self::load_where(path, room, |header, op| part.has(header.user_of(op.session)))
    }

    /// Reads the operations that `keep` accepts, and all notes, into at most about `room` bytes. `keep` sees every operation
    /// once, in the file's order.
    ///
    /// # Errors
    /// Same as [`History::load`].
    pub(crate) fn load_where(
        path: &Path,
        room: u64,
        keep: impl Fn(&Header, &OpRecord) -> bool,
    ) -> Result<(History, Tail), HistoryError> {
        let mut frames = Frames::open(path)?;
        let header = frames.header()?;
        let (mut ops, mut notes, tail) = contents(&mut frames, room, |op| keep(&header, op))?;
        ops.ops.sort_unstable_by_key(|op| (op.started, op.index));
        notes.sort_by_key(Note::at);
        Ok((History { header, ops, notes }, tail))
    }

    /// Reads the operations that write one of `tokens`, in any order and without what they found.
    ///
    /// # Errors
    /// Same as [`History::load`].
    pub(crate) fn load_writes(path: &Path, tokens: &HashSet<Token>) -> Result<Vec<OpRecord>, HistoryError> {
        let mut frames = Frames::open(path)?;
        frames.header()?;
        let (ops, ..) = contents(&mut frames, available_memory(), |op| tokens.contains(&op.token()))?;
        Ok(ops.ops.into_iter().map(|op| OpRecord { tokens_len: 0, ..op }).collect())
    }
}

/// A share of a history's users, which can be judged on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// The number of this part, from 0.
    pub at: u32,
    /// The number of parts.
    pub of: u32,
}

impl Part {
    /// All users.
    pub const WHOLE: Part = Part { at: 0, of: 1 };

    fn has(self, user: u32) -> bool {
        user % self.of == self.at
    }
}

/// Memory available without swapping, in bytes, from Linux's /proc/meminfo; unlimited if that is missing.
pub(crate) fn available_memory() -> u64 {
    let told = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or(u64::MAX, |kib| kib * 1024)
}

#[cfg(test)]
mod tests;

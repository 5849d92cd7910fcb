//! Writes a history to disk while the drill runs. Every batch goes to the system in one write, as whole frames, so a
//! drill killed at any moment leaves all delivered batches and at most one torn frame after them.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::codec::{self, Previous};
use super::error::HistoryError;
use super::frame::{self, FORMAT_VERSION, FRAME_HEAD, MAGIC, Tag};
use super::{Header, Note, OpBatch};

/// An operations frame is closed at this length: a torn tail costs little, and a reader's buffer stays small.
const FRAME_FULL: usize = 256 * 1024;

/// Writes one history. Owned by the only thread that collects the workers' batches.
#[derive(Debug)]
pub struct HistoryWriter {
    path: PathBuf,
    file: File,
    frame: Vec<u8>,
    written: Written,
}

/// The totals in the end of a history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Written {
    /// Number of operations before the end.
    pub ops: u64,
    /// Number of notes before the end.
    pub notes: u64,
}

impl HistoryWriter {
    /// Creates a history at `path`, which must not exist yet: the record of an earlier drill is never overwritten. The
    /// version in the header is the writer's own, whatever `header` says.
    pub fn create(path: &Path, header: &Header) -> Result<Self, HistoryError> {
        let failed = |source| HistoryError::Io { action: "create", path: path.to_owned(), source };
        let mut file = File::create_new(path).map_err(failed)?;
        file.write_all(&MAGIC).map_err(failed)?;
        let mut writer = Self { path: path.to_owned(), file, frame: Vec::new(), written: Written::default() };
        writer.write_json(Tag::Head, &Header { version: FORMAT_VERSION, ..header.clone() })?;
        Ok(writer)
    }

    /// Adds a batch. The caller can reuse the batch afterwards.
    pub fn append(&mut self, batch: &OpBatch) -> Result<(), HistoryError> {
        let mut previous = Previous::default();
        frame::begin(&mut self.frame);
        for op in &batch.ops {
            codec::encode(op, batch.tokens_of(op), &mut previous, &mut self.frame);
            if self.frame.len() >= FRAME_FULL {
                self.write_frame(Tag::Ops)?;
                frame::begin(&mut self.frame);
                previous = Previous::default();
            }
        }
        self.written.ops += batch.ops.len() as u64;
        if self.frame.len() > FRAME_HEAD { self.write_frame(Tag::Ops) } else { Ok(()) }
    }

    /// Adds a note.
    pub fn note(&mut self, note: &Note) -> Result<(), HistoryError> {
        self.written.notes += 1;
        self.write_json(Tag::Note, note)
    }

    /// Marks the history as complete and flushes it to the disk itself.
    pub fn finish(mut self) -> Result<(), HistoryError> {
        let written = self.written;
        self.write_json(Tag::End, &written)?;
        self.file.sync_all().map_err(|source| self.failed(source))
    }

    fn write_json(&mut self, tag: Tag, body: &impl serde::Serialize) -> Result<(), HistoryError> {
        frame::begin(&mut self.frame);
        serde_json::to_writer(&mut self.frame, body).map_err(|e| self.failed(e.into()))?;
        self.write_frame(tag)
    }

    fn write_frame(&mut self, tag: Tag) -> Result<(), HistoryError> {
        frame::seal(&mut self.frame, tag).ok_or_else(|| HistoryError::TooLarge { path: self.path.clone() })?;
        self.file.write_all(&self.frame).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: std::io::Error) -> HistoryError {
        HistoryError::Io { action: "write", path: self.path.clone(), source }
    }
}

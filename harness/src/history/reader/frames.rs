//! The frames of a history file, in order.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use crate::history::Header;
use crate::history::error::HistoryError;
use crate::history::frame::{self, FORMAT_VERSION, FRAME_HEAD, MAGIC, Tag};

/// The frames of a file, in order.
pub(super) struct Frames<R> {
    pub(super) path: PathBuf,
    source: R,
    /// Where the next frame starts.
    pub(super) at: u64,
    /// The length of the file.
    pub(super) length: u64,
    /// The current frame, head included.
    pub(super) buffer: Vec<u8>,
}

/// What comes next in a file.
pub(super) enum Next<'a> {
    Frame {
        tag: Tag,
        body: &'a [u8],
    },
    EndOfFile,
    /// Bytes that are not a whole frame, with no whole frame after them.
    Torn {
        bytes: u64,
    },
}

impl Frames<BufReader<File>> {
    pub(super) fn open(path: &Path) -> Result<Self, HistoryError> {
        let failed = |source| HistoryError::Io { action: "read", path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        Self::of(path, BufReader::with_capacity(1 << 20, file), length)
    }
}

impl<R: Read> Frames<R> {
    /// The frames of `source`, which is `length` bytes long and must start like a history.
    pub(super) fn of(path: &Path, mut source: R, length: u64) -> Result<Self, HistoryError> {
        let mut magic = Vec::new();
        let read = source.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic);
        read.map_err(|source| HistoryError::Io { action: "read", path: path.to_owned(), source })?;
        let path = path.to_owned();
        if magic == MAGIC {
            Ok(Self { path, source, at: MAGIC.len() as u64, length, buffer: Vec::new() })
        } else if MAGIC.starts_with(&magic) {
            Err(HistoryError::NoHeader { path })
        } else {
            Err(HistoryError::NotAHistory { path })
        }
    }

    pub(super) fn next(&mut self) -> Result<Next<'_>, HistoryError> {
        self.buffer.clear();
        self.read_up_to(FRAME_HEAD as u64)?;
        if self.buffer.is_empty() {
            return Ok(Next::EndOfFile);
        }
        if let Some(length) = frame::body_length(&self.buffer) {
            self.read_up_to(length)?;
        }
        match frame::read(&self.buffer, 0).map(|frame| frame.tag) {
            Ok(tag) => {
                self.at += self.buffer.len() as u64;
                Ok(Next::Frame { tag, body: &self.buffer[FRAME_HEAD..] })
            }
            Err(reason) => {
                self.read_up_to(u64::MAX)?;
                if frame::find(&self.buffer, 1).is_some() {
                    let (path, offset) = (self.path.clone(), self.at);
                    return Err(HistoryError::Damaged { path, offset, reason: reason.into() });
                }
                Ok(Next::Torn { bytes: self.buffer.len() as u64 })
            }
        }
    }

    /// Whether nothing follows the last frame.
    pub(super) fn is_over(&mut self) -> Result<bool, HistoryError> {
        self.buffer.clear();
        self.read_up_to(1)?;
        Ok(self.buffer.is_empty())
    }

    fn read_up_to(&mut self, bytes: u64) -> Result<(), HistoryError> {
        let read = self.source.by_ref().take(bytes).read_to_end(&mut self.buffer);
        read.map(drop).map_err(|source| HistoryError::Io { action: "read", path: self.path.clone(), source })
    }

    /// Reads the header, which must come first.
    pub(super) fn header(&mut self) -> Result<Header, HistoryError> {
        let (path, at) = (self.path.clone(), self.at);
        let damaged = |reason: String| HistoryError::Damaged { path: path.clone(), offset: at, reason };
        let (tag, body) = match self.next()? {
            Next::Frame { tag, body } => (tag, body),
            Next::EndOfFile | Next::Torn { .. } => return Err(HistoryError::NoHeader { path }),
        };
        if tag != Tag::Head {
            return Err(damaged("the header is missing".into()));
        }
        let Versioned { version } = serde_json::from_slice(body).map_err(|e| damaged(format!("header: {e}")))?;
        if version > FORMAT_VERSION {
            return Err(HistoryError::Newer { path, found: version, known: FORMAT_VERSION });
        }
        serde_json::from_slice(body).map_err(|e| damaged(format!("header: {e}")))
    }
}

/// Only the version, which is all that the header of a newer format is sure to contain.
#[derive(serde::Deserialize)]
struct Versioned {
    version: u32,
}

//! What follows a history's header. Two threads share the work: one reads frames and operations, the other what the
//! operations found, which is most of a long history and mostly waits for memory.

use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use super::frames::{Frames, Next};
use crate::history::codec::{self, Told, Unreadable};
use crate::history::error::HistoryError;
use crate::history::frame::{FRAME_HEAD, Tag};
use crate::history::lists::{Arena, Lists};
use crate::history::writer::Written;
use crate::history::{Note, OpBatch, OpRecord, Tail, Token};

/// The memory an operation takes, in bytes: the record, and its positions in the checkers' index.
const OP_BYTES: u64 = size_of::<OpRecord>() as u64 + 8;

/// The number of frames that travel between the two threads.
const FRAMES_UNDER_WAY: usize = 4;

/// A frame whose operations have been read, but not yet what they found.
#[derive(Default)]
struct Job {
    /// Its position in the file.
    at: u64,
    /// The whole frame, head included.
    frame: Vec<u8>,
    told: Vec<Told>,
    /// Where the tokens located by `told` are stored, once they are taken.
    places: Vec<u32>,
    /// The number of tokens in all lists after that.
    tokens: usize,
}

/// Reads everything after the header, keeping operations that `keep` accepts, into at most about `room` bytes.
pub(super) fn contents(
    frames: &mut Frames<impl Read>,
    room: u64,
    keep: impl Fn(&OpRecord) -> bool,
) -> Result<(OpBatch, Vec<Note>, Tail), HistoryError> {
    let (jobs, to_take) = sync_channel(FRAMES_UNDER_WAY);
    let (taken, free) = channel();
    for _ in 0..FRAMES_UNDER_WAY {
        // The receiver is still alive here.
        let _ = taken.send(Job::default());
    }
    std::thread::scope(|scope| {
        let tokens = scope.spawn(|| take_tokens(to_take, taken));
        let mut reading = Reading { frames, room, ops: Vec::new(), notes: Vec::new(), decoded: 0, tokens: 0 };
        let read = reading.run(jobs, free, keep);
        let tokens = tokens.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // A problem with tokens lies earlier in the file than whatever stopped the operations.
        let arena = tokens.map_err(|(at, why)| unreadable(&reading.frames.path, at, why))?;
        let (tail, mut ops) = (read?, reading.ops);
        ops.iter_mut().for_each(|op| arena.settle(op));
        Ok((OpBatch { ops, tokens: arena.into_tokens() }, reading.notes, tail))
    })
}

/// Takes what the operations found from frame after frame; the error says in which frame that failed.
fn take_tokens(jobs: Receiver<Job>, taken: Sender<Job>) -> Result<Arena, (u64, Unreadable)> {
    let mut lists = Lists::default();
    let mut last = 0;
    for mut job in jobs {
        last = job.at;
        lists.take(&job.told, &job.frame[FRAME_HEAD..], &mut job.places).map_err(|why| (job.at, why))?;
        job.tokens = lists.tokens();
        // Nobody needs it if the other thread has stopped.
        let _ = taken.send(job);
    }
    lists.finish().map_err(|why| (last, why))
}

/// The thread that reads frames and operations.
struct Reading<'f, R> {
    frames: &'f mut Frames<R>,
    room: u64,
    ops: Vec<OpRecord>,
    notes: Vec<Note>,
    /// The number of decoded operations, including those left out.
    decoded: u64,
    /// The known number of tokens in all lists.
    tokens: usize,
}

impl<R: Read> Reading<'_, R> {
    /// Reads to the end. Stops early if the other thread has stopped; that thread then knows the reason.
    fn run(
        &mut self,
        jobs: SyncSender<Job>,
        free: Receiver<Job>,
        keep: impl Fn(&OpRecord) -> bool,
    ) -> Result<Tail, HistoryError> {
        let tail = loop {
            let at = self.frames.at;
            let (tag, body) = match self.frames.next()? {
                Next::Frame { tag, body } => (tag, body),
                Next::EndOfFile => break Tail::Unfinished,
                Next::Torn { bytes } => break Tail::Cut { at, bytes },
            };
            match tag {
                Tag::Ops => {
                    let Ok(mut job) = free.recv() else { break Tail::Unfinished };
                    settle(&mut self.ops, &mut self.tokens, &mut job);
                    let decoded = codec::decode(body, &mut self.ops, &mut job.told, &keep);
                    self.decoded += decoded.map_err(|why| unreadable(&self.frames.path, at, why))?;
                    self.check_size()?;
                    job.at = at;
                    std::mem::swap(&mut job.frame, &mut self.frames.buffer);
                    if jobs.send(job).is_err() {
                        break Tail::Unfinished;
                    }
                }
                Tag::Note => {
                    let note = serde_json::from_slice(body);
                    self.notes.push(note.map_err(|e| damaged(&self.frames.path, at, format!("note: {e}")))?);
                }
                Tag::End => {
                    let end = serde_json::from_slice(body);
                    let end = end.map_err(|e| damaged(&self.frames.path, at, format!("end: {e}")))?;
                    self.end(at, end)?;
                    break Tail::Complete;
                }
                Tag::Head => return Err(damaged(&self.frames.path, at, "a second header".into())),
            }
        };
        drop(jobs);
        for mut job in free {
            settle(&mut self.ops, &mut self.tokens, &mut job);
        }
        self.check_size()?;
        Ok(tail)
    }

    /// Checks that `end`, at `at`, matches everything before it, and that nothing follows.
    fn end(&mut self, at: u64, end: Written) -> Result<(), HistoryError> {
        let found = Written { ops: self.decoded, notes: self.notes.len() as u64 };
        if end != found {
            let reason = format!("the end speaks of {end:?}, here are {found:?}");
            return Err(damaged(&self.frames.path, at, reason));
        }
        if !self.frames.is_over()? {
            return Err(damaged(&self.frames.path, self.frames.at, "something follows the end".into()));
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), HistoryError> {
        let path = || self.frames.path.clone();
        let used = self.ops.len() as u64 * OP_BYTES + self.tokens as u64 * size_of::<Token>() as u64;
        if used > self.room {
            let needed = (used as f64 * self.frames.length as f64 / self.frames.at as f64) as u64;
            return Err(HistoryError::NoRoom { path: path(), needed, room: self.room });
        }
        if u32::try_from(self.ops.len()).is_err() {
            return Err(HistoryError::TooLarge { path: path() });
        }
        Ok(())
    }
}

/// Tells the operations of `job` where their tokens are stored, and empties the job for another frame.
fn settle(ops: &mut [OpRecord], tokens: &mut usize, job: &mut Job) {
    for (told, place) in job.told.drain(..).zip(job.places.drain(..)) {
        ops[told.op as usize].tokens_at = place;
    }
    *tokens = job.tokens.max(*tokens);
}

fn unreadable(path: &Path, offset: u64, why: Unreadable) -> HistoryError {
    match why {
        Unreadable::TooLarge => HistoryError::TooLarge { path: path.to_owned() },
        why => damaged(path, offset, why.to_string()),
    }
}

fn damaged(path: &Path, offset: u64, reason: String) -> HistoryError {
    HistoryError::Damaged { path: path.to_owned(), offset, reason }
}

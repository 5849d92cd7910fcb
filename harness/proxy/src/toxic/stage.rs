//! The building blocks of toxics. A [`Stage`] is one toxic on one link: it looks at its [`Inbox`] and says what happens
//! next. It is a pure state machine: time is passed in, and nothing in it waits.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_xoshiro::Xoshiro256PlusPlus;

/// A number that a client gave, as Toxiproxy's toxics take it: below zero counts as zero.
pub(super) fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// The randomness of one toxic on one link.
pub type ToxicRng = Xoshiro256PlusPlus;

/// Bytes read from the sender in one piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The bytes; never empty.
    pub bytes: Bytes,
    /// When it was read from the sender.
    pub read: Instant,
    /// When it entered its current stage.
    pub entered: Instant,
    /// Whether it is the first of a transfer.
    pub opens: bool,
}

/// What a stage does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Forward these bytes.
    Pass(Chunk),
    /// Forward nothing before this instant or, without one, before more data arrives.
    Wait(Option<Instant>),
    /// Everything that the sender sent before it ended the stream has passed.
    End,
    /// Everything that may pass has passed; close both sides of the connection.
    Close,
    /// Reset both sides of the connection.
    Reset,
}

/// What happens to a connection when a toxic is removed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// Data that the toxic held is forwarded immediately.
    Flow,
    /// The toxic has swallowed data, so the connection cannot continue.
    Close,
}

/// One toxic, active on one link.
pub trait Stage: Send {
    /// How many bytes may wait in the inbox before the sender is held back.
    fn capacity(&self) -> usize {
        64 * 1024
    }

    /// The next step. Called again after every [`Step::Pass`].
    fn step(&mut self, inbox: &mut Inbox, now: Instant) -> Step;

    /// What happens to the connection when this toxic is removed.
    fn undo(&self) -> Undo {
        Undo::Flow
    }
}

/// Data that has entered a stage and not left it. It survives changes of the toxic's attributes.
#[derive(Debug)]
pub struct Inbox {
    chunks: VecDeque<Chunk>,
    held: usize,
    passed: u64,
    swallowed: u64,
    since: Instant,
    first: Option<Instant>,
    ended: Option<Instant>,
    closing: bool,
}

impl Inbox {
    /// The empty inbox of a toxic that takes hold of a link at `now`.
    pub fn new(now: Instant) -> Self {
        let chunks = VecDeque::new();
        Self { chunks, held: 0, passed: 0, swallowed: 0, since: now, first: None, ended: None, closing: false }
    }

    /// Accepts `chunk`, which leaves the previous stage at `now`.
    pub fn push(&mut self, mut chunk: Chunk, now: Instant) {
        chunk.entered = now;
        self.held += chunk.bytes.len();
        self.first.get_or_insert(now);
        self.chunks.push_back(chunk);
    }

    /// Notes that nothing more will come because the sender has ended the stream.
    pub fn end(&mut self, now: Instant) {
        self.ended.get_or_insert(now);
    }

    /// Notes that nothing more will come because an earlier stage closes the connection.
    pub fn close(&mut self, now: Instant) {
        self.end(now);
        self.closing = true;
    }

    /// The next chunk to leave.
    pub fn front(&self) -> Option<&Chunk> {
        self.chunks.front()
    }

    /// Forwards the next chunk unchanged, or the end after the last one.
    pub fn forward(&mut self) -> Step {
        self.forward_at_most(usize::MAX)
    }

    /// Like [`Inbox::forward`], but forwards at most `limit` bytes of the next chunk and keeps the rest.
    pub fn forward_at_most(&mut self, limit: usize) -> Step {
        let Some(front) = self.chunks.front_mut() else {
            return match self.ended {
                Some(_) if self.closing => Step::Close,
                Some(_) => Step::End,
                None => Step::Wait(None),
            };
        };
        let mut piece = front.clone();
        if front.bytes.len() > limit {
            piece.bytes = front.bytes.split_to(limit);
            front.opens = false;
        } else {
            self.chunks.pop_front();
        }
        self.held -= piece.bytes.len();
        self.passed += piece.bytes.len() as u64;
        Step::Pass(piece)
    }

    /// Joins the next chunk with the one after it. Returns whether there was one.
    pub fn join(&mut self) -> bool {
        if self.chunks.len() < 2 {
            return false;
        }
        if let (Some(mut first), Some(second)) = (self.chunks.pop_front(), self.chunks.pop_front()) {
            first.bytes = [first.bytes, second.bytes].concat().into();
            self.chunks.push_front(first);
        }
        true
    }

    /// Swallows everything held.
    pub fn swallow(&mut self) {
        self.swallowed += self.held as u64;
        self.held = 0;
        self.chunks.clear();
    }

    /// Removes and returns everything held.
    pub fn empty(&mut self) -> VecDeque<Chunk> {
        self.held = 0;
        std::mem::take(&mut self.chunks)
    }

    /// Bytes swallowed since the last call.
    pub fn take_swallowed(&mut self) -> u64 {
        std::mem::take(&mut self.swallowed)
    }

    /// Bytes waiting here.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Chunks waiting here.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Bytes forwarded since the toxic took hold of this link.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// When the toxic took hold of this link.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// When the first data, or the end, arrived.
    pub fn touched(&self) -> Option<Instant> {
        self.first.or(self.ended)
    }

    /// When the stream ended.
    pub fn ended(&self) -> Option<Instant> {
        self.ended
    }
}

/// `delay` after `start`, or so far ahead that the difference does not matter.
pub fn after(start: Instant, delay: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
    start + delay.min(FAR)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// The inbox of a stage under test, with a clock that the test controls.
    pub struct Bench<S> {
        pub stage: S,
        pub inbox: Inbox,
        zero: Instant,
        now: Instant,
    }

    impl<S: Stage> Bench<S> {
        pub fn new(make: impl FnOnce(Instant) -> S) -> Self {
            let zero = Instant::now();
            Self { stage: make(zero), inbox: Inbox::new(zero), zero, now: zero }
        }

        /// Sets the clock to `ms` after the toxic took hold.
        pub fn at(&mut self, ms: u64) -> &mut Self {
            self.now = self.zero + Duration::from_millis(ms);
            self
        }

        /// Receives the first chunk of a transfer.
        pub fn push(&mut self, data: &'static [u8]) -> &mut Self {
            self.chunk(data, true)
        }

        /// Receives a further chunk of the same transfer.
        pub fn more(&mut self, data: &'static [u8]) -> &mut Self {
            self.chunk(data, false)
        }

        /// Ends the stream.
        pub fn end(&mut self) -> &mut Self {
            self.inbox.end(self.now);
            self
        }

        fn chunk(&mut self, data: &'static [u8], opens: bool) -> &mut Self {
            let chunk = Chunk { bytes: Bytes::from_static(data), read: self.now, entered: self.now, opens };
            self.inbox.push(chunk, self.now);
            self
        }

        /// Runs the stage: returns each piece it passes, and then what it waits for (`wait 150` is an alarm at 150 ms).
        pub fn steps(&mut self) -> Vec<String> {
            let mut seen = Vec::new();
            loop {
                match self.stage.step(&mut self.inbox, self.now) {
                    Step::Pass(chunk) => seen.push(String::from_utf8_lossy(&chunk.bytes).into_owned()),
                    Step::Wait(None) => seen.push("wait".into()),
                    Step::Wait(Some(at)) => seen.push(format!("wait {}", (at - self.zero).as_millis())),
                    Step::End => seen.push("end".into()),
                    Step::Close => seen.push("close".into()),
                    Step::Reset => seen.push("reset".into()),
                }
                if !matches!(seen.last().map(String::as_str), Some(last) if !is_final(last)) {
                    return seen;
                }
            }
        }
    }

    fn is_final(step: &str) -> bool {
        step.starts_with("wait") || ["end", "close", "reset"].contains(&step)
    }
}

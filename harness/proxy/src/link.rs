//! One direction of one connection. Without toxics, data is forwarded immediately, through one buffer that all links of
//! the thread share; with toxics, it goes through their [`Chain`].

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::chain::{Chain, Wanted};
use super::stats::{Counters, LinkCounters, add};
use super::toxic::{Chunk, Direction, Step};

/// Large enough to hold a 50 KB session in one read.
const BUFFER: usize = 64 * 1024;

/// After this much silence, a sender starts a new transfer.
const PAUSE: Duration = Duration::from_millis(5);

thread_local! {
    /// Shared because nothing stays in it between polls: it stays hot in the cache, however many connections there are.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// The state of a link after a poll.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It waits for the sockets and, if set, for this instant.
    Waiting(Option<Instant>),
    /// The sender has ended the stream, and the receiver has been told.
    Done,
    /// A toxic closes the connection.
    Close,
    /// A toxic resets the connection.
    Reset,
}

/// Whose turn it is on a connection, to tell where one transfer ends and the next starts.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    last: Option<(Direction, Instant)>,
}

impl Turns {
    /// Whether data in `direction` at `now` starts a transfer.
    fn opens(&mut self, direction: Direction, now: Instant) -> bool {
        let goes_on = self.last.is_some_and(|(last, at)| last == direction && now - at < PAUSE);
        self.last = Some((direction, now));
        !goes_on
    }
}

/// The two ends of a link during a poll.
pub(crate) struct Ends<'a> {
    pub source: &'a mut TcpStream,
    pub sink: &'a mut TcpStream,
    pub turns: &'a mut Turns,
}

/// One direction of one connection.
pub(crate) struct Link {
    direction: Direction,
    counters: Arc<Counters>,
    chain: Chain,
    /// Data waiting for a receiver that could not accept it yet.
    pending: VecDeque<Bytes>,
    ended: bool,
    done: bool,
}

impl Link {
    pub fn new(direction: Direction, counters: Arc<Counters>, chain: Chain) -> Self {
        Self { direction, counters, chain, pending: VecDeque::new(), ended: false, done: false }
    }

    /// Activates the wanted toxics. Returns whether the connection can continue.
    pub fn reshape(&mut self, wanted: Vec<Wanted>, now: Instant) -> bool {
        let released = self.chain.reshape(wanted, now);
        for chunk in released.chunks {
            self.let_go(chunk, now);
        }
        if self.ended {
            self.chain.end(now);
        }
        !released.close
    }

    /// Moves all data that can move now.
    pub fn poll(&mut self, cx: &mut Context<'_>, ends: &mut Ends<'_>, now: Instant) -> io::Result<Flow> {
        if self.done {
            Ok(Flow::Done)
        } else if self.chain.is_empty() {
            self.pass_through(cx, ends, now)
        } else {
            self.through_toxics(cx, ends)
        }
    }

    fn pass_through(&mut self, cx: &mut Context<'_>, ends: &mut Ends<'_>, now: Instant) -> io::Result<Flow> {
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                if !self.flush(cx, ends)? {
                    return Ok(Flow::Waiting(None));
                }
                if self.ended {
                    return self.finish(cx, ends);
                }
                let Poll::Ready(data) = read(cx, ends, scratch)? else { return Ok(Flow::Waiting(None)) };
                if data.is_empty() {
                    self.ended = true;
                    continue;
                }
                self.count(data.len(), ends, now);
                let written = match Pin::new(&mut *ends.sink).poll_write(cx, data)? {
                    Poll::Ready(written) => written,
                    Poll::Pending => 0,
                };
                add(&self.counters().sent, written as u64);
                if written < data.len() {
                    self.pending.push_back(Bytes::copy_from_slice(&data[written..]));
                }
            }
        })
    }

    fn through_toxics(&mut self, cx: &mut Context<'_>, ends: &mut Ends<'_>) -> io::Result<Flow> {
        loop {
            // Use one instant for reading and releasing, so that data that is not held shows no delay.
            let now = Instant::now();
            let has_room = self.chain.has_room() && !self.ended;
            let filled = has_room && self.fill(cx, ends, now)?;
            let mut until = None;
            while self.flush(cx, ends)? {
                match self.chain.step(now) {
                    Step::Pass(chunk) => self.let_go(chunk, now),
                    Step::Wait(at) => {
                        until = at;
                        break;
                    }
                    Step::End => return self.finish(cx, ends),
                    Step::Close => return Ok(Flow::Close),
                    Step::Reset => return Ok(Flow::Reset),
                }
            }
            let swallowed = self.chain.take_swallowed();
            add(&self.counters().dropped, swallowed);
            // Read into the room just freed, so that data that has already arrived needs no further wake-up.
            let made_room = !has_room && !self.ended && self.chain.has_room();
            if !filled && !made_room {
                return Ok(Flow::Waiting(until));
            }
        }
    }

    /// Reads once into the chain. Returns whether there was something to read.
    fn fill(&mut self, cx: &mut Context<'_>, ends: &mut Ends<'_>, now: Instant) -> io::Result<bool> {
        SCRATCH.with_borrow_mut(|scratch| {
            let Poll::Ready(data) = read(cx, ends, scratch)? else { return Ok(false) };
            if data.is_empty() {
                self.ended = true;
                self.chain.end(now);
            } else {
                let opens = self.count(data.len(), ends, now);
                self.chain.push(Chunk { bytes: Bytes::copy_from_slice(data), read: now, entered: now, opens }, now);
            }
            Ok(true)
        })
    }

    /// Counts what was read; returns whether it starts a transfer.
    fn count(&self, bytes: usize, ends: &mut Ends<'_>, now: Instant) -> bool {
        add(&self.counters().received, bytes as u64);
        let opens = ends.turns.opens(self.direction, now);
        if opens {
            add(&self.counters().transfers, 1);
        }
        opens
    }

    /// Forwards a chunk to the receiver, and counts it if it was held.
    fn let_go(&mut self, chunk: Chunk, now: Instant) {
        let held = now - chunk.read;
        if chunk.opens && !held.is_zero() {
            add(&self.counters().delayed, 1);
            add(&self.counters().delay_nanos, held.as_nanos() as u64);
        }
        self.pending.push_back(chunk.bytes);
    }

    /// Writes pending data. Returns whether everything was written.
    fn flush(&mut self, cx: &mut Context<'_>, ends: &mut Ends<'_>) -> io::Result<bool> {
        let sent = &self.counters.link(self.direction).sent;
        while let Some(next) = self.pending.front_mut() {
            let Poll::Ready(written) = Pin::new(&mut *ends.sink).poll_write(cx, next)? else { return Ok(false) };
            add(sent, written as u64);
            if written < next.len() {
                let _ = next.split_to(written);
            } else {
                self.pending.pop_front();
            }
        }
        Ok(true)
    }

    fn counters(&self) -> &LinkCounters {
        self.counters.link(self.direction)
    }

    /// Tells the receiver that the stream has ended; the other direction stays open.
    fn finish(&mut self, cx: &mut Context<'_>, ends: &mut Ends<'_>) -> io::Result<Flow> {
        match Pin::new(&mut *ends.sink).poll_shutdown(cx)? {
            Poll::Ready(()) => {
                self.done = true;
                Ok(Flow::Done)
            }
            Poll::Pending => Ok(Flow::Waiting(None)),
        }
    }
}

impl Drop for Link {
    /// Data that is still pending when the connection ends is lost.
    fn drop(&mut self) {
        let pending: usize = self.pending.iter().map(Bytes::len).sum();
        let lost = pending as u64 + self.chain.held() + self.chain.take_swallowed();
        add(&self.counters().dropped, lost);
    }
}

fn read<'a>(cx: &mut Context<'_>, ends: &mut Ends<'_>, scratch: &'a mut [u8]) -> io::Result<Poll<&'a [u8]>> {
    let mut buffer = ReadBuf::new(scratch);
    match Pin::new(&mut *ends.source).poll_read(cx, &mut buffer)? {
        Poll::Ready(()) => {
            let filled = buffer.filled().len();
            Ok(Poll::Ready(&scratch[..filled]))
        }
        Poll::Pending => Ok(Poll::Pending),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_lasts_until_the_other_side_speaks_or_the_sender_pauses() {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let mut turns = Turns::default();
        assert!(turns.opens(Direction::Upstream, at(0)));
        assert!(!turns.opens(Direction::Upstream, at(1)));
        assert!(turns.opens(Direction::Downstream, at(1)));
        assert!(!turns.opens(Direction::Downstream, at(4)));
        assert!(!turns.opens(Direction::Downstream, at(8)));
        assert!(turns.opens(Direction::Downstream, at(20)));
        assert!(turns.opens(Direction::Upstream, at(20)));
    }
}

//! The streams of a load's operations: those of an open block with their instants, and those of one virtual user with its pauses.

use rand::RngExt;
use rand_distr::{Distribution, Exp1};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::arrivals::Arrivals;
use super::block::{Replay, Think};
use super::script::{Numbers, Script};
use crate::clock::Nanos;
use crate::history::{OpKind, SessionNo};
use crate::target::Operation;

/// One operation and when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// The due time.
    pub at: Nanos,
    /// The operation.
    pub op: Operation,
}

/// The operations of an open block.
#[derive(Debug, Clone)]
pub struct OpenStream(Operations);

#[derive(Debug, Clone)]
enum Operations {
    Drawn { arrivals: Arrivals, script: Box<Script> },
    Recorded { replay: Replay, at: Nanos, first: SessionNo, next: usize, numbers: Numbers },
}

impl OpenStream {
    pub(super) fn drawn(arrivals: Arrivals, script: Script) -> Self {
        Self(Operations::Drawn { arrivals, script: Box::new(script) })
    }

    /// The operations of a recording from `at` on, whose first session has the number `first`.
    pub(super) fn recorded(replay: Replay, at: Nanos, first: SessionNo, numbers: Numbers) -> Self {
        Self(Operations::Recorded { replay, at, first, next: 0, numbers })
    }
}

impl Iterator for OpenStream {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        match &mut self.0 {
            Operations::Drawn { arrivals, script } => {
                let at = arrivals.next()?;
                Some(Planned { at, op: script.next(at) })
            }
            Operations::Recorded { replay, at, first, next, numbers } => {
                let entry = replay.recording.entries().get(*next)?;
                let (index, turn) = numbers.operation(*next as u64);
                *next += 1;
                let session = *first + entry.key;
                let process = numbers.instances.process(session, turn);
                let op = Operation { index, kind: entry.kind, session, process, payload_bytes: entry.bytes };
                let op = match entry.kind {
                    OpKind::Command => op.of_recording(replay.others_before + entry.bytes),
                    _ => op,
                };
                Some(Planned { at: *at + (entry.at as f64 / replay.speed) as Nanos, op })
            }
        }
    }
}

/// The operations of one virtual user, each with the think time that follows, in nanoseconds. The stream is endless.
#[derive(Debug, Clone)]
pub struct UserStream {
    think: Think,
    pauses: Xoshiro256PlusPlus,
    script: Script,
}

impl UserStream {
    pub(super) fn new(think: Think, pauses: Xoshiro256PlusPlus, mut script: Script) -> Self {
        script.settling = 0; // the user has seen the answer to its create before it continues
        Self { think, pauses, script }
    }

    /// When this user starts, in nanoseconds after its block: users that think do not all start at once.
    pub(super) fn first_pause(&mut self) -> Nanos {
        match self.think {
            Think::Constant(pause) => (self.pauses.random::<f64>() * pause.as_nanos() as f64) as Nanos,
            Think::None | Think::Exponential(_) => self.pause(),
        }
    }

    fn pause(&mut self) -> Nanos {
        match self.think {
            Think::None => 0,
            Think::Constant(pause) => pause.as_nanos() as Nanos,
            Think::Exponential(mean) => {
                let drawn: f64 = Exp1.sample(&mut self.pauses);
                (drawn * mean.as_nanos() as f64) as Nanos
            }
        }
    }
}

impl Iterator for UserStream {
    type Item = (Operation, Nanos);

    fn next(&mut self) -> Option<(Operation, Nanos)> {
        let op = self.script.next(0);
        Some((op, self.pause()))
    }
}

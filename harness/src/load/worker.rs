//! What a worker's tasks share: the target, the clock, the recorder and the counters.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use firedrill_timer::Timer;
use tokio_util::sync::CancellationToken;

use super::recorder::Recorder;
use super::summary::WorkerSummary;
use super::waits::Waits;
use crate::clock::{Clock, Nanos};
use crate::history::{OpKind, SessionNo};
use crate::target::{Operation, Target};

/// Periods in which operations waited for a lane count as one if they are closer together than this.
const LANES_FULL_TOGETHER: Nanos = 10_000_000;

/// A target that blocks the thread for this long delays everything else on it.
const HELD: Nanos = 20_000_000;

/// What a worker's tasks share.
pub(super) struct Worker<T> {
    pub(super) target: Arc<T>,
    pub(super) clock: Clock,
    pub(super) timer: Timer,
    /// Cancelled when the load is stopped.
    pub(super) stop: CancellationToken,
    pub(super) recorder: Recorder,
    created: RefCell<Vec<SessionNo>>,
    next_index: Cell<u64>,
    max_slip: Cell<Nanos>,
    max_lag: Cell<Nanos>,
    lanes_full: RefCell<Vec<(Nanos, Nanos)>>,
    held: RefCell<Vec<(Nanos, Nanos)>>,
}

impl<T: Target> Worker<T> {
    pub(super) fn new(target: Arc<T>, clock: Clock, stop: CancellationToken, recorder: Recorder) -> io::Result<Self> {
        Ok(Self {
            target,
            clock,
            timer: Timer::start()?,
            stop,
            recorder,
            created: RefCell::default(),
            next_index: Cell::new(0),
            max_slip: Cell::new(0),
            max_lag: Cell::new(0),
            lanes_full: RefCell::default(),
            held: RefCell::default(),
        })
    }

    /// Creates the waits of one task.
    pub(super) fn waits(&self) -> Waits {
        Waits::new(self.clock, &self.timer, &self.stop)
    }

    /// Whether the load has been stopped.
    pub(super) fn stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Counts an operation that is about to be sent.
    pub(super) fn starts(&self, op: &Operation) {
        self.recorder.count(|counts| counts.started += 1);
        self.next_index.set(self.next_index.get().max(op.index + 1));
        if op.kind == OpKind::Create {
            // The final reads must look for it, whatever the outcome of the create.
            self.created.borrow_mut().push(op.session);
        }
    }

    /// Counts an operation of an open loop, released `lag` after its planned instant.
    pub(super) fn released(&self, lag: Nanos, late: Nanos) {
        self.recorder.count(|counts| {
            counts.planned += 1;
            counts.late += u64::from(lag > late);
        });
        self.max_lag.set(self.max_lag.get().max(lag));
    }

    /// Notes that operations waited for a lane from `from` to `to`.
    pub(super) fn lanes_were_full(&self, from: Nanos, to: Nanos) {
        let mut full = self.lanes_full.borrow_mut();
        match full.last_mut().filter(|last| from - last.1 < LANES_FULL_TOGETHER) {
            Some(last) => last.1 = to,
            None => full.push((from, to)),
        }
    }

    /// Notes that the target blocked the thread from `from` to `to`.
    pub(super) fn had_the_thread(&self, from: Nanos, to: Nanos) {
        if to - from >= HELD {
            self.held.borrow_mut().push((from, to));
        }
    }

    /// Notes how long after its planned instant an operation started.
    pub(super) fn slipped(&self, slip: Nanos) {
        self.max_slip.set(self.max_slip.get().max(slip));
    }

    /// What its tasks did, and the `cpu` and `wall` time it took.
    pub(super) fn summary(&self, cpu: Duration, wall: Duration) -> WorkerSummary {
        WorkerSummary {
            counts: self.recorder.counts(),
            cpu,
            busiest: self.recorder.busiest(),
            wall,
            max_slip: Duration::from_nanos(self.max_slip.get() as u64),
            max_lag: Duration::from_nanos(self.max_lag.get() as u64),
            next_index: self.next_index.get(),
            created: self.created.take(),
            lanes_full: self.lanes_full.take(),
            thread: nix::unistd::gettid().as_raw().unsigned_abs(),
            held: self.held.take(),
            refusals: self.recorder.refusals(),
        }
    }
}

//! The records of one worker. It fills its own buffers and delivers them whole, once per interval, so that recording an
//! operation needs no lock, no message and, once the buffers have grown to their size, no allocation.

use std::cell::{Cell, RefCell};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::refusals::Refusals;
use crate::clock::{Clock, Nanos};
use crate::history::{OpBatch, OpRecord, Outcome, Step};
use crate::measure::OpLatencies;
use crate::target::{Observation, Operation};

/// Once reads have returned this many tokens (32 MiB), the buffers are delivered before the interval ends.
const FULL: usize = 1 << 22;

/// An interval shorter than this, in nanoseconds, says nothing about how busy the thread is.
const SHORTEST_JUDGED: Nanos = 100_000_000;

/// How a worker's operations ended; running totals of the step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Operations that were due.
    pub planned: u64,
    /// Operations that were sent.
    pub started: u64,
    /// Operations that have an outcome, including `unknown`.
    pub completed: u64,
    /// Operations that were due but never sent: the queue was full, or the load ended.
    pub dropped: u64,
    /// Operations settled by the generator because the target did not return by the deadline or the load was stopped.
    pub abandoned: u64,
    /// Operations in which the target's client panicked; they count as unknown.
    pub panicked: u64,
    /// Operations released more than 10 ms after their planned instant, which is the generator's own fault.
    pub late: u64,
}

impl Counts {
    /// Adds the counts of another worker.
    pub fn add(&mut self, other: &Counts) {
        self.planned += other.planned;
        self.started += other.started;
        self.completed += other.completed;
        self.dropped += other.dropped;
        self.abandoned += other.abandoned;
        self.panicked += other.panicked;
        self.late += other.late;
    }
}

/// What a worker recorded in one interval.
#[derive(Debug)]
pub struct IntervalBatch {
    /// The worker, from 0.
    pub worker: usize,
    /// The step its operations belong to.
    pub step: Step,
    /// When the interval began.
    pub from: Nanos,
    /// When it ended.
    pub to: Nanos,
    /// The operations that ended within it.
    pub ops: OpBatch,
    /// Their latencies.
    pub latencies: OpLatencies,
    /// The worker's totals up to `to`.
    pub counts: Counts,
    /// CPU time of the worker's thread within the interval.
    pub cpu: Duration,
    home: Option<Sender<Buffers>>,
}

impl IntervalBatch {
    /// Returns the buffers to the worker that filled them. Optional: otherwise the worker allocates new ones.
    pub fn recycle(mut self) {
        if let Some(home) = self.home.take() {
            self.ops.clear();
            self.latencies.clear();
            // A worker that has ended needs no buffers.
            let _ = home.send(Buffers { ops: self.ops, latencies: self.latencies });
        }
    }
}

#[derive(Debug, Default)]
struct Buffers {
    ops: OpBatch,
    latencies: OpLatencies,
}

/// Records the operations of one worker.
pub struct Recorder {
    clock: Clock,
    worker: usize,
    step: Step,
    filling: RefCell<Buffers>,
    counts: Cell<Counts>,
    refusals: RefCell<Refusals>,
    from: Cell<Nanos>,
    cpu_at: Cell<Duration>,
    busiest: Cell<f64>,
    sink: Sender<IntervalBatch>,
    home: Sender<Buffers>,
    returned: Receiver<Buffers>,
}

impl Recorder {
    /// Creates a recorder. Call it on the worker's thread, whose CPU time it reports.
    pub fn new(clock: Clock, worker: usize, step: Step, sink: Sender<IntervalBatch>) -> Self {
        let (home, returned) = channel();
        Self {
            clock,
            worker,
            step,
            filling: RefCell::default(),
            counts: Cell::default(),
            refusals: RefCell::default(),
            from: Cell::new(clock.now()),
            cpu_at: Cell::new(thread_cpu()),
            busiest: Cell::new(0.0),
            sink,
            home,
            returned,
        }
    }

    /// Records a finished operation.
    #[inline]
    pub fn record(
        &self,
        op: &Operation,
        seen: &Observation,
        outcome: Outcome,
        planned: Nanos,
        started: Nanos,
        ended: Nanos,
    ) {
        let full = {
            let filling = &mut *self.filling.borrow_mut();
            let tokens = &mut filling.ops.tokens;
            filling.ops.ops.push(OpRecord {
                index: op.index,
                planned,
                started,
                ended,
                version: seen.version,
                session: op.session,
                process: op.process,
                owner: seen.owner.unwrap_or(OpRecord::NO_OWNER),
                tokens_at: tokens.len() as u32,
                tokens_len: seen.tokens.len() as u32,
                kind: op.kind,
                step: self.step,
                outcome,
                presence: seen.presence,
                cause: seen.cause,
            });
            tokens.extend_from_slice(&seen.tokens);
            filling.latencies.record(op.kind, outcome.into(), planned, started, ended);
            tokens.len() >= FULL
        };
        self.count(|counts| counts.completed += 1);
        if let Some(answer) = &seen.refusal {
            self.refusals.borrow_mut().add(answer, 1);
        }
        if full {
            self.hand_over();
        }
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }

    /// The thread's highest busy share in any interval.
    pub(super) fn busiest(&self) -> f64 {
        self.busiest.get()
    }

    /// The server's refusals.
    pub(super) fn refusals(&self) -> Refusals {
        self.refusals.borrow().clone()
    }

    /// The totals so far.
    pub fn counts(&self) -> Counts {
        self.counts.get()
    }

    /// Ends the interval: sends the records to the sink and continues in recycled buffers.
    pub fn hand_over(&self) {
        let empty = self.returned.try_recv().unwrap_or_default();
        let full = self.filling.replace(empty);
        let (now, cpu_now) = (self.clock.now(), thread_cpu());
        let from = self.from.replace(now);
        let cpu = cpu_now.saturating_sub(self.cpu_at.replace(cpu_now));
        if now - from > SHORTEST_JUDGED {
            self.busiest.set(self.busiest.get().max(cpu.as_nanos() as f64 / (now - from) as f64));
        }
        let batch = IntervalBatch {
            worker: self.worker,
            step: self.step,
            from,
            to: now,
            ops: full.ops,
            latencies: full.latencies,
            counts: self.counts.get(),
            cpu,
            home: Some(self.home.clone()),
        };
        // The load continues even without a receiver.
        let _ = self.sink.send(batch);
    }
}

/// CPU time used by the calling thread.
pub(super) fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Cause, OpKind, Presence};

    fn operation(index: u64) -> Operation {
        Operation { index, kind: OpKind::Read, session: 3, process: 4, payload_bytes: 0 }
    }

    #[test]
    fn an_operation_is_recorded_with_everything_that_was_seen() {
        let (sink, batches) = channel();
        let recorder = Recorder::new(Clock::starting_in(Duration::ZERO), 5, Step::Load, sink);
        let mut seen = Observation { owner: Some(3), version: 8, presence: Presence::Present, ..Default::default() };
        seen.tokens.extend([11, 12]);
        recorder.record(&operation(1), &Observation::default(), Outcome::Failed, 10, 20, 30);
        recorder.record(&operation(2), &seen, Outcome::Ok, 40, 50, 60);
        recorder.hand_over();
        let batch = batches.recv().unwrap();
        assert_eq!((batch.worker, batch.step, batch.counts.completed), (5, Step::Load, 2));
        assert_eq!(batch.ops.ops[0].owner, OpRecord::NO_OWNER);
        let expected = OpRecord {
            index: 2,
            planned: 40,
            started: 50,
            ended: 60,
            version: 8,
            session: 3,
            process: 4,
            owner: 3,
            tokens_at: 0,
            tokens_len: 2,
            kind: OpKind::Read,
            step: Step::Load,
            outcome: Outcome::Ok,
            presence: Presence::Present,
            cause: Cause::None,
        };
        assert_eq!(batch.ops.ops[1], expected);
        assert_eq!(batch.ops.tokens_of(&expected), [11, 12]);
        assert_eq!(batch.latencies.count(|_, outcome| outcome == Outcome::Ok.into()), 1);
    }

    #[test]
    fn buffers_that_come_back_are_used_again_and_empty() {
        let (sink, batches) = channel();
        let recorder = Recorder::new(Clock::starting_in(Duration::ZERO), 0, Step::Load, sink);
        for index in 0..1000 {
            recorder.record(&operation(index), &Observation::default(), Outcome::Ok, 0, 0, 0);
        }
        recorder.hand_over();
        let first = batches.recv().unwrap();
        let memory = first.ops.ops.as_ptr();
        first.recycle();
        recorder.hand_over(); // the second interval took its buffers before the first interval's came back
        recorder.record(&operation(7), &Observation::default(), Outcome::Ok, 0, 0, 0);
        recorder.hand_over();
        let third = batches.iter().nth(1).unwrap();
        assert_eq!((third.ops.ops.as_ptr(), third.ops.ops.len()), (memory, 1));
        assert_eq!(third.latencies.count(|_, _| true), 1);
    }

    #[test]
    fn many_tokens_hand_the_buffers_over_before_the_interval_ends() {
        let (sink, batches) = channel();
        let recorder = Recorder::new(Clock::starting_in(Duration::ZERO), 0, Step::Load, sink);
        let mut seen = Observation::default();
        seen.tokens.resize(FULL / 4, 1);
        for index in 0..5 {
            recorder.record(&operation(index), &seen, Outcome::Ok, 0, 0, 0);
        }
        assert_eq!(batches.try_recv().unwrap().ops.ops.len(), 4);
        assert!(batches.try_recv().is_err());
    }
}

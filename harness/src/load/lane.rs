//! A lane: one client that executes one operation at a time, within its deadline.
//!
//! Deadlines cost nothing per operation. A lane notes when its operation must be settled. One table per block checks
//! its lanes and sleeps until the earliest of these instants: no operation that starts later can be due earlier.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::worker::Worker;
use crate::clock::{Clock, Nanos};
use crate::history::{Cause, Outcome};
use crate::target::{Client, Observation, Operation, Target};

/// The part of a lane that the deadline table and the worker's other tasks can access.
#[derive(Default)]
pub(super) struct Slot {
    /// When the operation in flight must be settled.
    settle_by: Cell<Option<Nanos>>,
    expired: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Slot {
    /// Polls the lane's task again.
    pub(super) fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Stores the waker; polling again with the same waker costs only a comparison.
    pub(super) fn attend(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
    }

    fn expire(&self) {
        self.expired.set(true);
        self.wake();
    }
}

/// Watches the deadlines of a block's lanes.
pub(super) struct Deadlines {
    deadline: Nanos,
    slots: RefCell<Vec<Rc<Slot>>>,
}

impl Deadlines {
    pub(super) fn new(deadline: Nanos) -> Self {
        Self { deadline, slots: RefCell::default() }
    }

    fn enrol(&self) -> Rc<Slot> {
        let slot = Rc::new(Slot::default());
        self.slots.borrow_mut().push(Rc::clone(&slot));
        slot
    }

    /// Settles overdue operations for as long as it is polled.
    pub(super) async fn keep(&self, clock: Clock) {
        loop {
            let next = self.settle_overdue(clock.now());
            tokio::time::sleep_until(clock.instant(next).into()).await;
        }
    }

    /// Settles every operation in flight.
    pub(super) fn settle_all(&self) {
        self.settle_overdue(Nanos::MAX);
    }

    fn settle_overdue(&self, now: Nanos) -> Nanos {
        let mut next = now.saturating_add(self.deadline);
        for slot in self.slots.borrow().iter() {
            match slot.settle_by.get() {
                Some(due) if due <= now => slot.expire(),
                Some(due) => next = next.min(due),
                None => {}
            }
        }
        next
    }
}

enum Settled {
    Answered(Outcome),
    Abandoned,
    Panicked,
}

pub(super) struct Lane<T: Target> {
    worker: Rc<Worker<T>>,
    client: T::Client,
    seen: Observation,
    slot: Rc<Slot>,
    deadline: Nanos,
}

impl<T: Target> Lane<T> {
    pub(super) fn new(worker: Rc<Worker<T>>, deadlines: &Deadlines) -> Self {
        let client = worker.target.client();
        Self { worker, client, seen: Observation::default(), slot: deadlines.enrol(), deadline: deadlines.deadline }
    }

    pub(super) fn slot(&self) -> &Rc<Slot> {
        &self.slot
    }

    /// Opens what the client needs, ahead of its first operation. A panic shows in the operations.
    pub(super) async fn prepare(&mut self) {
        let mut preparing = pin!(self.client.prepare());
        poll_fn(|context| {
            let polled = catch_unwind(AssertUnwindSafe(|| preparing.as_mut().poll(context)));
            polled.unwrap_or(Poll::Ready(()))
        })
        .await;
    }

    /// Runs and records one operation that was due at `planned`. Returns when it ended.
    pub(super) async fn carry_out(&mut self, planned: Nanos, op: Operation) -> Nanos {
        self.seen.clear();
        self.worker.starts(&op);
        let started = self.worker.clock.now();
        self.slot.settle_by.set(Some(started + self.deadline));
        let settled = self.execute(&op).await;
        let ended = self.worker.clock.now();
        self.slot.settle_by.set(None);
        self.slot.expired.set(false);
        let outcome = match settled {
            Settled::Answered(outcome) => outcome,
            Settled::Abandoned => self.give_up(),
            Settled::Panicked => {
                self.client = self.worker.target.client();
                self.worker.recorder.count(|counts| counts.panicked += 1);
                self.give_up()
            }
        };
        self.worker.slipped(started - planned);
        self.worker.recorder.record(&op, &self.seen, outcome, planned, started, ended);
        ended
    }

    /// The client's reply takes precedence even after the deadline: an operation that is known to have ended must not
    /// be recorded as unknown.
    async fn execute(&mut self, op: &Operation) -> Settled {
        let (slot, worker) = (&self.slot, &self.worker);
        let mut execution = pin!(self.client.execute(op, &mut self.seen));
        poll_fn(|context| {
            let from = worker.clock.now();
            let polled = catch_unwind(AssertUnwindSafe(|| execution.as_mut().poll(context)));
            worker.had_the_thread(from, worker.clock.now());
            match polled {
                Ok(Poll::Ready(outcome)) => Poll::Ready(Settled::Answered(outcome)),
                Ok(Poll::Pending) if slot.expired.get() || worker.stopped() => Poll::Ready(Settled::Abandoned),
                Ok(Poll::Pending) => {
                    slot.attend(context);
                    Poll::Pending
                }
                Err(_) => Poll::Ready(Settled::Panicked),
            }
        })
        .await
    }

    fn give_up(&mut self) -> Outcome {
        self.seen.clear();
        self.seen.cause = Cause::Abandoned;
        self.worker.recorder.count(|counts| counts.abandoned += 1);
        Outcome::Unknown
    }
}

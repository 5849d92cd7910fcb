//! The open loop: operations start when they are due, no matter what happened to earlier ones.
//!
//! Above some thousand operations a second, those that fall into the same fraction of a millisecond are released together, at
//! its end: waking the thread for each takes more time than sending it. Their planned instants stay, and latencies count from
//! there.
//!
//! The lanes that the rate needs are there before the first operation; more are created on demand, up to a limit. Beyond it, operations queue, and their wait counts; once the queue is
//! full, they are dropped and counted. A free lane takes from the queue before it goes idle, so nothing queues while a
//! lane is idle.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;

use super::super::lane::{Deadlines, Lane, Slot};
use super::super::streams::Planned;
use super::super::worker::Worker;
use crate::clock::Nanos;
use crate::target::Target;

/// An operation released later than this after its planned instant counts against the generator.
const LATE: Nanos = 10_000_000;

/// The time whose operations are released together.
pub(in crate::load) const TICK: Nanos = 250_000;

/// At a lower rate of a worker, in operations a second, each is released at its own instant.
pub(in crate::load) const TOGETHER_ABOVE: f64 = 4_000.0;

/// How long before the first operation the lanes are made ready.
const AHEAD: Nanos = 250_000_000;

/// A worker's share of a block's limits.
#[derive(Debug, Clone, Copy)]
pub(in crate::load) struct LaneLimits {
    pub(in crate::load) lanes: usize,
    /// Lanes that are ready before the first operation.
    pub(in crate::load) ahead: usize,
    pub(in crate::load) queue: usize,
    pub(in crate::load) deadline: Duration,
    /// Operations are released at multiples of this; 0: each at its own instant.
    pub(in crate::load) tick: Nanos,
}

/// Releases `stream`, which begins at `begins`, and waits until every released operation is settled: at most two deadlines after the last one.
pub(in crate::load) async fn run<T: Target>(
    worker: Rc<Worker<T>>,
    deadlines: Rc<Deadlines>,
    limits: LaneLimits,
    begins: Nanos,
    stream: impl Iterator<Item = Planned>,
) {
    let pool = Rc::new(Pool::new(worker, deadlines, limits));
    let mut waits = pool.worker.waits();
    waits.until(begins - AHEAD).await;
    pool.open_ahead();
    for planned in stream {
        let now = waits.until(release(planned.at, limits.tick)).await;
        if pool.worker.stopped() {
            break;
        }
        pool.worker.released(now - planned.at, LATE);
        pool.offer(planned);
        tokio::task::consume_budget().await;
    }
    pool.finish().await;
}

/// When an operation that is due at `at` is released: never before.
fn release(at: Nanos, tick: Nanos) -> Nanos {
    match tick {
        0 => at,
        tick => (at + tick - 1).div_euclid(tick) * tick,
    }
}

/// A lane without work.
struct Idle {
    slot: Rc<Slot>,
    work: Rc<Cell<Option<Planned>>>,
}

struct Pool<T: Target> {
    worker: Rc<Worker<T>>,
    deadlines: Rc<Deadlines>,
    limits: LaneLimits,
    queue: RefCell<VecDeque<Planned>>,
    idle: RefCell<Vec<Idle>>,
    lanes: Cell<usize>,
    busy: Cell<usize>,
    settled: Notify,
    /// When operations started to wait for a lane.
    full_since: Cell<Option<Nanos>>,
}

impl<T: Target> Pool<T> {
    fn new(worker: Rc<Worker<T>>, deadlines: Rc<Deadlines>, limits: LaneLimits) -> Self {
        Self {
            worker,
            deadlines,
            limits,
            queue: RefCell::default(),
            idle: RefCell::default(),
            lanes: Cell::new(0),
            busy: Cell::new(0),
            settled: Notify::new(),
            full_since: Cell::new(None),
        }
    }

    /// Makes the first lanes ready, which then wait for work.
    fn open_ahead(self: &Rc<Self>) {
        for _ in 0..self.limits.ahead {
            self.lanes.set(self.lanes.get() + 1);
            self.busy.set(self.busy.get() + 1);
            tokio::task::spawn_local(Rc::clone(self).lane(None));
        }
    }

    /// Starts `planned` on the lane that became idle most recently (its connection is the warmest) or on a new one;
    /// otherwise queues or drops it.
    fn offer(self: &Rc<Self>, planned: Planned) {
        let idle = self.idle.borrow_mut().pop();
        if let Some(idle) = idle {
            self.busy.set(self.busy.get() + 1);
            idle.work.set(Some(planned));
            idle.slot.wake();
        } else if self.lanes.get() < self.limits.lanes {
            self.lanes.set(self.lanes.get() + 1);
            self.busy.set(self.busy.get() + 1);
            tokio::task::spawn_local(Rc::clone(self).lane(Some(planned)));
        } else if self.queue.borrow().len() < self.limits.queue {
            self.full_since.set(self.full_since.get().or_else(|| Some(self.worker.clock.now())));
            self.queue.borrow_mut().push_back(planned);
        } else {
            self.worker.recorder.count(|counts| counts.dropped += 1);
        }
    }

    async fn lane(self: Rc<Self>, first: Option<Planned>) {
        let mut lane = Lane::new(Rc::clone(&self.worker), &self.deadlines);
        let work = Rc::new(Cell::new(first));
        if first.is_none() {
            lane.prepare().await;
            self.rest(&lane, &work);
        }
        loop {
            let planned = self.wait(&lane, &work).await;
            lane.carry_out(planned.at, planned.op).await;
            tokio::task::consume_budget().await;
            let queued = if self.worker.stopped() { None } else { self.queue.borrow_mut().pop_front() };
            if self.queue.borrow().is_empty() {
                self.lanes_free();
            }
            match queued {
                Some(planned) => work.set(Some(planned)),
                None => self.rest(&lane, &work),
            }
        }
    }

    async fn wait(&self, lane: &Lane<T>, work: &Cell<Option<Planned>>) -> Planned {
        poll_fn(|context| match work.take() {
            Some(planned) => Poll::Ready(planned),
            None => {
                lane.slot().attend(context);
                Poll::Pending
            }
        })
        .await
    }

    /// Called when no operation waits for a lane any more.
    fn lanes_free(&self) {
        if let Some(since) = self.full_since.take() {
            self.worker.lanes_were_full(since, self.worker.clock.now());
        }
    }

    fn rest(&self, lane: &Lane<T>, work: &Rc<Cell<Option<Planned>>>) {
        self.idle.borrow_mut().push(Idle { slot: Rc::clone(lane.slot()), work: Rc::clone(work) });
        self.busy.set(self.busy.get() - 1);
        if self.busy.get() == 0 {
            self.settled.notify_one();
        }
    }

    async fn finish(&self) {
        if tokio::time::timeout(self.limits.deadline, self.all_settled()).await.is_err() {
            self.drop_queue();
            self.all_settled().await;
        }
        self.drop_queue(); // left over if the load was stopped
    }

    async fn all_settled(&self) {
        while self.busy.get() > 0 {
            self.settled.notified().await;
        }
    }

    fn drop_queue(&self) {
        self.lanes_free();
        let waiting = std::mem::take(&mut *self.queue.borrow_mut()).len() as u64;
        self.worker.recorder.count(|counts| counts.dropped += waiting);
    }
}

//! One worker: a thread with its own runtime, its share of every block, and a recorder.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use tokio::runtime::LocalRuntime;

use super::alarm::Alarm;
use super::closed::{self, Hours, RateCap};
use super::lane::Watch;
use super::list;
use super::open::{self, Limits};
use super::plan::{LoadBlock, LoadPlan, Pacing};
use super::recorder::{IntervalBatch, Recorder, thread_cpu};
use super::stop::StopToken;
use super::summary::WorkerSummary;
use crate::clock::{Clock, Nanos};
use crate::history::{OpKind, SessionNo, Step};
use crate::target::{Operation, Target};

/// What all workers are given to do.
#[derive(Clone)]
pub(super) enum Job {
    Plan(Arc<LoadPlan>),
    List { operations: Arc<[Operation]>, lanes: usize, deadline: Duration },
}

/// What a worker is made of.
pub(super) struct Order<T> {
    pub(super) target: Arc<T>,
    pub(super) clock: Clock,
    pub(super) stop: StopToken,
    pub(super) interval: Duration,
    pub(super) step: Step,
    pub(super) job: Job,
    pub(super) share: Share,
    pub(super) sink: Sender<IntervalBatch>,
}

/// Which part of the work is this worker's: every `of`-th piece, from number `worker`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) worker: usize,
    pub(super) of: usize,
}

impl Share {
    /// The part of `total` equal things that falls to this worker.
    fn part(&self, total: usize) -> usize {
        total / self.of + usize::from(self.worker < total % self.of)
    }

    /// The share where only as many workers take part as there are places; `None` where this one does not.
    fn among(&self, places: usize) -> Option<Share> {
        let of = self.of.min(places);
        (self.worker < of).then_some(Share { worker: self.worker, of })
    }
}

/// What the tasks of one worker share.
pub(super) struct Worker<T> {
    pub(super) target: Arc<T>,
    pub(super) clock: Clock,
    pub(super) alarm: Alarm,
    pub(super) recorder: Recorder,
    created: RefCell<Vec<SessionNo>>,
    next_index: Cell<u64>,
    max_slip: Cell<Nanos>,
    max_lag: Cell<Nanos>,
}

impl<T: Target> Worker<T> {
    /// Counts an operation that is about to be sent.
    pub(super) fn starts(&self, op: &Operation) {
        self.recorder.count(|counts| counts.started += 1);
        self.next_index.set(self.next_index.get().max(op.index + 1));
        if op.kind == OpKind::Create {
            // whatever its outcome, the final reads must look for it
            self.created.borrow_mut().push(op.session);
        }
    }

    /// Counts an operation of an open loop that was released `lag` after its planned instant.
    pub(super) fn released(&self, lag: Nanos, late: Nanos) {
        self.recorder.count(|counts| {
            counts.planned += 1;
            counts.late += u64::from(lag > late);
        });
        self.max_lag.set(self.max_lag.get().max(lag));
    }

    /// Notes how long after its planned instant an operation started.
    pub(super) fn slipped(&self, slip: Nanos) {
        self.max_slip.set(self.max_slip.get().max(slip));
    }
}

/// The runtime of a worker. Built apart from its use, so that a load begins on all workers or on none.
pub(super) fn runtime() -> io::Result<LocalRuntime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())
}

/// Does this worker's share and says how it went.
pub(super) fn run<T: Target>(runtime: LocalRuntime, order: Order<T>) -> io::Result<WorkerSummary> {
    let summary = runtime.block_on(work(order));
    // a client may have left a name look-up on the blocking pool, which nobody needs any more
    runtime.shutdown_background();
    summary
}

async fn work<T: Target>(order: Order<T>) -> io::Result<WorkerSummary> {
    let Order { target, clock, stop, interval, step, job, share, sink } = order;
    let (begun, cpu) = (Instant::now(), thread_cpu());
    let worker = Rc::new(Worker {
        target,
        clock,
        alarm: Alarm::new(clock)?,
        recorder: Recorder::new(clock, share.worker, step, sink),
        created: RefCell::default(),
        next_index: Cell::new(0),
        max_slip: Cell::new(0),
        max_lag: Cell::new(0),
    });
    let shift = Shift { worker: Rc::clone(&worker), stop };
    let alarm = Rc::clone(&worker);
    let alarm = tokio::task::spawn_local(async move { alarm.alarm.drive().await });
    let ticks = tokio::task::spawn_local(hand_over_each(Rc::clone(&worker), interval));
    match job {
        Job::Plan(plan) => shift.plan(plan, share).await,
        Job::List { operations, lanes, deadline } => shift.list(operations, lanes, deadline, share).await,
    }
    ticks.abort();
    alarm.abort();
    worker.recorder.hand_over();
    Ok(WorkerSummary {
        counts: worker.recorder.counts(),
        cpu: thread_cpu().saturating_sub(cpu),
        busiest: worker.recorder.busiest(),
        wall: begun.elapsed(),
        max_slip: Duration::from_nanos(worker.max_slip.get() as u64),
        max_lag: Duration::from_nanos(worker.max_lag.get() as u64),
        next_index: worker.next_index.get(),
        created: worker.created.take(),
    })
}

/// Hands the buffers over at every multiple of `interval` on the drill's clock, so that all workers do it together.
async fn hand_over_each<T: Target>(worker: Rc<Worker<T>>, interval: Duration) {
    let interval = interval.as_nanos().max(1) as Nanos;
    loop {
        let next = (worker.clock.now().div_euclid(interval) + 1) * interval;
        worker.alarm.until(next).await;
        if worker.alarm.stopped() {
            break;
        }
        worker.recorder.hand_over();
    }
}

struct Shift<T> {
    worker: Rc<Worker<T>>,
    stop: StopToken,
}

impl<T: Target> Shift<T> {
    async fn plan(&self, plan: Arc<LoadPlan>, share: Share) {
        let (mut watches, mut blocks) = (Vec::new(), Vec::new());
        for (number, block) in plan.blocks().iter().enumerate() {
            let places = match block.pacing {
                Pacing::Open { .. } => block.max_in_flight,
                Pacing::Closed { users, .. } => users,
            };
            if let Some(share) = share.among(places as usize) {
                let watch = Rc::new(Watch::new(block.deadline_ns()));
                watches.push(Rc::clone(&watch));
                let worker = Rc::clone(&self.worker);
                blocks.push(tokio::task::spawn_local(run_block(worker, watch, Arc::clone(&plan), number, share)));
            }
        }
        self.attend(watches, async {
            for block in blocks {
                // a block's task is not cancelled
                let _ = block.await;
            }
        })
        .await;
    }

    async fn list(&self, operations: Arc<[Operation]>, lanes: usize, deadline: Duration, share: Share) {
        let Some(share) = share.among(lanes) else { return };
        let watch = Rc::new(Watch::new(deadline.as_nanos() as Nanos));
        let mine = (share.worker..operations.len()).step_by(share.of).map(move |place| operations[place]);
        let run = list::run(Rc::clone(&self.worker), Rc::clone(&watch), share.part(lanes), mine);
        self.attend(vec![watch], run).await;
    }

    /// Waits for `work` while its deadlines are watched; on a stop, settles what is under way.
    async fn attend(&self, watches: Vec<Rc<Watch>>, work: impl Future<Output = ()>) {
        let clock = self.worker.clock;
        let watching: Vec<_> = watches
            .iter()
            .map(|watch| {
                let watch = Rc::clone(watch);
                tokio::task::spawn_local(async move { watch.keep(clock).await })
            })
            .collect();
        let (worker, stop) = (Rc::clone(&self.worker), self.stop.clone());
        let stopping = tokio::task::spawn_local(async move {
            stop.stopped().await;
            worker.alarm.stop();
            for watch in &watches {
                watch.settle_all();
            }
        });
        work.await;
        stopping.abort();
        for watch in watching {
            watch.abort();
        }
    }
}

async fn run_block<T: Target>(
    worker: Rc<Worker<T>>,
    watch: Rc<Watch>,
    plan: Arc<LoadPlan>,
    number: usize,
    share: Share,
) {
    let block: &LoadBlock = &plan.blocks()[number];
    match block.pacing {
        Pacing::Open { .. } => {
            let limits = Limits {
                lanes: share.part(block.max_in_flight as usize),
                queue: share.part(block.queue as usize),
                deadline: block.deadline,
            };
            let stream = plan.open(number).into_iter().flatten().skip(share.worker).step_by(share.of);
            open::run(worker, watch, limits, stream).await;
        }
        Pacing::Closed { users, rate_cap, .. } => {
            let mine = share.part(users as usize);
            let cap = rate_cap.map(|rate| RateCap::per_second(rate * mine as f64 / f64::from(users), block.at));
            let hours = Hours { from: block.at, to: block.end(), cap: cap.map(Rc::new) };
            let streams = (0..users).skip(share.worker).step_by(share.of).filter_map(|user| plan.user(number, user));
            closed::run(worker, watch, hours, streams).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_whole() {
        let parts = |total| (0..3).map(|worker| Share { worker, of: 3 }.part(total)).collect::<Vec<_>>();
        assert_eq!(parts(7), [3, 2, 2]);
        assert_eq!(parts(64), [22, 21, 21]);
    }

    #[test]
    fn with_fewer_places_than_workers_some_workers_stay_out() {
        let share = |worker| Share { worker, of: 4 }.among(2);
        assert_eq!(share(0), Some(Share { worker: 0, of: 2 }));
        assert_eq!(share(1), Some(Share { worker: 1, of: 2 }));
        assert_eq!(share(2), None);
    }
}

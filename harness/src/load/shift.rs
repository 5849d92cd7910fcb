//! The shift of one worker, a thread with its own runtime: its share of every block of a plan, or of a list.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use tokio::runtime::LocalRuntime;
use tokio_util::sync::CancellationToken;

use super::block::{LoadBlock, Pacing};
use super::lane::Deadlines;
use super::pacing::closed::{self, Hours, RateCap};
use super::pacing::list;
use super::pacing::open::{self, LaneLimits};
use super::plan::LoadPlan;
use super::recorder::{IntervalBatch, Recorder, thread_cpu};
use super::summary::WorkerSummary;
use super::worker::Worker;
use crate::clock::{Clock, Nanos};
use crate::history::Step;
use crate::target::{Operation, Target};

/// Lanes of an open loop that are ready before it begins: as many as are busy if an operation takes this long.
const LANES_AHEAD: Duration = Duration::from_millis(10);

/// The work for all workers.
#[derive(Clone)]
pub(super) enum Job {
    Plan(Arc<LoadPlan>),
    List { operations: Arc<[Operation]>, lanes: usize, deadline: Duration },
}

/// Everything a worker needs.
pub(super) struct Order<T> {
    pub(super) target: Arc<T>,
    pub(super) clock: Clock,
    pub(super) stop: CancellationToken,
    pub(super) interval: Duration,
    pub(super) step: Step,
    pub(super) job: Job,
    pub(super) share: WorkerShare,
    pub(super) sink: Sender<IntervalBatch>,
}

/// This worker's part of the work: every `of`-th piece, starting with number `worker`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WorkerShare {
    pub(super) worker: usize,
    pub(super) of: usize,
}

impl WorkerShare {
    /// This worker's part of `total` equal pieces.
    fn part(&self, total: usize) -> usize {
        total / self.of + usize::from(self.worker < total % self.of)
    }

    /// The share if only `places` workers can take part; `None` if this worker does not.
    fn among(&self, places: usize) -> Option<WorkerShare> {
        let of = self.of.min(places);
        (self.worker < of).then_some(WorkerShare { worker: self.worker, of })
    }
}

/// Builds a worker's runtime. This is separate from running it, so that a load begins on all workers or on none.
pub(super) fn runtime() -> io::Result<LocalRuntime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())
}

/// Does this worker's share and reports how it went.
pub(super) fn run<T: Target>(runtime: LocalRuntime, order: Order<T>) -> io::Result<WorkerSummary> {
    let summary = runtime.block_on(work(order));
    // A client may have left a DNS lookup on the blocking pool; nobody needs it any more.
    runtime.shutdown_background();
    summary
}

async fn work<T: Target>(order: Order<T>) -> io::Result<WorkerSummary> {
    let Order { target, clock, stop, interval, step, job, share, sink } = order;
    let (begun, cpu) = (Instant::now(), thread_cpu());
    let recorder = Recorder::new(clock, share.worker, step, sink);
    let worker = Rc::new(Worker::new(target, clock, stop.child_token(), recorder)?);
    let shift = Shift { worker: Rc::clone(&worker) };
    let ticks = tokio::task::spawn_local(hand_over_each(Rc::clone(&worker), interval));
    match job {
        Job::Plan(plan) => shift.plan(plan, share).await,
        Job::List { operations, lanes, deadline } => shift.list(operations, lanes, deadline, share).await,
    }
    ticks.abort();
    worker.recorder.hand_over();
    Ok(worker.summary(thread_cpu().saturating_sub(cpu), begun.elapsed()))
}

/// Delivers the buffers at every multiple of `interval` on the drill's clock, so that all workers do it together.
async fn hand_over_each<T: Target>(worker: Rc<Worker<T>>, interval: Duration) {
    let interval = interval.as_nanos().max(1) as Nanos;
    let mut waits = worker.waits();
    loop {
        let next = (worker.clock.now().div_euclid(interval) + 1) * interval;
        waits.until(next).await;
        if worker.stopped() {
            break;
        }
        worker.recorder.hand_over();
    }
}

struct Shift<T> {
    worker: Rc<Worker<T>>,
}

impl<T: Target> Shift<T> {
    async fn plan(&self, plan: Arc<LoadPlan>, share: WorkerShare) {
        let (mut watches, mut blocks) = (Vec::new(), Vec::new());
        for (number, block) in plan.blocks().iter().enumerate() {
            let places = match block.pacing {
                Pacing::Open { .. } => block.max_in_flight,
                Pacing::Closed { users, .. } => users,
            };
            if let Some(share) = share.among(places as usize) {
                let deadlines = Rc::new(Deadlines::new(block.deadline_ns()));
                watches.push(Rc::clone(&deadlines));
                let worker = Rc::clone(&self.worker);
                blocks.push(tokio::task::spawn_local(run_block(worker, deadlines, Arc::clone(&plan), number, share)));
            }
        }
        self.attend(watches, async {
            for block in blocks {
                // Nobody cancels a block's task.
                let _ = block.await;
            }
        })
        .await;
    }

    async fn list(&self, operations: Arc<[Operation]>, lanes: usize, deadline: Duration, share: WorkerShare) {
        let Some(share) = share.among(lanes) else { return };
        let deadlines = Rc::new(Deadlines::new(deadline.as_nanos() as Nanos));
        let mine = (share.worker..operations.len()).step_by(share.of).map(move |place| operations[place]);
        let run = list::run(Rc::clone(&self.worker), Rc::clone(&deadlines), share.part(lanes), mine);
        self.attend(vec![deadlines], run).await;
    }

    /// Waits for `work` while watching its deadlines; on a stop, settles everything in flight.
    async fn attend(&self, watches: Vec<Rc<Deadlines>>, work: impl Future<Output = ()>) {
        let clock = self.worker.clock;
        let watching: Vec<_> = watches
            .iter()
            .map(|deadlines| {
                let deadlines = Rc::clone(deadlines);
                tokio::task::spawn_local(async move { deadlines.keep(clock).await })
            })
            .collect();
        let stop = self.worker.stop.clone();
        let stopping = tokio::task::spawn_local(async move {
            stop.cancelled().await;
            for deadlines in &watches {
                deadlines.settle_all();
            }
        });
        work.await;
        stopping.abort();
        for deadlines in watching {
            deadlines.abort();
        }
    }
}

async fn run_block<T: Target>(
    worker: Rc<Worker<T>>,
    deadlines: Rc<Deadlines>,
    plan: Arc<LoadPlan>,
    number: usize,
    share: WorkerShare,
) {
    let block: &LoadBlock = &plan.blocks()[number];
    match block.pacing {
        Pacing::Open { .. } => {
            let lanes = share.part(block.max_in_flight as usize);
            let rate = block.peak_rate() / share.of as f64;
            let limits = LaneLimits {
                lanes,
                ahead: lanes.min((rate * LANES_AHEAD.as_secs_f64()).ceil() as usize),
                queue: share.part(block.queue as usize),
                deadline: block.deadline,
                tick: if rate > open::TOGETHER_ABOVE { open::TICK } else { 0 },
            };
            let stream = plan.open(number).into_iter().flatten().skip(share.worker).step_by(share.of);
            open::run(worker, deadlines, limits, block.at, stream).await;
        }
        Pacing::Closed { users, rate_cap, ramp, .. } => {
            let mine = share.part(users as usize);
            let cap = rate_cap.map(|rate| RateCap::per_second(rate * mine as f64 / f64::from(users), block.at));
            let ramp = ramp.as_nanos() as Nanos;
            let hours = Hours { from: block.at, to: block.end(), cap: cap.map(Rc::new), ramp };
            let stream = |user| Some((f64::from(user) / f64::from(users), plan.user(number, user)?));
            let streams = (0..users).skip(share.worker).step_by(share.of).filter_map(stream);
            closed::run(worker, deadlines, hours, streams).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_whole() {
        let parts = |total| (0..3).map(|worker| WorkerShare { worker, of: 3 }.part(total)).collect::<Vec<_>>();
        assert_eq!(parts(7), [3, 2, 2]);
        assert_eq!(parts(64), [22, 21, 21]);
    }

    #[test]
    fn with_fewer_places_than_workers_some_workers_stay_out() {
        let share = |worker| WorkerShare { worker, of: 4 }.among(2);
        assert_eq!(share(0), Some(WorkerShare { worker: 0, of: 2 }));
        assert_eq!(share(1), Some(WorkerShare { worker: 1, of: 2 }));
        assert_eq!(share(2), None);
    }
}

//! Runs a plan: starts the workers, waits for them, adds up their results.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::plan::LoadPlan;
use super::recorder::IntervalBatch;
use super::shift::{self, Job, Order, WorkerShare};
use super::summary::{LoadSummary, WorkerSummary};
use crate::clock::Clock;
use crate::history::Step;
use crate::target::{Operation, Target};

/// Why a load could not run. A failing target is not one of the reasons.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A worker's thread or runtime could not be created; nothing was sent.
    #[error("cannot start load worker {worker}: {source}; raise the limits on threads and open files, or use fewer")]
    Start {
        /// The worker.
        worker: usize,
        /// The system's error.
        source: io::Error,
    },
    /// A worker's thread died before its work was done. The other workers delivered their records.
    #[error("load worker {worker} was lost during the load; its figures are missing")]
    Lost {
        /// The worker.
        worker: usize,
    },
}

/// Runs loads against one target. Every call blocks its thread until the load is over.
#[derive(Debug)]
pub struct Engine<T> {
    /// The target.
    pub target: Arc<T>,
    /// The drill's clock.
    pub clock: Clock,
    /// Number of threads, at least one, each with its own runtime.
    pub workers: usize,
    /// How often the workers deliver their records.
    pub interval: Duration,
    /// Cancelling it ends a load early: nothing more is sent, and operations in flight are recorded as unknown.
    pub stop: CancellationToken,
    /// Where the workers deliver their records.
    pub sink: Sender<IntervalBatch>,
}

impl<T: Target> Engine<T> {
    /// An engine with one worker per core that delivers records once a second.
    pub fn new(target: Arc<T>, clock: Clock, sink: Sender<IntervalBatch>) -> Self {
        let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { target, clock, workers, interval: Duration::from_secs(1), stop: CancellationToken::new(), sink }
    }

    /// Runs the measured load: each operation at its planned instant on the drill's clock. Operations still in flight
    /// at the end get their full deadline.
    ///
    /// # Errors
    /// [`LoadError`]; never because of the target.
    pub fn run(&self, plan: &Arc<LoadPlan>) -> Result<LoadSummary, LoadError> {
        self.run_job(Step::Load, Job::Plan(Arc::clone(plan)))
    }

    /// Runs each of `operations` once, each within `deadline`, as fast as `lanes` lanes (at least one) allow.
    ///
    /// # Errors
    /// [`LoadError`]; never because of the target.
    pub fn run_list(
        &self,
        step: Step,
        operations: Vec<Operation>,
        lanes: usize,
        deadline: Duration,
    ) -> Result<LoadSummary, LoadError> {
        self.run_job(step, Job::List { operations: operations.into(), lanes: lanes.max(1), deadline })
    }

    fn run_job(&self, step: Step, job: Job) -> Result<LoadSummary, LoadError> {
        let from = self.clock.now();
        let of = self.workers.max(1);
        let started: Result<Vec<Started>, LoadError> =
            (0..of).map(|worker| self.start(step, job.clone(), WorkerShare { worker, of })).collect();
        // On an error, dropping the workers that did start ends them.
        let started = started?;
        for worker in &started {
            // If a worker has died, the join reports it.
            let _ = worker.go.send(());
        }
        let ended: Vec<_> = started.into_iter().enumerate().map(|(number, worker)| worker.join(number)).collect();
        let workers = ended.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(LoadSummary::of(step, from, self.clock.now(), workers))
    }

    /// Starts a worker's thread, which builds its runtime and then waits for the start signal.
    fn start(&self, step: Step, job: Job, share: WorkerShare) -> Result<Started, LoadError> {
        let failed = |source| LoadError::Start { worker: share.worker, source };
        let (go, wait): (Sender<()>, Receiver<()>) = channel();
        let (ready, is_ready) = channel();
        let order = Order {
            target: Arc::clone(&self.target),
            clock: self.clock,
            stop: self.stop.clone(),
            interval: self.interval,
            step,
            job,
            share,
            sink: self.sink.clone(),
        };
        let body = move || {
            let runtime = match shift::runtime() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return None;
                }
            };
            ready.send(Ok(())).ok()?;
            wait.recv().ok()?;
            shift::run(runtime, order).ok()
        };
        let thread = thread::Builder::new().name(format!("load-{}", share.worker)).spawn(body).map_err(failed)?;
        match is_ready.recv() {
            Ok(Ok(())) => Ok(Started { go, thread }),
            Ok(Err(source)) => Err(failed(source)),
            Err(_) => Err(LoadError::Lost { worker: share.worker }),
        }
    }
}

struct Started {
    go: Sender<()>,
    thread: JoinHandle<Option<WorkerSummary>>,
}

impl Started {
    fn join(self, worker: usize) -> Result<WorkerSummary, LoadError> {
        self.thread.join().ok().flatten().ok_or(LoadError::Lost { worker })
    }
}

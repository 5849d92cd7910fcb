//! How a load went, and whether its generator kept up.

use std::time::Duration;

use super::recorder::Counts;
use super::refusals::Refusals;
use crate::clock::Nanos;
use crate::history::{SessionNo, Step};

/// A larger share of late operations than this is reported.
const LATE_SHARE: f64 = 0.01;

/// Above this share of late operations, the generator counts as saturated. A growing backlog makes nearly all operations
/// late; hiccups of a busy machine make only some late, and those show in their response times.
const SATURATED_SHARE: f64 = 0.25;

/// Above this busy share of a worker's thread in any whole interval, the generator counts as saturated.
const BUSY_SHARE: f64 = 0.95;

/// What one worker did.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerSummary {
    /// Its operations.
    pub counts: Counts,
    /// CPU time of its thread.
    pub cpu: Duration,
    /// The thread's highest busy share in any interval, in 0..=1.
    pub busiest: f64,
    /// From start to end, including the wait for the first operation.
    pub wall: Duration,
    /// The longest time between an operation's planned instant and its start.
    pub max_slip: Duration,
    /// The longest time between an operation's planned instant and its release in an open loop. Later waiting for a
    /// free lane does not count.
    pub max_lag: Duration,
    pub(super) next_index: u64,
    pub(super) created: Vec<SessionNo>,
    /// When operations of an open loop waited for a lane: start and end, in order of time.
    pub lanes_full: Vec<(Nanos, Nanos)>,
    /// The kernel's thread id.
    pub thread: u32,
    /// When the target blocked the thread for a long time: start and end, in order of time.
    pub held: Vec<(Nanos, Nanos)>,
    /// The server's refusals.
    pub refusals: Refusals,
}

/// How a load, or a list of operations, went.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadSummary {
    /// The step of the drill.
    pub step: Step,
    /// When the first worker started.
    pub from: Nanos,
    /// When the last worker ended.
    pub to: Nanos,
    /// The operations of all workers.
    pub counts: Counts,
    /// Each worker, in order.
    pub workers: Vec<WorkerSummary>,
    /// Sessions whose create was sent, whatever its outcome, sorted by number.
    pub created: Vec<SessionNo>,
    /// One past the highest number of any operation sent.
    pub next_index: u64,
}

/// A sign that the figures describe the generator rather than the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Saturation {
    /// Operations of an open loop were released late, which is the generator's own fault.
    Late {
        /// Their share of all planned operations, in 0..=1.
        share: f64,
    },
    /// A worker's thread was always busy. In a closed loop without think time, this means that the throughput is the
    /// generator's, not the target's.
    Cpu {
        /// The worker.
        worker: usize,
        /// The thread's busy share in its busiest interval, in 0..=1.
        share: f64,
    },
}

impl Saturation {
    /// Whether the load's figures describe the generator rather than the target. Otherwise, the sign is only reported.
    pub fn disqualifies(&self) -> bool {
        match self {
            Saturation::Late { share } => *share > SATURATED_SHARE,
            Saturation::Cpu { .. } => true,
        }
    }
}

impl LoadSummary {
    pub(super) fn of(step: Step, from: Nanos, to: Nanos, workers: Vec<WorkerSummary>) -> Self {
        let mut counts = Counts::default();
        for worker in &workers {
            counts.add(&worker.counts);
        }
        let mut created: Vec<SessionNo> = workers.iter().flat_map(|worker| worker.created.iter().copied()).collect();
        created.sort_unstable();
        let next_index = workers.iter().map(|worker| worker.next_index).max().unwrap_or(0);
        Self { step, from, to, counts, workers, created, next_index }
    }

    /// The longest time between an operation's planned instant and its start.
    pub fn max_slip(&self) -> Duration {
        self.workers.iter().map(|worker| worker.max_slip).max().unwrap_or_default()
    }

    /// CPU time of all workers.
    pub fn cpu(&self) -> Duration {
        self.workers.iter().map(|worker| worker.cpu).sum()
    }

    /// The server's refusals, of all workers.
    pub fn refusals(&self) -> Refusals {
        let mut all = Refusals::default();
        self.workers.iter().for_each(|worker| all.unite(&worker.refusals));
        all
    }

    /// The share of planned operations that were sent, in 0..=1; 1 if nothing was planned.
    pub fn delivered(&self) -> f64 {
        match self.counts.planned {
            0 => 1.0,
            planned => self.counts.started as f64 / planned as f64,
        }
    }

    /// Signs that the generator was the bottleneck; empty if it kept up.
    pub fn saturation(&self) -> Vec<Saturation> {
        let late = self.counts.late as f64 / self.counts.planned.max(1) as f64;
        let late = (late > LATE_SHARE).then_some(Saturation::Late { share: late });
        let busy = self.workers.iter().enumerate().filter(|(_, worker)| worker.busiest > BUSY_SHARE);
        let busy = busy.map(|(number, worker)| Saturation::Cpu { worker: number, share: worker.busiest });
        late.into_iter().chain(busy).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(planned: u64, late: u64, busiest: f64) -> WorkerSummary {
        WorkerSummary {
            counts: Counts { planned, late, started: planned, ..Counts::default() },
            cpu: Duration::from_secs(1),
            busiest,
            wall: Duration::from_secs(4),
            max_slip: Duration::from_millis(planned),
            max_lag: Duration::ZERO,
            next_index: planned,
            created: vec![planned as SessionNo],
            lanes_full: Vec::new(),
            thread: 0,
            held: Vec::new(),
            refusals: Refusals::default(),
        }
    }

    fn summary(workers: Vec<WorkerSummary>) -> LoadSummary {
        LoadSummary::of(Step::Load, 0, 1, workers)
    }

    #[test]
    fn workers_are_added_up() {
        let summary = summary(vec![worker(30, 0, 0.2), worker(10, 0, 0.2)]);
        assert_eq!((summary.counts.planned, summary.next_index), (40, 30));
        assert_eq!(summary.created, [10, 30]);
        assert_eq!((summary.max_slip(), summary.cpu()), (Duration::from_millis(30), Duration::from_secs(2)));
        assert_eq!((summary.delivered(), summary.saturation()), (1.0, vec![]));
    }

    #[test]
    fn late_releases_and_a_busy_thread_are_signs_of_saturation() {
        let summary = summary(vec![worker(100, 3, 0.2), worker(100, 0, 0.99)]);
        assert_eq!(
            summary.saturation(),
            [Saturation::Late { share: 0.015 }, Saturation::Cpu { worker: 1, share: 0.99 }]
        );
    }

    #[test]
    fn some_late_releases_do_not_disqualify_a_load_and_many_do() {
        assert!(!Saturation::Late { share: 0.06 }.disqualifies());
        assert!(Saturation::Late { share: 0.3 }.disqualifies());
        assert!(Saturation::Cpu { worker: 1, share: 0.99 }.disqualifies());
    }
}

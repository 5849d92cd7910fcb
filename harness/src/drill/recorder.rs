//! Receives the workers' records and writes them: the history and the latency log during the load, and a message to the
//! observer once per interval.
//!
//! The drill's clock starts with the measured load, and nobody knows beforehand how long the earlier steps take. Their
//! records are kept until [`Recorder::start_clock`], which shifts them to the new clock and opens the files.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, UNIX_EPOCH};

use firedrill_reports::hlog::LatencyLog;
use tokio_util::sync::CancellationToken;

use super::beside::beside;
use super::error::DrillError;
use super::observer::{Happening, Observer, Tick};
use super::order::Order;
use crate::clock::Clock;
use crate::history::{FORMAT_VERSION, Header, HistoryWriter, Notes, OpBatch, OpRecord, Outcome, SessionNo, Step};
use crate::load::IntervalBatch;
use crate::measure::OpLatencies;
use crate::plan::Plan;

/// The file name of the history.
pub const HISTORY_FILE: &str = crate::history::FILE_NAME;
/// The file name of the latency log.
pub const LATENCY_FILE: &str = "latency.hlog";

const INTERVAL: Duration = Duration::from_secs(1);

/// How far apart Redis and the harness may see an expiry: Redis counts whole milliseconds, and a busy machine answers
/// late.
const TTL_SLACK: Duration = Duration::from_millis(50);

/// How the operations of one step ended.
#[derive(Debug, Clone, Default)]
pub struct StepResult {
    /// Operations by outcome, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; 4],
    /// Operations that were not ok, by cause.
    pub causes: BTreeMap<&'static str, u64>,
    /// Sessions with a failed or unknown operation.
    pub troubled: Vec<SessionNo>,
}

impl StepResult {
    /// Counts the operations of `batch`.
    pub fn add(&mut self, batch: &IntervalBatch) {
        for op in &batch.ops.ops {
            self.outcomes[op.outcome as usize] += 1;
            if op.outcome != Outcome::Ok {
                *self.causes.entry(op.cause.name()).or_default() += 1;
            }
            if !op.outcome.acknowledged() {
                self.troubled.push(op.session);
            }
        }
    }

    /// The number of operations, whatever their outcome.
    pub fn total(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// The number of operations that the store itself acknowledged.
    pub fn ok(&self) -> u64 {
        self.outcomes[Outcome::Ok as usize]
    }

    /// Whether there were operations but the store itself acknowledged none.
    pub fn nothing_ok(&self) -> bool {
        self.total() > 0 && self.ok() == 0
    }

    /// The causes and their counts, the most frequent first.
    pub fn seen(&self) -> String {
        let mut causes: Vec<_> = self.causes.iter().collect();
        causes.sort_by_key(|(_, operations)| std::cmp::Reverse(**operations));
        let words = causes.into_iter().map(|(cause, operations)| format!("{cause} {operations}"));
        words.collect::<Vec<_>>().join(", ")
    }

    /// The share of operations that were not ok; 1 if there were none.
    pub fn not_ok(&self) -> f64 {
        match self.total() {
            0 => 1.0,
            total => 1.0 - self.ok() as f64 / total as f64,
        }
    }
}

struct Files {
    history: HistoryWriter,
    latencies: LatencyLog,
}

/// Records a drill.
pub struct Recorder {
    dir: PathBuf,
    header: Header,
    observer: Arc<dyn Observer>,
    notes: Notes,
    clock: Clock,
    early: OpBatch,
    files: Option<Files>,
    load_seconds: f64,
    intervals: BTreeMap<u64, OpLatencies>,
    degraded: u64,
    errors: u64,
}

impl Recorder {
    /// A recorder for this drill. Until the drill's clock starts, time counts from now.
    pub fn new(order: &Order) -> Self {
        Self {
            dir: order.dir.clone(),
            header: header(&order.plan),
            observer: order.observer.clone(),
            notes: Notes::default(),
            clock: Clock::starting_in(Duration::ZERO),
            early: OpBatch::default(),
            files: None,
            load_seconds: order.plan.load_length().as_secs_f64(),
            intervals: BTreeMap::new(),
            degraded: 0,
            errors: 0,
        }
    }

    /// The current clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The sink for notes.
    pub fn notes(&self) -> Notes {
        self.notes.clone()
    }

    /// Starts the drill's clock `lead` from now and opens the files.
    pub fn start_clock(&mut self, lead: Duration) -> Result<Clock, DrillError> {
        let clock = Clock::starting_in(lead);
        let shift = clock.at(self.clock.instant(0));
        for op in &mut self.early.ops {
            op.planned += shift;
            op.started += shift;
            op.ended += shift;
        }
        let epoch = clock.wall_epoch().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.header.epoch_ms = i64::try_from(epoch.as_millis()).unwrap_or(i64::MAX);
        let mut history = HistoryWriter::create(&self.dir.join(HISTORY_FILE), &self.header)?;
        history.append(&self.early)?;
        let latencies = LatencyLog::create(&self.dir.join(LATENCY_FILE), clock.wall_epoch())?;
        self.early = OpBatch::default();
        self.files = Some(Files { history, latencies });
        self.clock = clock;
        Ok(clock)
    }

    /// Runs `work`, which sends its records to the given sender, and returns once all of them are written. If writing
    /// fails, `stop` ends the work: the disk is full, and unrecorded operations prove nothing.
    pub async fn during<R: Send>(
        &mut self,
        stop: &CancellationToken,
        work: impl FnOnce(Sender<IntervalBatch>) -> R + Send,
    ) -> Result<(R, StepResult), DrillError> {
        beside(stop, work, |batches| self.collect(batches)).await
    }

    fn collect(&mut self, batches: &Receiver<IntervalBatch>) -> Result<StepResult, DrillError> {
        let mut result = StepResult::default();
        while let Ok(batch) = batches.recv() {
            result.add(&batch);
            self.write(&batch)?;
            if batch.step == Step::Load {
                self.measure(&batch)?;
            }
            batch.recycle();
        }
        self.flush_intervals(u64::MAX)?;
        Ok(result)
    }

    fn write(&mut self, batch: &IntervalBatch) -> Result<(), DrillError> {
        let Some(files) = &mut self.files else {
            let base = self.early.tokens.len() as u32;
            let moved = |op: &OpRecord| OpRecord { tokens_at: op.tokens_at + base, ..*op };
            self.early.ops.extend(batch.ops.ops.iter().map(moved));
            self.early.tokens.extend_from_slice(&batch.ops.tokens);
            return Ok(());
        };
        files.history.append(&batch.ops)?;
        for note in self.notes.drain(&self.clock) {
            files.history.note(&note)?;
        }
        Ok(())
    }

    /// Adds the batch to its interval. An interval is closed when the second interval after it begins: by then, every
    /// worker has delivered its share.
    fn measure(&mut self, batch: &IntervalBatch) -> Result<(), DrillError> {
        let interval = (batch.from.max(0) as f64 / INTERVAL.as_nanos() as f64).round() as u64;
        self.intervals.entry(interval).or_default().add(&batch.latencies);
        let not_ok = |outcome: Outcome| batch.ops.ops.iter().filter(|op| op.outcome == outcome).count() as u64;
        self.degraded += not_ok(Outcome::Degraded);
        self.errors += not_ok(Outcome::Failed) + not_ok(Outcome::Unknown);
        self.flush_intervals(interval.saturating_sub(1))
    }

    /// Writes the intervals before `end` to the latency log and tells the observer.
    fn flush_intervals(&mut self, end: u64) -> Result<(), DrillError> {
        while let Some(entry) = self.intervals.first_entry().filter(|entry| *entry.key() < end) {
            let (interval, latencies) = entry.remove_entry();
            if let Some(files) = &mut self.files {
                log(&mut files.latencies, interval, &latencies)?;
            }
            let all = latencies.sum(|_, _| true);
            self.observer.see(&Happening::Tick(&Tick {
                at: (interval + 1) as f64 * INTERVAL.as_secs_f64(),
                lasting: INTERVAL.as_secs_f64(),
                of: self.load_seconds,
                rate: all.count() as f64 / INTERVAL.as_secs_f64(),
                p95_ms: all.response.value_at_quantile(0.95) as f64 / 1e6,
                degraded: self.degraded,
                errors: self.errors,
                all: &all,
                each: &latencies,
            }));
        }
        Ok(())
    }

    /// Writes everything to disk. Returns the path of the history.
    pub fn finish(mut self) -> Result<PathBuf, DrillError> {
        if self.files.is_none() {
            self.start_clock(Duration::ZERO)?;
        }
        if let Some(mut files) = self.files.take() {
            for note in self.notes.drain(&self.clock) {
                files.history.note(&note)?;
            }
            files.history.finish()?;
        }
        Ok(self.dir.join(HISTORY_FILE))
    }
}

fn header(plan: &Plan) -> Header {
    let scenario = &plan.scenario;
    Header {
        version: FORMAT_VERSION,
        scenario: scenario.name.clone(),
        seed: plan.seed,
        ttl_ns: scenario.store.ttl.nanos(),
        ttl_slack_ns: TTL_SLACK.as_nanos() as i64,
        sliding: scenario.store.sliding,
        sessions_per_user: scenario.sessions_per_user,
        instances: scenario.carriers().count,
        counter: scenario.op.read.as_ref().is_some_and(|read| read.count.is_some()),
        epoch_ms: 0,
    }
}

fn log(log: &mut LatencyLog, interval: u64, latencies: &OpLatencies) -> Result<(), DrillError> {
    let start = INTERVAL * u32::try_from(interval).unwrap_or(u32::MAX);
    for (kind, outcome, cell) in latencies.iter() {
        for (name, histogram) in [("service", &cell.service), ("slip", &cell.slip), ("response", &cell.response)] {
            let tag = format!("{}.{}.{name}", kind.name(), outcome.name());
            log.append(&tag, start, INTERVAL, histogram)?;
        }
    }
    Ok(())
}

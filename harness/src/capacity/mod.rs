//! Capacity: the highest rate at which a target meets its objectives, with an interval and what gave way first.
//!
//! The search itself is the crate `firedrill-capacity`; this module runs its steps with the drills' load generator, on a
//! lab that stays up, and records what it found.

mod confirm;
mod evidence;
mod growth;
mod limit;
mod machine;
mod memory;
mod nodes;
mod objective;
mod outlook;
mod question;
mod record;
mod shape;
mod soak;
mod survive;
mod tally;
mod watcher;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use firedrill_capacity::{Phase, Search, Settings, Subject, Trial};
use firedrill_reports::capacity::{Knee, NetworkPath, Soak, SoakStretch};
use firedrill_reports::{Capacity, text};

use crate::clock::Nanos;
use crate::drill::{DrillError, Planned, Standing};
use crate::history::OpKind;
use crate::ids::mixed;
use crate::lab::{HalfSpeed, ServerProcess};
use crate::load::{LoadPlan, LoadSummary};
use crate::target::{Ability, Operation};
use crate::targets::{Driver, NullTarget, TargetKind};

use confirm::Suspect;
use evidence::Evidence;
pub use growth::Growth;
pub use memory::{MemoryFound, MemoryQuestion, fillable, memory};
pub use nodes::{NodeType, Nodes};
pub use objective::{ObjectiveError, Slo};
pub use outlook::{outlast, sizes};
pub use question::Question;
use record::Findings;
use shape::Shape;
use soak::Soaking;
pub use soak::{DriftLimit, SoakQuestion};
pub use survive::{SurvivalQuestion, own_rate, survivable};
use tally::Tally;
pub use watcher::Watcher;

/// The beginning of every stretch of load, which is not measured: connections open and queues fill.
const LEAD_IN: Nanos = 500_000_000;

/// How long after its end a step waits for answers, at least. Slower objectives wait twice their limit.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sessions of a shorter lifetime are written again before every step.
const LONG_LIVED: Duration = Duration::from_secs(900);

/// Where the seeds of a soak's stretches begin, beyond those of any search's steps.
const SOAK_SEEDS: u64 = 1 << 32;

/// Searches for the highest rate, if there are objectives. Returns what was found, or what was known when the user
/// interrupted; the folder for its files; and what kept the questions after the rate from an answer: the rate is known all
/// the same.
///
/// # Errors
/// What keeps a drill from running, and a scenario whose load has no rate.
pub async fn find(
    planned: Planned,
    question: Question,
    watcher: Arc<dyn Watcher>,
) -> Result<(Capacity, PathBuf, Result<(), DrillError>), DrillError> {
    planned
        .stand(async move |standing| {
            let dir = standing.dir().to_owned();
            let (capacity, then) = search(standing, &question, &*watcher).await?;
            Ok((capacity, dir, then))
        })
        .await
}

/// Searches again with half of the target's connections, on `planned`, which has them, where they are the first limit of
/// `capacity` and `question` asks for a confirmation; and adds what that shows.
///
/// # Errors
/// Same as [`find`].
pub async fn halve_connections(
    capacity: &mut Capacity,
    planned: Planned,
    question: &Question,
    watcher: Arc<dyn Watcher>,
) -> Result<(), DrillError> {
    let Some((Suspect::Connections, start)) = confirm::begins(&capacity.limit, &capacity.knee) else { return Ok(()) };
    if !question.confirm {
        return Ok(());
    }
    watcher.line("again, with half of the connections");
    let (halved, ..) = find(planned, question.halved(start), watcher).await?;
    capacity.limit = confirm::judged(capacity.limit.clone(), &capacity.knee, Suspect::Connections, &halved.knee);
    Ok(())
}

async fn search(
    standing: &Standing<'_>,
    question: &Question,
    watcher: &dyn Watcher,
) -> Result<(Capacity, Result<(), DrillError>), DrillError> {
    let started = SystemTime::now();
    if question.objectives.is_empty() {
        return Ok((record::blank(standing, question, started).await, Ok(())));
    }
    let shape = Shape::of(standing.plan())?;
    let bench = Bench::begin(standing, shape, question, watcher).await?;
    let (search, findings) = bench.steps(question.settings()).await?;
    let mut capacity = record::of(standing, question, &search, findings, bench.path, started).await;
    let then = bench.then(&mut capacity).await;
    Ok((capacity, then))
}

/// What steps run on, for a question.
struct Bench<'a, 's> {
    standing: &'a Standing<'s>,
    question: &'a Question,
    watcher: &'a dyn Watcher,
    target: Arc<dyn Driver>,
    nothing: Arc<dyn Driver>,
    shape: Shape,
    shape_of_nothing: Shape,
    /// The way to Redis, before any load.
    path: Option<NetworkPath>,
}

impl<'a, 's> Bench<'a, 's> {
    /// Fills the target, and the one that does nothing, with the sessions of the load, and warms the target up.
    async fn begin(
        standing: &'a Standing<'s>,
        shape: Shape,
        question: &'a Question,
        watcher: &'a dyn Watcher,
    ) -> Result<Self, DrillError> {
        let shape_of_nothing = shape.for_nothing();
        let (target, nothing): (_, Arc<dyn Driver>) = (standing.target(), Arc::new(NullTarget::default()));
        let load = &standing.plan().load;
        standing.fill(&nothing, load.preload()).await?;
        standing.fill(&target, load.preload()).await?;
        standing.list(&target, load.warmup()).await?;
        // Where Redis does not answer, the load will say so.
        let path = standing
            .path()
            .await
            .ok()
            .map(|path| NetworkPath { ping_ms: path.ping.as_secs_f64() * 1e3, carries: path.carries });
        Ok(Self { standing, question, watcher, target, nothing, shape, shape_of_nothing, path })
    }

    /// Answers what is asked of a target whose knee is known.
    async fn then(&self, capacity: &mut Capacity) -> Result<(), DrillError> {
        if self.question.confirm && !self.standing.stop().is_cancelled() {
            self.confirm(capacity).await?;
        }
        if let Some(soak) = self.question.soak.filter(|_| !self.standing.stop().is_cancelled()) {
            capacity.soak = self.soak(soak, &capacity.knee).await?;
        }
        Ok(())
    }

    /// Loads the target at a share of the knee for long; `None` without a knee.
    async fn soak(&self, soak: SoakQuestion, knee: &Knee) -> Result<Option<Soak>, DrillError> {
        let (Knee::At { rate, .. } | Knee::AtLeast { rate }) = knee else {
            self.watcher.line("no soak: there is no rate of which to take a share");
            return Ok(None);
        };
        let rate = rate * soak.share;
        let (subject, phase, seconds) = (Subject::Target, Phase::Repeat, soak.stretch());
        let trial = Trial { subject, phase, rate, seconds, extends: false };
        let mut soaking = Soaking::begin(rate);
        for number in 1.. {
            if soaking.lasted() >= soak.length {
                break;
            }
            let (lasted, length) = (soaking.lasted().as_secs(), soak.length.as_secs());
            self.watcher.now(&format!("soak at {}: {lasted} of {length} s", text::rate(rate)));
            let (_, evidence) = self.run(&trial, SOAK_SEEDS + number).await?;
            if self.standing.stop().is_cancelled() {
                break;
            }
            let at = |quantile: f64| evidence.times.value_at_quantile(quantile) as f64 / 1e6;
            soaking.add(SoakStretch {
                at_s: soaking.lasted().as_secs_f64(),
                p50_ms: at(0.5),
                p99_ms: at(0.99),
                errors: evidence.errors as f64 / evidence.times.len().max(1) as f64,
                redis_bytes: evidence.redis_bytes.map(|bytes| bytes as f64),
                process_bytes: evidence.process_bytes.map(|bytes| bytes as f64),
            });
        }
        Ok(Some(soaking.judged(soak.limit)))
    }

    /// Runs the steps of a search.
    async fn steps(&self, settings: Settings) -> Result<(Search, Findings), DrillError> {
        let mut search = Search::new(settings.clone(), self.standing.plan().seed);
        let (mut parts, mut findings) = (Vec::new(), Findings::default());
        let mut loads = 0;
        while let Some(trial) = search.next_trial() {
            self.watcher.begins(&trial);
            loads += 1;
            let (measured, evidence) = self.run(&trial, loads).await?;
            if self.standing.stop().is_cancelled() {
                search.stop();
                break;
            }
            parts.push(evidence);
            if let Some(step) = search.tell(measured) {
                let evidence = Evidence::whole(std::mem::take(&mut parts));
                let step = record::step(step, &settings, &evidence);
                self.watcher.ended(&step);
                findings.add(step);
            }
        }
        Ok((search, findings))
    }

    /// Searches again with half of the suspected limit, if there is a way to halve it here.
    async fn confirm(&self, capacity: &mut Capacity) -> Result<(), DrillError> {
        let Some((suspect, start)) = confirm::begins(&capacity.limit, &capacity.knee) else {
            self.watcher.line("nothing to confirm: the first limit cannot be halved");
            return Ok(());
        };
        let (server, applications) = (self.standing.lab().server().clone(), self.standing.applications().to_vec());
        let halved = match suspect {
            Suspect::Redis => {
                HalfSpeed::of(move |frozen| server.process().map_or(Ok(false), |own| own.freeze(frozen)))?
            }
            Suspect::Application => HalfSpeed::of(move |frozen| {
                applications.iter().try_fold(!applications.is_empty(), |all, own| Ok(all & own.freeze(frozen)?))
            })?,
            // By a search of its own: see `halved`.
            Suspect::Connections => return Ok(()),
        };
        let Some(halved) = halved else {
            self.watcher.line("nothing confirmed: Firedrill stops only child processes of its own");
            return Ok(());
        };
        self.watcher.line("again, with the suspect stopped half of the time");
        let (search, _) = self.steps(self.question.halved(start).settings()).await?;
        drop(halved);
        let half = record::knee(&search.answer().knee, &search);
        capacity.limit = confirm::judged(capacity.limit.clone(), &capacity.knee, suspect, &half);
        Ok(())
    }

    /// Runs one trial. `number` tells its draws from those of the others.
    async fn run(&self, trial: &Trial, number: u64) -> Result<(firedrill_capacity::Measured, Evidence), DrillError> {
        let (standing, question) = (self.standing, self.question);
        let seed = mixed(standing.plan().seed, number);
        let (target, shape) = match trial.subject {
            Subject::Target => (&self.target, &self.shape),
            Subject::Nothing => (&self.nothing, &self.shape_of_nothing),
        };
        let load = &standing.plan().load;
        if shape.changes_sessions() || standing.plan().scenario.store.ttl.0 < LONG_LIVED {
            for operations in restored(standing.plan().scenario.target.kind, load) {
                standing.list(target, operations).await?;
            }
        }
        let window = (LEAD_IN, LEAD_IN + Nanos::from(trial.seconds) * 1_000_000_000);
        let plan = shape.at(load, trial.rate, Duration::from_nanos(window.1.unsigned_abs()), seed)?;
        let mut tally = Tally::new(&question.objectives, window);
        let patience = PATIENCE.max(question.slowest() * 2);
        let ran = standing.load(target, plan, window, patience, |batch| tally.add(&batch.ops.ops)).await?;
        standing.list(target, destroyed(load, &ran.summary)).await?;
        let kind = standing.plan().scenario.target.kind;
        let shares_threads = trial.subject == Subject::Target && shares_threads(kind);
        Ok((tally.measured(&ran.summary, shares_threads), Evidence::of(&ran, tally.into_responses())))
    }
}

/// What writes every session whole again, as it was before a step destroyed it, let it grow, or let it expire.
fn restored(kind: TargetKind, load: &LoadPlan) -> Vec<Vec<Operation>> {
    let each = |kind| load.preload().into_iter().map(|op| Operation { kind, ..op }).collect();
    match kind.operations().contains(&OpKind::Put) {
        true => vec![each(OpKind::Put)],
        false => vec![each(OpKind::Destroy), each(OpKind::Create)],
    }
}

/// Destroys what a step created: memory must not fill over the steps, and the next one creates the same sessions.
fn destroyed(load: &LoadPlan, summary: &LoadSummary) -> Vec<Operation> {
    let reads = load.final_reads(summary.next_index, &summary.created);
    reads.into_iter().map(|op| Operation { kind: OpKind::Destroy, ..op }).collect()
}

/// Whether the target runs on the threads of the generator, so that a busy thread says nothing about the generator alone.
fn shares_threads(kind: TargetKind) -> bool {
    !kind.is_only_a_client() && !kind.abilities().contains(&Ability::Process)
}

//! Step 1 of a drill: derives everything it will do from a scenario and a seed. Pure: no I/O, the same every time,
//! printable.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::fault::{Cue, FaultSpec, On, Timeline};
use crate::load::{self, ArrivalProcess, LoadBlock, LoadPlan, PlanError, Replay, SessionRange, Stage, Think};
use crate::scenario::{Arrivals, KeySpec, LoadSpec, PayloadSpec, Scenario, ThinkSpec};

/// Reads before the load: they warm connections and caches, and show that the target is healthy.
const WARMUP_READS: u32 = 500;

/// Everything a drill is going to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The scenario, overrides included.
    pub scenario: Scenario,
    /// The seed of all randomness.
    pub seed: u64,
    /// The operations.
    pub load: LoadPlan,
    /// The faults, in the scenario's order, and deploys that restart the application.
    pub faults: Vec<FaultSpec>,
    /// When each of them begins and ends.
    pub timeline: Timeline,
    /// Who decides when they begin and end.
    pub cue: Cue,
}

/// A scenario that is readable but cannot run.
#[derive(Debug, thiserror::Error)]
pub enum PlanFailure {
    /// The load makes no sense.
    #[error(transparent)]
    Load(#[from] PlanError),
}

impl Plan {
    /// Derives the plan of `scenario` from `seed`.
    pub fn of(scenario: Scenario, seed: u64) -> Result<Self, PlanFailure> {
        let (mut first, mut others) = (0u32, 0u32);
        let mut blocks = Vec::with_capacity(scenario.load.len());
        for (number, spec) in scenario.load.iter().enumerate() {
            let sessions = SessionRange { first, count: spec.sessions };
            let mut block = block(number, spec, sessions, lanes(&scenario), !scenario.target.redis.command.is_empty());
            // Where this hits the ceiling, the plan refuses the block: sessions are numbered below 2^31.
            first = first.saturating_add(spec.sessions);
            if let Some(replay) = &spec.replay {
                let (recording, speed) = (Arc::clone(&replay.recording), replay.speed);
                first = first.saturating_add(recording.other_keys());
                let commands = recording.others().count() as u32;
                block.replay = Some(Replay { recording, speed, others_before: others });
                others += commands;
            }
            blocks.push(block);
        }
        let load = LoadPlan::new(seed, blocks, WARMUP_READS)?.carried_by(scenario.carriers());
        let faults = scenario.disturbances();
        let timeline = Timeline::plan(&faults, seed);
        Ok(Self { scenario, seed, load, faults, timeline, cue: Cue::Scenario })
    }

    /// How long the measured load lasts.
    pub fn load_length(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.load.end()).unwrap_or(0))
    }
}

/// The settings with all defaults, and the fault timeline; the operations are [`LoadPlan::summary`]'s.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = toml::to_string(&self.scenario).map_err(|_| fmt::Error)?;
        write!(f, "# Settings, defaults included\n{settings}\n# Seed\n{}\n\n# Faults\n", self.seed)?;
        if self.faults.is_empty() {
            writeln!(f, "none")?;
        }
        for window in self.timeline.windows() {
            let seconds = |t: crate::clock::Nanos| t as f64 / 1e9;
            let Some(fault) = self.faults.get(window.fault as usize) else { continue };
            let (kind, on) = (fault.kind.name(), seconds(window.on));
            match fault.on.as_ref().and_then(On::state) {
                // When it begins is not planned.
                Some(state) => writeln!(f, "{on:>9.3} s or later  {kind} {state}, for {}", fault.lasting)?,
                None => writeln!(f, "{on:>9.3} s to {:.3} s  {kind}", seconds(window.off))?,
            }
        }
        for (at, policy) in self.scenario.deploy.iter().filter_map(|deploy| Some((deploy.at, deploy.policy?))) {
            writeln!(f, "{:>9.3} s  deploy: store.policy = {policy}", at.0.as_secs_f64())?;
        }
        Ok(())
    }
}

/// How many operations may be in flight.
fn lanes(scenario: &Scenario) -> u32 {
    scenario.target.connections.saturating_mul(scenario.target.redis.pipeline.get())
}

fn block(number: usize, spec: &LoadSpec, sessions: SessionRange, lanes: u32, sized_items: bool) -> LoadBlock {
    let name = spec.name.clone().unwrap_or_else(|| format!("load {number}"));
    let mut block = LoadBlock::new(&name, pacing(spec), sessions);
    block.at = spec.at.nanos();
    block.mix = load::Mix::of(&spec.mix.weights());
    block.keys = match spec.keys {
        KeySpec::Uniform => load::KeyDistribution::Uniform,
        KeySpec::Zipf(exponent) => load::KeyDistribution::Zipf { exponent },
        KeySpec::Hotspot { sessions, operations } => {
            load::KeyDistribution::Hotspot { sessions: sessions.0, operations: operations.0 }
        }
        KeySpec::Gaussian { mean, deviation } => {
            load::KeyDistribution::Gaussian { mean: mean.0, deviation: deviation.0 }
        }
    };
    block.payload = match &spec.payload {
        PayloadSpec::Fixed(size) => load::Payload::Fixed(clamp(size.0)),
        PayloadSpec::Between { min, max } => load::Payload::Uniform { min: clamp(min.0), max: clamp(max.0) },
        PayloadSpec::LogNormal { median, sigma, max } => {
            load::Payload::LogNormal { median: clamp(median.0), sigma: *sigma, max: clamp(max.0) }
        }
        PayloadSpec::OneOf(sizes) => {
            load::Payload::OneOf(sizes.iter().map(|one| (clamp(one.size.0), one.weight)).collect())
        }
    };
    if let Some(share) = spec.ghosts {
        (block.ghost_reads, block.ghost_writes) = (share.0, share.0);
    }
    block.deadline = spec.deadline.0;
    block.max_in_flight = lanes;
    block.sized_items = sized_items;
    block
}

fn clamp(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn pacing(spec: &LoadSpec) -> load::Pacing {
    let length = spec.length.unwrap_or_default().0;
    if let Some(users) = spec.users {
        let think = match spec.think {
            None => Think::None,
            Some(ThinkSpec::Exponential(mean)) => Think::Exponential(mean.0),
            Some(ThinkSpec::Constant { constant }) => Think::Constant(constant.0),
        };
        let (ramp, rate_cap) = (spec.ramp.unwrap_or_default().0, spec.rate_cap.map(|rate| rate.0));
        return load::Pacing::Closed { users, think, length, ramp, rate_cap };
    }
    let stages = match spec.rate {
        Some(rate) => vec![Stage::steady(rate.0, length)],
        None => stages(spec),
    };
    let arrivals = match spec.arrivals {
        Arrivals::Poisson => ArrivalProcess::Poisson,
        Arrivals::Constant => ArrivalProcess::Constant,
    };
    load::Pacing::Open { stages, arrivals }
}

fn stages(spec: &LoadSpec) -> Vec<Stage> {
    let mut before = 0.0;
    let stage = |stage: &crate::scenario::StageSpec| {
        let from_rate = if stage.ramp { before } else { stage.rate.0 };
        before = stage.rate.0;
        Stage { from_rate, to_rate: stage.rate.0, length: stage.length.0 }
    };
    spec.stages.iter().map(stage).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Source, parse};
    use crate::units::Span;

    fn scenario(load: &str) -> Scenario {
        let text = format!("name = \"x\"\nabout = \"y\"\n{load}");
        parse(&Source { name: "x.toml".to_owned(), text }, &[]).unwrap()
    }

    fn plan(load: &str) -> Result<Plan, PlanFailure> {
        Plan::of(scenario(load), 1)
    }

    #[test]
    fn more_sessions_than_there_are_numbers_are_refused_also_where_only_their_sum_is_too_large() {
        // A scenario in a file is refused earlier.
        let mut many = scenario("[[load]]\nrate = \"1/s\"\nfor = \"1s\"\nsessions = 5000000\n");
        many.load = vec![many.load[0].clone(); 500];
        let failure = Plan::of(many, 1).err().map(|failure| failure.to_string());
        assert_eq!(failure.as_deref(), Some("load `load 429`: sessions are numbered below 2^31; take fewer of them"));
    }

    #[test]
    fn every_way_of_thinking_of_sizing_and_of_capping_comes_through_from_the_scenario() {
        let block = |keys: &str| plan(&format!("[[load]]\nfor = \"1s\"\n{keys}\n")).unwrap().load.blocks()[0].clone();
        let think = |keys: &str| match block(&format!("users = 2\n{keys}")).pacing {
            load::Pacing::Closed { think, rate_cap, .. } => (think, rate_cap),
            open => panic!("{open:?}"),
        };
        let second = Duration::from_secs(1);
        assert_eq!(think(""), (Think::None, None));
        assert_eq!(think("think = \"1s\""), (Think::Exponential(second), None));
        assert_eq!(think("think = { constant = \"1s\" }\nrate_cap = \"50/s\""), (Think::Constant(second), Some(50.0)));
        let payload = |text: &str| block(&format!("rate = \"1/s\"\npayload = {text}")).payload;
        assert_eq!(payload("\"1KB\""), load::Payload::Fixed(1_000));
        assert_eq!(payload("{ min = \"1B\", max = \"9B\" }"), load::Payload::Uniform { min: 1, max: 9 });
        let tailed = load::Payload::LogNormal { median: 8_000, sigma: 1.2, max: 512_000 };
        assert_eq!(payload("{ median = \"8KB\", sigma = 1.2, max = \"512KB\" }"), tailed);
    }

    #[test]
    fn the_end_of_a_load_in_the_far_future_is_no_time_in_the_past() {
        let mut far = scenario("[[load]]\nrate = \"1/h\"\nfor = \"1h\"\n");
        let ages = Span(Duration::from_secs(2_562_047 * 3_600));
        (far.load[0].at, far.load[0].length) = (ages, Some(ages));
        assert_eq!(Plan::of(far, 1).unwrap().load.end(), i64::MAX);
    }
}

//! The record of a search.

use std::time::SystemTime;

use firedrill_capacity::{
    self as search, Doubt, Failing, Point, Search, Settings, Subject, Unknown, Verdict, scalability,
};
use firedrill_reports::capacity::{
    Capacity, FORMAT_VERSION, Knee, Limit, LimitName, NetworkPath, Objective, Scalability, Share, Step, StepVerdict,
};
use firedrill_reports::text;

use super::evidence::Evidence;
use super::limit::{Host, limit};
use super::objective::Slo;
use super::question::Question;
use crate::drill::Standing;
use crate::target::Ability;

/// The steps so far.
#[derive(Default)]
pub struct Findings {
    steps: Vec<Step>,
    /// Those whose backlog did not grow, for the scalability law.
    points: Vec<Point>,
}

impl Findings {
    /// Adds a finished step.
    pub fn add(&mut self, step: Step) {
        if step.of_target && step.verdict.is_steady() {
            self.points.push(Point { concurrency: step.in_flight, throughput: step.throughput });
        }
        self.steps.push(step);
    }
}

/// A step of the search with what the machine did meanwhile.
pub fn step(step: &search::Step, settings: &Settings, evidence: &Option<Evidence>) -> Step {
    let seconds = f64::from(step.seconds()).max(1.0);
    let mean = |of: fn(&search::Measured) -> f64| {
        step.parts.iter().map(|part| of(part) * part.seconds.len() as f64).sum::<f64>() / seconds
    };
    let at = |quantile: f64| {
        evidence.as_ref().map_or(0.0, |evidence| evidence.times.value_at_quantile(quantile) as f64 / 1e6)
    };
    let errors = evidence.as_ref().map_or(0.0, |of| of.errors as f64 / of.times.len().max(1) as f64);
    let (verdict, why) = words(step.judged.verdict, settings, &step.judged.shares);
    Step {
        of_target: step.subject == Subject::Target,
        phase: match step.phase {
            search::Phase::Ceiling => "ceiling",
            search::Phase::Climb => "climb",
            search::Phase::Bracket => "bracket",
            search::Phase::Repeat => "repeat",
        }
        .to_owned(),
        rate: step.rate,
        seconds: step.seconds(),
        verdict,
        why,
        throughput: mean(|part| part.throughput),
        in_flight: mean(|part| part.in_flight),
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        errors,
        shares: step
            .judged
            .shares
            .iter()
            .map(|share| Share { share: share.share, low: share.low, high: share.high })
            .collect(),
        little: step.judged.little,
        redis_cores: evidence.as_ref().and_then(|of| of.redis_cores),
        redis_throttled: evidence.as_ref().and_then(|of| of.redis_throttled),
        process_cores: evidence.as_ref().and_then(|of| of.process_cores),
        idle_cores: evidence.as_ref().and_then(|of| of.idle_cores),
        stolen: evidence.as_ref().and_then(|of| of.stolen),
        out_of_memory: evidence.as_ref().and_then(|of| of.out_of_memory),
        waits: evidence.as_ref().map(Evidence::waits).unwrap_or_default(),
    }
}

fn words(verdict: Verdict, settings: &Settings, shares: &[search::Estimate]) -> (StepVerdict, String) {
    let objective = |at: usize| settings.objectives.get(at).map_or("", |objective| objective.name.as_str());
    match verdict {
        Verdict::Passed => (StepVerdict::Passed, String::new()),
        Verdict::Failed(Failing::Objective(at)) => {
            let share = shares.get(at).map_or(0.0, |share| share.share);
            (StepVerdict::Failed, format!("{}: {} beyond it", objective(at), text::percent(share)))
        }
        Verdict::Failed(Failing::Backlog) => (StepVerdict::Failed, "the backlog grew".to_owned()),
        Verdict::Failed(Failing::Undelivered) => {
            (StepVerdict::Failed, "the target took less than 99 % of the load".to_owned())
        }
        Verdict::Undecided => (StepVerdict::Undecided, "too close to tell".to_owned()),
        Verdict::TooFew { objective: at, needed } => {
            (StepVerdict::TooFew, format!("{} takes {} operations", objective(at), text::count(needed)))
        }
        Verdict::Distrusted(doubt) => (StepVerdict::Distrusted, doubted(doubt).to_owned()),
    }
}

fn doubted(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Generator => "the generator was late or busy",
        Doubt::Little => "operations in flight differ from throughput × response time",
    }
}

/// The record of a question without objectives, for which no rate was searched.
pub async fn blank(standing: &Standing<'_>, question: &Question, started: SystemTime) -> Capacity {
    let plan = standing.plan();
    let objective = |slo: &Slo| Objective { text: slo.text().to_owned(), allowed: slo.objective().allowed };
    Capacity {
        format_version: FORMAT_VERSION,
        firedrill_version: env!("CARGO_PKG_VERSION").to_owned(),
        started: text::rfc3339(started),
        scenario: plan.scenario.name.clone(),
        target: plan.scenario.target.kind.name().to_owned(),
        seed: plan.seed,
        objectives: question.objectives.iter().map(objective).collect(),
        knee: Knee::NotAsked,
        cut_short: false,
        interrupted: standing.stop().is_cancelled(),
        wanted_width: question.width,
        path: None,
        ceiling: None,
        limit: Limit { name: LimitName::NotDetermined, evidence: String::new(), confirmed: None },
        in_flight: None,
        redis_cpu_us: None,
        scalability: None,
        survivable: None,
        memory: None,
        soak: None,
        head_room: None,
        sizing: None,
        steps: Vec::new(),
        environment: standing.environment().await,
        replay: question.replay.clone(),
    }
}

/// The record of `search`.
pub async fn of(
    standing: &Standing<'_>,
    question: &Question,
    search: &Search,
    findings: Findings,
    path: Option<NetworkPath>,
    started: SystemTime,
) -> Capacity {
    let answer = search.answer();
    let knee = knee(&answer.knee, search);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get) as f64;
    let Findings { steps, points } = findings;
    let target = &standing.plan().scenario.target;
    let (connections, application) = (target.connections, target.kind.abilities().contains(&Ability::Process));
    let near = match &knee {
        Knee::At { rate, .. } | Knee::AtLeast { rate } => steady_below(&steps, *rate),
        Knee::Below { .. } | Knee::Unknown { .. } | Knee::NotAsked => None,
    };
    let redis_cpu_us = near.and_then(|step| Some(step.redis_cores? / step.throughput.max(1.0) * 1e6));
    Capacity {
        limit: limit(&knee, answer.ceiling, &steps, &Host { cores, connections, application, path }),
        in_flight: near.map(|step| step.in_flight),
        redis_cpu_us,
        scalability: scalability(&points, standing.plan().seed).map(|law| Scalability {
            lambda: law.lambda,
            sigma: law.sigma,
            kappa: law.kappa,
            peak: law.peak,
            extrapolated: law.extrapolated,
            measured_to: law.measured_to,
        }),
        path,
        knee,
        cut_short: answer.cut_short,
        ceiling: answer.ceiling,
        steps,
        ..blank(standing, question, started).await
    }
}

/// The passed step on the target with the highest rate up to `rate`.
fn steady_below(steps: &[Step], rate: f64) -> Option<&Step> {
    let passed = steps.iter().filter(|step| step.of_target && step.verdict == StepVerdict::Passed);
    passed.filter(|step| step.rate <= rate).max_by(|one, other| one.rate.total_cmp(&other.rate))
}

/// The answer for the record.
pub fn knee(knee: &search::Knee, of: &Search) -> Knee {
    match knee {
        search::Knee::At { rate, low, high } => Knee::At { rate: *rate, low: *low, high: *high },
        search::Knee::AtLeast { rate } => Knee::AtLeast { rate: *rate },
        search::Knee::Below { rate } => Knee::Below { rate: *rate },
        search::Knee::Unknown(why) => Knee::Unknown { why: unknown(why, of.settings()) },
    }
}

fn unknown(why: &Unknown, settings: &Settings) -> String {
    match why {
        Unknown::Stopped { passed: None } => "the search was stopped before any step passed".to_owned(),
        Unknown::Stopped { passed: Some(rate) } => {
            format!("the search was stopped before a step failed; {} passed", text::rate(*rate))
        }
        Unknown::TooFew { objective, needed } => {
            let name = settings.objectives.get(*objective).map_or("an objective", |objective| objective.name.as_str());
            format!(
                "`{name}` takes at least {} operations to tell, and where the target keeps up, a step of {} s has fewer; choose a \
                 lower quantile",
                text::count(*needed),
                settings.longest_seconds
            )
        }
        Unknown::Distrusted(doubt) => format!("the steps could not be trusted: {}", doubted(*doubt)),
        Unknown::NoCeiling => {
            "the generator misses the objectives even on a target that answers at once; is the machine busy?".to_owned()
        }
    }
}

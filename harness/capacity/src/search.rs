//! The state machine.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::answer::{Answer, Knee, Unknown};
use super::bracket::Bracket;
use super::measured::Measured;
use super::posterior::{Evidence, Posterior};
use super::settings::Settings;
use super::verdict::{Doubt, Judged, Verdict, judge};

/// The generator's ceiling is known to this ratio.
const CEILING_RATIO: f64 = 1.5;

/// The climb's bracket is narrowed to this ratio before steps are repeated.
const BRACKET_RATIO: f64 = 1.1;

/// How far beyond the bracket the knee may lie: a neighbour may have held up a step of the climb.
const BEYOND: f64 = 2.0;

/// Where repeated steps are placed: at these quantiles of what is known of the knee, times these factors. The outermost lie
/// beyond the interval: a knee that chance put too low or too high shows there.
const PLACES: [(f64, f64); 5] = [(0.05, 1.0 / BESIDE), (0.3, 1.0), (0.5, 1.0), (0.7, 1.0), (0.95, BESIDE)];

/// How far beyond the interval the outermost places lie.
const BESIDE: f64 = 1.03;

/// Steps on each side that must agree with the interval before the search ends.
const WITNESSES: usize = 2;

/// Steps that are not trusted, at one rate in a row, before the search gives up going higher.
const DISTRUSTED: u32 = 3;

/// What a step's load goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A target that answers at once, in the generator's process.
    Nothing,
    /// The target.
    Target,
}

/// Where a search stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Finding the generator's own ceiling.
    Ceiling,
    /// Doubling the rate until a step fails, twice.
    Climb,
    /// Bisecting between the last pass and the first failure.
    Bracket,
    /// Repeating steps around the knee, in random order.
    Repeat,
}

/// A step of load to run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// What it goes to.
    pub subject: Subject,
    /// Why.
    pub phase: Phase,
    /// Requests per second.
    pub rate: f64,
    /// Its length.
    pub seconds: u32,
    /// Whether it extends the step before it, which was undecided.
    pub extends: bool,
}

/// A step that was run and judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What its load went to.
    pub subject: Subject,
    /// Why it was run.
    pub phase: Phase,
    /// Requests per second.
    pub rate: f64,
    /// What it measured: itself and its extensions.
    pub parts: Vec<Measured>,
    /// The verdict.
    pub judged: Judged,
}

impl Step {
    /// Its length with all extensions, in seconds.
    pub fn seconds(&self) -> u32 {
        self.parts.iter().map(|part| part.seconds.len() as u32).sum()
    }
}

/// A search.
#[derive(Debug, Clone)]
pub struct Search {
    settings: Settings,
    rng: Xoshiro256PlusPlus,
    phase: Phase,
    /// The step that is being run, and what its parts measured so far.
    running: Option<(Trial, Vec<Measured>)>,
    steps: Vec<Step>,
    ceiling: Bracket,
    knee: Bracket,
    /// Rates of the repeated steps that are left in this round.
    round: Vec<f64>,
    rounds: u32,
    too_few: Option<(usize, u64)>,
    distrusted: u32,
    /// A failure of the ceiling or the climb that has to show again.
    suspected: Option<f64>,
    spent: u32,
    ended: Option<Knee>,
    stopped: bool,
}

impl Search {
    /// A search with these settings; `seed` determines its choices.
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            phase: Phase::Ceiling,
            running: None,
            steps: Vec::new(),
            ceiling: Bracket::default(),
            knee: Bracket::default(),
            round: Vec::new(),
            rounds: 0,
            too_few: None,
            distrusted: 0,
            suspected: None,
            spent: 0,
            ended: None,
            stopped: false,
        }
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The finished steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The next step to run; `None` once the search is over. The same step until [`Search::tell`].
    pub fn next_trial(&mut self) -> Option<Trial> {
        if self.stopped {
            return None;
        }
        if let Some((trial, _)) = &self.running {
            return Some(*trial);
        }
        let trial = self.choose()?;
        self.running = Some((trial, Vec::new()));
        Some(trial)
    }

    /// What the step of [`Search::next_trial`] measured. Returns the step once it needs no extension.
    pub fn tell(&mut self, measured: Measured) -> Option<&Step> {
        let (mut trial, mut parts) = self.running.take()?;
        if trial.subject == Subject::Target {
            self.spent += trial.seconds;
        }
        parts.push(measured);
        let judged = judge(&self.settings, trial.rate, &parts, &mut self.rng);
        let length: u32 = parts.iter().map(|part| part.seconds.len() as u32).sum();
        let open = matches!(judged.verdict, Verdict::Undecided | Verdict::TooFew { .. });
        if open && trial.subject == Subject::Target && length * 2 <= self.settings.longest_seconds && length > 0 {
            trial.extends = true;
            trial.seconds = length;
            self.running = Some((trial, parts));
            return None;
        }
        let Trial { subject, phase, rate, .. } = trial;
        self.learn(subject, rate, judged.verdict);
        self.steps.push(Step { subject, phase, rate, parts, judged });
        self.steps.last()
    }

    /// Ends the search early. What it knows so far stays known.
    pub fn stop(&mut self) {
        self.stopped = self.ended.is_none();
    }

    /// The answer; as far as it is known, while the search goes on.
    pub fn answer(&self) -> Answer {
        let knee = self.ended.clone().unwrap_or_else(|| match self.posterior() {
            Some(posterior) => knee(&posterior),
            None => Knee::Unknown(Unknown::Stopped { passed: self.knee.passed }),
        });
        let narrow = match &knee {
            Knee::At { low, high, .. } => half_width(*low, *high) <= self.settings.width,
            _ => true,
        };
        Answer { ceiling: self.ceiling.passed, knee, cut_short: self.stopped || !narrow }
    }

    /// The highest rate to ask the target for: above it, the generator's own ceiling is too close.
    fn highest(&self) -> f64 {
        let ceiling = self.ceiling.passed.unwrap_or(0.0) * self.settings.ceiling_share;
        ceiling.min(self.settings.highest)
    }

    fn choose(&mut self) -> Option<Trial> {
        if self.phase == Phase::Ceiling {
            let next = self.ceiling.next(self.settings.ceiling_start, CEILING_RATIO);
            let next = self.suspected.or(next);
            match next.filter(|rate| *rate <= self.settings.highest) {
                Some(rate) if rate < self.settings.lowest => self.end(Knee::Unknown(Unknown::NoCeiling)),
                Some(rate) => return Some(self.trial(Subject::Nothing, rate, self.settings.ceiling_seconds)),
                None => self.phase = Phase::Climb,
            }
        }
        if self.spent >= self.settings.budget_seconds
            && self.ended.is_none()
            && let Some(posterior) = self.posterior()
        {
            self.conclude(&posterior);
        }
        if matches!(self.phase, Phase::Climb | Phase::Bracket) && self.ended.is_none() {
            match self.suspected.or_else(|| self.knee.next(self.settings.start, BRACKET_RATIO)) {
                Some(rate) if rate < self.settings.lowest => {
                    let rate = self.knee.failed.unwrap_or(rate);
                    self.end(Knee::Below { rate });
                }
                Some(rate) => {
                    let rate = rate.min(self.highest());
                    self.phase = if self.knee.both().is_some() { Phase::Bracket } else { Phase::Climb };
                    return Some(self.trial(Subject::Target, rate, self.settings.step_seconds));
                }
                None => self.phase = Phase::Repeat,
            }
        }
        if self.ended.is_none() && self.round.is_empty() {
            self.next_round();
        }
        let rate = self.round.pop().filter(|_| self.ended.is_none())?;
        Some(self.trial(Subject::Target, rate, self.settings.step_seconds))
    }

    fn trial(&self, subject: Subject, rate: f64, seconds: u32) -> Trial {
        Trial { subject, phase: self.phase, rate, seconds, extends: false }
    }

    /// Plans another round of repeated steps, or ends the search.
    fn next_round(&mut self) {
        let Some(posterior) = self.posterior() else { return };
        if let Knee::At { low, high, .. } = knee(&posterior)
            && self.rounds > 0
            && half_width(low, high) <= self.settings.width
            && self.witnessed(low, high)
        {
            return self.conclude(&posterior);
        }
        let highest = self.highest();
        let quantiles = posterior.quantiles(PLACES.map(|(quantile, _)| quantile));
        self.round = PLACES.iter().zip(quantiles).map(|((_, factor), rate)| (rate * factor).min(highest)).collect();
        self.round.shuffle(&mut self.rng);
        self.rounds += 1;
    }

    /// Ends the search with what `posterior` says.
    fn conclude(&mut self, posterior: &Posterior) {
        let highest = self.highest();
        self.end(match knee(posterior) {
            // Steps went no higher, so nothing shows where the knee is; it is above the lower end all the same.
            Knee::At { rate, low, .. } if rate >= highest => Knee::AtLeast { rate: low.min(highest) },
            found => found,
        });
    }

    /// Whether steps show both sides of the interval: some passed at or close below its lower end, some failed at or close above
    /// its upper end.
    fn witnessed(&self, low: f64, high: f64) -> bool {
        let near = BESIDE * BRACKET_RATIO;
        let of_target = || self.steps.iter().filter(|step| step.subject == Subject::Target);
        let passed = of_target().filter(|step| step.judged.verdict == Verdict::Passed && step.rate * near >= low);
        let failed =
            of_target().filter(|step| matches!(step.judged.verdict, Verdict::Failed(_)) && step.rate <= high * near);
        passed.count() >= WITNESSES && failed.count() >= WITNESSES
    }

    fn learn(&mut self, subject: Subject, rate: f64, verdict: Verdict) {
        if subject == Subject::Nothing {
            match (verdict, self.suspected.take()) {
                (Verdict::Passed, _) => self.ceiling.pass(rate),
                (_, None) => self.suspected = Some(rate),
                (_, Some(_)) => self.ceiling.fail(rate),
            }
            return;
        }
        if self.phase == Phase::Repeat {
            return; // The posterior reads the steps.
        }
        self.distrusted = match verdict {
            Verdict::Distrusted(_) => self.distrusted + 1,
            _ => 0,
        };
        let is_suspected = self.suspected.take().is_some();
        match verdict {
            Verdict::Passed if rate >= self.highest() => self.end(Knee::AtLeast { rate }),
            Verdict::Passed => self.knee.pass(rate),
            // In the climb a failure must show twice: a neighbour's burst must not end it. Below the first pass, and
            // between bounds, the repeated steps correct what chance did.
            Verdict::Failed(_) | Verdict::Undecided
                if self.phase == Phase::Climb && self.knee.passed.is_some() && !is_suspected =>
            {
                self.suspected = Some(rate);
            }
            Verdict::Failed(_) | Verdict::Undecided => self.fails(rate),
            Verdict::TooFew { objective, needed } => {
                self.too_few = Some((objective, needed));
                match self.knee.failed.is_some() || rate >= self.highest() {
                    true => self.end(Knee::Unknown(Unknown::TooFew { objective, needed })),
                    // Where more are due, there may be enough. The rate counts as passed only for the climb.
                    false => self.knee.pass(rate),
                }
            }
            Verdict::Distrusted(_) if self.distrusted < DISTRUSTED => self.suspected = Some(rate),
            Verdict::Distrusted(doubt) => self.end(match (self.knee.passed, doubt) {
                (Some(rate), Doubt::Generator) if self.has_passed(rate) => Knee::AtLeast { rate },
                _ => Knee::Unknown(Unknown::Distrusted(doubt)),
            }),
        }
    }

    /// Records a failure. If too few requests were due at every lower rate, those say nothing.
    fn fails(&mut self, rate: f64) {
        self.knee.fail(rate);
        if let Some((objective, needed)) = self.too_few
            && !self.knee.passed.is_some_and(|passed| self.has_passed(passed))
        {
            self.end(Knee::Unknown(Unknown::TooFew { objective, needed }));
        }
    }

    fn has_passed(&self, rate: f64) -> bool {
        self.steps
            .iter()
            .any(|step| step.subject == Subject::Target && step.rate == rate && step.judged.verdict == Verdict::Passed)
    }

    fn end(&mut self, knee: Knee) {
        self.ended = Some(knee);
    }

    /// What all steps together say; `None` before both a pass and a failure.
    fn posterior(&self) -> Option<Posterior> {
        let (low, high) = self.knee.both()?;
        let mut posterior = Posterior::between(low / BEYOND, high * BEYOND);
        for step in self.steps.iter().filter(|step| step.subject == Subject::Target) {
            let evidence = match step.judged.verdict {
                Verdict::Passed => Evidence::Passed,
                Verdict::Failed(_) => Evidence::Failed,
                Verdict::Undecided => Evidence::Undecided,
                Verdict::TooFew { .. } | Verdict::Distrusted(_) => continue,
            };
            posterior.add(step.rate, evidence);
        }
        Some(posterior)
    }
}

fn knee(posterior: &Posterior) -> Knee {
    let [low, rate, high] = posterior.quantiles([0.05, 0.5, 0.95]);
    Knee::At { rate, low, high }
}

/// Half the width of an interval, as a share of its middle.
fn half_width(low: f64, high: f64) -> f64 {
    (high - low) / (high + low)
}

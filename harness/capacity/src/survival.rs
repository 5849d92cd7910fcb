//! The search for the highest rate at which whole drills pass. A drill takes long and says little, so this search has few
//! trials: it doubles, bisects, and believes a failure, and the highest pass, only when it has seen them twice.

use super::bracket::Bracket;

/// The verdict of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything held.
    Passed,
    /// Something did not.
    Failed,
    /// Nobody can tell.
    Inconclusive,
}

/// How far a search goes. Rates are in operations per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurvivalSettings {
    /// The rate of the first drill.
    pub start: f64,
    /// No drill is faster: what the target cannot carry without a fault, it does not carry with one.
    pub highest: f64,
    /// The search ends once the lowest failure is within this ratio of the highest pass.
    pub ratio: f64,
    /// The drills that it may take.
    pub drills: usize,
}

/// What a search found. Rates are in operations per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Survivable {
    /// Drills passed at the first rate and did not pass at the second.
    Between(f64, f64),
    /// Drills passed at this rate, and no faster one was tried or told anything.
    AtLeast(f64),
    /// Drills failed even at this rate.
    Below(f64),
    /// No drill came to a conclusion.
    Unknown,
}

/// Drills at less than this share of the first rate are not tried.
const LOWEST: f64 = 1.0 / 64.0;

/// How often an outcome must be seen to be believed.
const SEEN: usize = 2;

/// A search: asks for rates, is told the outcomes.
#[derive(Debug, Clone)]
pub struct Survival {
    settings: SurvivalSettings,
    drills: Vec<(f64, Outcome)>,
}

impl Survival {
    /// A search with these settings.
    pub fn new(settings: SurvivalSettings) -> Self {
        Self { settings, drills: Vec::new() }
    }

    /// The rate of the next drill; `None` once the search is over.
    pub fn next_rate(&self) -> Option<f64> {
        if self.drills.len() >= self.settings.drills {
            return None;
        }
        if let Some((rate, _)) = self.drills.last().filter(|(rate, _)| self.verdict(*rate).is_none()) {
            return Some(*rate);
        }
        let bracket = self.bracket();
        let settings = &self.settings;
        let next = bracket.next(settings.start.min(settings.highest), settings.ratio);
        // Above the highest rate nothing is asked; below the lowest nobody would run the system.
        let next = match (next, bracket.passed) {
            (Some(_), Some(passed)) if passed >= settings.highest => None,
            (Some(rate), _) if rate < settings.start * LOWEST => return None,
            (next, _) => next.map(|rate| rate.min(settings.highest)),
        };
        next.or_else(|| bracket.passed.filter(|passed| self.count(*passed, Outcome::Passed) < SEEN))
    }

    /// Reports the outcome of a drill at `rate`.
    pub fn tell(&mut self, rate: f64, outcome: Outcome) {
        self.drills.push((rate, outcome));
    }

    /// What is known.
    pub fn answer(&self) -> Survivable {
        let bracket = self.bracket();
        match (bracket.passed, bracket.failed) {
            (Some(passed), Some(failed)) => Survivable::Between(passed, failed),
            (Some(passed), None) => Survivable::AtLeast(passed),
            // A rate at which nobody can tell is no failure.
            (None, Some(failed)) if self.verdict(failed) == Some(Outcome::Failed) => Survivable::Below(failed),
            (None, _) => Survivable::Unknown,
        }
    }

    /// Whether the drills at the lowest rate that did not pass were inconclusive rather than failed.
    pub fn is_doubtful(&self) -> bool {
        self.bracket().failed.is_some_and(|rate| self.verdict(rate) == Some(Outcome::Inconclusive))
    }

    /// What the drills at `rate` say together; `None` while another one must tell.
    fn verdict(&self, rate: f64) -> Option<Outcome> {
        let [passed, failed, unclear] =
            [Outcome::Passed, Outcome::Failed, Outcome::Inconclusive].map(|outcome| self.count(rate, outcome));
        match (passed, failed, unclear) {
            (_, SEEN.., _) => Some(Outcome::Failed),
            (1.., 0, _) | (SEEN.., ..) => Some(Outcome::Passed),
            (_, _, SEEN..) => Some(Outcome::Inconclusive),
            _ => None,
        }
    }

    fn count(&self, rate: f64, outcome: Outcome) -> usize {
        self.drills.iter().filter(|drill| **drill == (rate, outcome)).count()
    }

    /// The bounds. A pass above a failure was luck: the lower one decides.
    fn bracket(&self) -> Bracket {
        let judged = |outcome| self.drills.iter().filter(move |(rate, _)| self.verdict(*rate) == Some(outcome));
        let not_passed = judged(Outcome::Failed).chain(judged(Outcome::Inconclusive));
        let failed = not_passed.map(|(rate, _)| *rate).reduce(f64::min);
        let below = |rate: &f64| failed.is_none_or(|failed| *rate < failed);
        let passed = judged(Outcome::Passed).map(|(rate, _)| *rate).filter(below).reduce(f64::max);
        Bracket { passed, failed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: SurvivalSettings = SurvivalSettings { start: 400.0, highest: 1e6, ratio: 1.1, drills: 30 };

    /// Drills of which the outcome is `of` the rate and the number of earlier drills.
    fn searched(settings: SurvivalSettings, of: impl Fn(f64, usize) -> Outcome) -> (Survivable, Vec<f64>) {
        let mut search = Survival::new(settings);
        let mut rates = Vec::new();
        while let Some(rate) = search.next_rate() {
            search.tell(rate, of(rate, rates.len()));
            rates.push(rate);
        }
        (search.answer(), rates)
    }

    fn below(limit: f64) -> impl Fn(f64, usize) -> Outcome {
        move |rate, _| if rate <= limit { Outcome::Passed } else { Outcome::Failed }
    }

    #[test]
    fn the_limit_is_found_between_a_pass_and_a_failure_that_were_both_seen_twice() {
        let (Survivable::Between(passed, failed), rates) = searched(SETTINGS, below(2_900.0)) else { panic!() };
        assert!(passed <= 2_900.0 && 2_900.0 < failed && failed / passed <= 1.1, "{passed} {failed}");
        let times = |rate: f64| rates.iter().filter(|tried| **tried == rate).count();
        assert_eq!((times(passed), times(failed)), (2, 2), "{rates:?}");
        assert!(rates.len() <= 16, "{rates:?}");
        let (Survivable::Between(passed, failed), _) = searched(SETTINGS, below(90.0)) else { panic!() };
        assert!(passed <= 90.0 && 90.0 < failed, "{passed} {failed}");
    }

    #[test]
    fn one_failure_may_be_a_neighbours() {
        let once = |rate: f64, drill: usize| match drill {
            1 => Outcome::Failed,
            _ => below(2_900.0)(rate, drill),
        };
        let (Survivable::Between(passed, failed), _) = searched(SETTINGS, once) else { panic!() };
        assert!(passed <= 2_900.0 && 2_900.0 < failed, "{passed} {failed}");
    }

    #[test]
    fn no_drill_is_faster_than_the_healthy_rate() {
        let capped = SurvivalSettings { highest: 1_000.0, ..SETTINGS };
        let (answer, rates) = searched(capped, below(2_900.0));
        assert_eq!((answer, rates.as_slice()), (Survivable::AtLeast(1_000.0), &[400.0, 800.0, 1_000.0, 1_000.0][..]));
        let slow = SurvivalSettings { highest: 100.0, ..SETTINGS };
        assert_eq!(searched(slow, below(2_900.0)), (Survivable::AtLeast(100.0), vec![100.0, 100.0]));
    }

    #[test]
    fn what_never_passes_is_told_from_what_nobody_can_tell() {
        let (answer, rates) = searched(SETTINGS, below(0.0));
        assert!(matches!(answer, Survivable::Below(rate) if rate <= 12.5), "{answer:?}");
        assert!(rates.len() <= 14, "{rates:?}");
        assert_eq!(searched(SETTINGS, |_, _| Outcome::Inconclusive).0, Survivable::Unknown);
        let unclear = |rate: f64, _: usize| if rate < 1_000.0 { Outcome::Passed } else { Outcome::Inconclusive };
        let mut search = Survival::new(SETTINGS);
        while let Some(rate) = search.next_rate() {
            search.tell(rate, unclear(rate, 0));
        }
        assert!(search.is_doubtful() && matches!(search.answer(), Survivable::Between(..)), "{:?}", search.answer());
    }

    #[test]
    fn the_drills_are_counted() {
        let few = SurvivalSettings { drills: 3, ..SETTINGS };
        let (answer, rates) = searched(few, below(1e9));
        assert_eq!((answer, rates.len()), (Survivable::AtLeast(1_600.0), 3));
        assert_eq!(Survival::new(few).answer(), Survivable::Unknown);
    }
}

//! The verdict on a step.

use rand_xoshiro::Xoshiro256PlusPlus;

use super::backlog;
use super::bootstrap::{Estimate, share};
use super::measured::{Count, Measured};
use super::settings::Settings;

/// A step that sent less than this share of what was due has failed.
const DELIVERED: f64 = 0.99;

/// How far the mean number of requests in flight may be from throughput × response time.
const LITTLE: f64 = 0.05;

/// Fewer requests than this in flight are too few to compare.
const LITTLE_FROM: f64 = 0.5;

/// How many requests over an objective must be possible for it to be told: with none of fewer, the share may still be
/// larger than allowed.
const TELLING: f64 = 2.75;

/// What a step showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Every objective holds.
    Passed,
    /// The target is past its capacity.
    Failed(Failing),
    /// An objective may hold or not.
    Undecided,
    /// Too few requests to tell this objective, whatever they show.
    TooFew {
        /// Its position.
        objective: usize,
        /// The requests that it takes at least.
        needed: u64,
    },
    /// The step says nothing about the target.
    Distrusted(Doubt),
}

/// Why a step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// The objective at this position does not hold.
    Objective(usize),
    /// The backlog grew during the whole step, and again during each of its extensions.
    Backlog,
    /// Less than 99 % of the requests that were due were sent, because too many were in flight.
    Undelivered,
}

/// Why a step is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The generator was late or busy.
    Generator,
    /// Requests in flight differ from throughput × response time by more than 5 % (Little's law).
    Little,
}

/// A judged step.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// The share of requests over each objective.
    pub shares: Vec<Estimate>,
    /// (L − X·R)/L: how far the requests in flight differ from throughput × response time; `None` if hardly any were in flight.
    pub little: Option<f64>,
}

/// Judges a step at `rate` from its `parts`: itself and its extensions.
pub fn judge(settings: &Settings, rate: f64, parts: &[Measured], rng: &mut Xoshiro256PlusPlus) -> Judged {
    let shares: Vec<(Estimate, u64)> = (0..settings.objectives.len())
        .map(|objective| {
            let seconds: Vec<Count> = parts
                .iter()
                .flat_map(|part| &part.seconds)
                .map(|second| second.counts.get(objective).copied().unwrap_or_default())
                .collect();
            (share(&seconds, rng), seconds.iter().map(|count| count.of).sum())
        })
        .collect();
    let little = little(parts);
    let verdict = verdict(settings, rate, parts, &shares, little);
    Judged { verdict, shares: shares.into_iter().map(|(share, _)| share).collect(), little }
}

fn verdict(
    settings: &Settings,
    rate: f64,
    parts: &[Measured],
    shares: &[(Estimate, u64)],
    little: Option<f64>,
) -> Verdict {
    if parts.iter().any(|part| part.by_generator) {
        return Verdict::Distrusted(Doubt::Generator);
    }
    let (planned, started) =
        parts.iter().fold((0, 0), |(planned, started), part| (planned + part.planned, started + part.started));
    if (started as f64) < planned as f64 * DELIVERED {
        return Verdict::Failed(Failing::Undelivered);
    }
    let grows = |part: &&Measured| backlog::grows(&part.backlog, part.seconds.len() as f64, rate);
    let growing = parts.iter().filter(grows).count();
    // While a backlog grows, requests of the step are still in flight at its end.
    if growing == 0 && little.is_some_and(|apart| apart.abs() > LITTLE) {
        return Verdict::Distrusted(Doubt::Little);
    }
    let allowed = |objective: usize| settings.objectives[objective].allowed;
    let mut each = shares.iter().enumerate();
    if let Some((failed, _)) = each.clone().find(|(objective, (share, _))| share.low > allowed(*objective)) {
        return Verdict::Failed(Failing::Objective(failed));
    }
    if growing == parts.len() {
        // A pause of the machine lets a backlog grow once. Past the capacity, it grows each time.
        return if growing > 1 { Verdict::Failed(Failing::Backlog) } else { Verdict::Undecided };
    }
    let needed = |objective: usize| (TELLING / allowed(objective)).ceil() as u64;
    if let Some((objective, _)) = each.clone().find(|(objective, (_, of))| *of < needed(*objective)) {
        return Verdict::TooFew { objective, needed: needed(objective) };
    }
    match each.all(|(objective, (share, _))| share.high < allowed(objective)) {
        true => Verdict::Passed,
        false => Verdict::Undecided,
    }
}

/// Little's law, L = X·R, over all parts (Little, "A proof for the queuing formula", 1961). It holds for any stable system,
/// so a difference means that requests are missing or that the step was not steady.
fn little(parts: &[Measured]) -> Option<f64> {
    let seconds: f64 = parts.iter().map(|part| part.seconds.len() as f64).sum();
    let weighted = |value: fn(&Measured) -> f64| {
        parts.iter().map(|part| value(part) * part.seconds.len() as f64).sum::<f64>() / seconds.max(1.0)
    };
    let in_flight = weighted(|part| part.in_flight);
    (in_flight >= LITTLE_FROM).then(|| (in_flight - weighted(|part| part.throughput * part.response)) / in_flight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Objective, Second};
    use rand::SeedableRng;

    fn settings() -> Settings {
        Settings::of(vec![Objective { name: "p99 <= 5ms".to_owned(), allowed: 0.01 }])
    }

    fn part(counts: &[(u64, u64)]) -> Measured {
        let seconds: Vec<Second> =
            counts.iter().map(|&(over, of)| Second { counts: vec![Count { of, over }] }).collect();
        let planned = counts.iter().map(|(_, of)| of).sum();
        let throughput = planned as f64 / counts.len() as f64;
        Measured {
            seconds,
            planned,
            started: planned,
            throughput,
            response: 0.002,
            in_flight: throughput * 0.002,
            ..Measured::default()
        }
    }

    fn verdict_of(part: Measured) -> Verdict {
        judge(&settings(), part.throughput, &[part], &mut Xoshiro256PlusPlus::seed_from_u64(1)).verdict
    }

    #[test]
    fn a_step_passes_fails_or_stays_undecided() {
        assert_eq!(verdict_of(part(&[(40, 10_000); 4])), Verdict::Passed);
        assert_eq!(verdict_of(part(&[(200, 10_000); 4])), Verdict::Failed(Failing::Objective(0)));
        assert_eq!(verdict_of(part(&[(100, 10_000), (90, 10_000), (105, 10_000), (99, 10_000)])), Verdict::Undecided);
    }

    #[test]
    fn one_bad_second_does_not_fail_a_step() {
        assert_eq!(verdict_of(part(&[(0, 10_000), (0, 10_000), (900, 10_000), (0, 10_000)])), Verdict::Undecided);
    }

    #[test]
    fn few_requests_are_named_and_not_judged() {
        assert_eq!(verdict_of(part(&[(0, 50); 4])), Verdict::TooFew { objective: 0, needed: 275 });
    }

    #[test]
    fn what_was_not_sent_and_what_piles_up_fails_and_what_does_not_add_up_is_distrusted() {
        let good = part(&[(0, 1_000); 4]);
        assert_eq!(verdict_of(Measured { planned: 5_000, ..good.clone() }), Verdict::Failed(Failing::Undelivered));
        let backlog = (0..16).map(|n| f64::from(n) * 20.0).collect();
        let growing = Measured { backlog, ..good.clone() };
        let both =
            |parts: &[Measured]| judge(&settings(), 1_000.0, parts, &mut Xoshiro256PlusPlus::seed_from_u64(1)).verdict;
        assert_eq!(both(std::slice::from_ref(&growing)), Verdict::Undecided, "it is extended");
        assert_eq!(both(&[growing.clone(), growing.clone()]), Verdict::Failed(Failing::Backlog));
        assert_eq!(both(&[growing, good.clone()]), Verdict::Passed, "a pause of the machine");
        let apart = Measured { in_flight: good.in_flight * 1.2, ..good.clone() };
        assert_eq!(verdict_of(apart), Verdict::Distrusted(Doubt::Little));
        assert_eq!(verdict_of(Measured { by_generator: true, ..good }), Verdict::Distrusted(Doubt::Generator));
    }
}

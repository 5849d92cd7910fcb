//! Compares runs of one scenario with a baseline, so that noise is called noise. Everything comes from the runs' records:
//! a baseline is one `run.json`, kept as long as it is needed.
//!
//! The method, figure by figure:
//!
//! - The change is that of the value which the report shows: the logarithm of the ratio of two quantiles, rates or CPU times;
//!   the difference of two error shares.
//! - With one run on each side, the slices of the runs' phases are the sample. Slices of the same part of the scenario are
//!   paired, so that what a fault does at its beginning in every run does not count as noise. Their standard error is that of sectioning
//!   and of ratio estimators, for as many observations as the slices are worth ([`stats`], [`figures`]).
//! - Where the machine was busy with other things, slices of single runs change no verdict of a time: each run has its own.
//! - With at least four runs in all, the runs are the sample, and their values are compared as Student did. Only this sees what
//!   differs from one run to the next. Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time", ISMM 2013.
//! - All intervals of a comparison hold together with 95 % (Bonferroni): with thirty figures, one in twenty would be alarming.
//! - A figure regressed if it is worse by more than the margin and no change lies outside its interval. It is unchanged if its
//!   whole interval lies within the margin on either side ([`verdict`]).

pub mod benchmark;
mod counted;
mod difference;
mod figures;
mod model;
mod stats;
mod verdict;

pub use model::{Change, Comparison, Difference, Group, Interval, Origin, Recorded, Row};

use crate::run::{Run, Unit};
use crate::text;
use difference::differences;
use figures::{Figure, Reading, figures};
use stats::{Spread, difference, share_reach, spread};
use verdict::{Band, around, from_logs, of_runs, row};

/// The change up to which a figure counts as unchanged, unless the caller says otherwise: two runs of one program on one
/// machine differ by a few percent, and slices of one run do not show it.
pub const MARGIN: f64 = 0.1;

/// The least margin of an error share: 0.1 percentage points.
const SHARE_MARGIN: f64 = 0.001;

/// A machine that keeps the harness from running for more than this share of a load gives each run times of its own: on a
/// shared machine that did so for 5 to 14 %, the medians of eight runs of one program differed by up to 65 %.
const BUSY: f64 = 0.01;

/// How often no interval of a comparison may be wrong.
const CONFIDENCE: f64 = 0.95;

/// Compares `runs`, the newest last, with `baseline`, the newest last. Runs of a side that prove nothing, or have another
/// load than the newest, are left out. `margin` is the change, as a share, up to which a figure counts as unchanged.
pub fn compare(baseline: &[Recorded], runs: &[Recorded], margin: f64) -> Comparison {
    let mut comparison = Comparison {
        scenario: runs.last().or(baseline.last()).map(|one| one.run.scenario.name.clone()).unwrap_or_default(),
        baseline: baseline.iter().map(origin).collect(),
        runs: runs.iter().map(origin).collect(),
        margin,
        change: Change::NotComparable,
        confidence: CONFIDENCE,
        by_runs: false,
        refused: Vec::new(),
        differences: Vec::new(),
        rows: Vec::new(),
    };
    let (Some(old), Some(new)) = (baseline.last(), runs.last()) else {
        let side = if baseline.is_empty() { "the baseline" } else { "the other side" };
        comparison.refused.push(format!("{side} has no run of this scenario"));
        return comparison;
    };
    let before: Vec<&Recorded> = baseline.iter().filter(|one| fits(one, new)).collect();
    let now: Vec<&Recorded> = runs.iter().filter(|one| fits(one, new)).collect();
    let (Some(newest), false) = (before.last(), now.is_empty()) else {
        let found = differences(&old.run, &new.run);
        (comparison.refused, comparison.differences) = (found.refused, found.all);
        return comparison;
    };
    let found = differences(&newest.run, &new.run);
    comparison.differences = found.all;
    let several = before.len() + now.len() >= 4;
    let (before, now) = (sample(before, several), sample(now, several));
    comparison.baseline = before.iter().map(|one| origin(one)).collect();
    comparison.runs = now.iter().map(|one| origin(one)).collect();
    comparison.by_runs = several;
    let (before, now): (Vec<&Run>, Vec<&Run>) =
        (before.iter().map(|one| &one.run).collect(), now.iter().map(|one| &one.run).collect());

    let compared = pair(&before, &now, several);
    let intervals = compared.len() + if several { counted::intervals(&before, &now) } else { 0 };
    comparison.confidence = 1.0 - (1.0 - CONFIDENCE) / intervals.max(1) as f64;
    comparison.rows = counted::rows(&before, &now, comparison.confidence, margin);
    let busy = if several { None } else { busy(&before, &now) };
    let machine = Machine { other: found.machine, busy: busy.is_some() };
    comparison.differences.extend(busy);
    let rows = compared.iter().map(|pair| pair.row(comparison.confidence, margin, &machine));
    comparison.rows.extend(rows);
    comparison.change = comparison.overall();
    comparison
}

/// What keeps figures that depend on the machine from being compared; empty where nothing does.
struct Machine {
    /// It is another one: why.
    other: String,
    /// It was busy with other things.
    busy: bool,
}

/// How busy the machine was, if it was too busy for single runs.
fn busy(before: &[&Run], now: &[&Run]) -> Option<Difference> {
    let denied = |run: &&Run| run.machine.denied_ms() / (run.load_seconds * 1e3).max(1.0);
    let most = |side: &[&Run]| side.iter().map(denied).fold(0.0, f64::max);
    let (one, other) = (most(before), most(now));
    let said = |share: f64| format!("{} of the load", text::percent(share));
    let difference = Difference { what: "machine stalls".to_owned(), before: said(one), now: said(other) };
    (one.max(other) > BUSY).then_some(difference)
}

/// All runs of a side if `several` are the sample, else its newest.
fn sample(side: Vec<&Recorded>, several: bool) -> Vec<&Recorded> {
    let kept = if several { side.len() } else { 1 };
    let left = side.len().saturating_sub(kept);
    side.into_iter().skip(left).collect()
}

/// Whether the figures of two runs can be compared.
fn fits(one: &Recorded, other: &Recorded) -> bool {
    differences(&one.run, &other.run).refused.is_empty()
}

fn origin(recorded: &Recorded) -> Origin {
    let Recorded { place, run } = recorded;
    Origin {
        place: place.clone(),
        started_at: run.started_at.clone(),
        seed: run.seed,
        firedrill_version: run.firedrill_version.clone(),
        verdict: run.verdict,
    }
}

/// A figure with its readings on both sides, one for each run.
struct Pair {
    figure: Figure,
    before: Vec<Reading>,
    now: Vec<Reading>,
    several: bool,
}

/// The figures that both sides have.
fn pair(before: &[&Run], now: &[&Run], several: bool) -> Vec<Pair> {
    let side = |runs: &[&Run]| runs.iter().map(|run| figures(run)).collect::<Vec<_>>();
    let (one, other) = (side(before), side(now));
    let readings = |side: &[Vec<(Figure, Reading)>], figure: &Figure| -> Vec<Reading> {
        side.iter().flatten().filter(|(of, _)| of == figure).map(|(_, reading)| reading.clone()).collect()
    };
    let newest = other.last().map(Vec::as_slice).unwrap_or_default();
    let pairs = newest.iter().map(|(figure, _)| Pair {
        figure: figure.clone(),
        before: readings(&one, figure),
        now: readings(&other, figure),
        several,
    });
    pairs.filter(|pair| !pair.before.is_empty()).collect()
}

impl Pair {
    fn row(&self, confidence: f64, margin: f64, machine: &Machine) -> Row {
        let Figure { group, name, unit, more_is_better, of_the_machine } = &self.figure;
        let (a, b) = (values(&self.before), values(&self.now));
        let share = *unit == Unit::Share;
        let mean = |values: &[f64]| match share {
            true => verdict::mean(values),
            // The mean whose ratio is the change: of the logarithms.
            false => verdict::mean(&values.iter().map(|value| value.ln()).collect::<Vec<_>>()).exp(),
        };
        let shown = |values: &[f64]| unit.text(mean(values));
        let row = Row { unit: Some(*unit), before: shown(&a), now: shown(&b), ..row(*group, name) };
        if *of_the_machine && !machine.other.is_empty() {
            return Row { change: Change::NotComparable, note: machine.other.clone(), ..row };
        }
        if share && a.iter().chain(&b).all(|value| *value <= 0.0) {
            return Row { change: Change::Unchanged, ..row };
        }
        let band = match share {
            true => {
                let most = SHARE_MARGIN.max(margin * mean(&a));
                Band { least: -most, most }
            }
            false => Band::ratio(margin),
        };
        match self.interval(confidence) {
            Some(interval) => {
                let change = band.judge(&interval, *more_is_better);
                let interval = match share {
                    true => Interval { relative: false, margin: band.most, ..interval },
                    false => from_logs(Interval { margin, ..interval }),
                };
                let row = Row { interval: Some(interval), ..row };
                match *of_the_machine && machine.busy && change != Change::Unchanged {
                    true => Row { change: Change::Unclear, note: "busy machine".to_owned(), ..row },
                    false => Row { change, ..row },
                }
            }
            None => Row { note: self.why_none(), ..row },
        }
    }

    /// The interval of the change: of logarithms, or of shares as they are.
    fn interval(&self, confidence: f64) -> Option<Interval> {
        let logs = |readings: &[Reading]| -> Vec<f64> {
            let of = |reading: &Reading| if reading.counts.is_some() { reading.value } else { reading.value.ln() };
            readings.iter().map(of).collect()
        };
        let (one, other) = (logs(&self.before), logs(&self.now));
        let (change, spread) = match self.several {
            true => {
                let between = of_runs(&one, &other, confidence, 0.0)?;
                return Some(self.widened(between, confidence));
            }
            false => (other.first()? - one.first()?, self.within()?),
        };
        Some(self.widened(around(change, spread, confidence, 0.0), confidence))
    }

    /// The spread of the change from the slices of two runs.
    fn within(&self) -> Option<Spread> {
        let (one, other) = (&self.before.first()?.slices, &self.now.first()?.slices);
        if one.len() == other.len() {
            let apart: Vec<f64> = one.iter().zip(other).filter_map(|(a, b)| Some((*b)? - (*a)?)).collect();
            return spread(&apart);
        }
        let alone = |slices: &[Option<f64>]| spread(&slices.iter().copied().flatten().collect::<Vec<_>>());
        Some(difference(alone(one)?, alone(other)?))
    }

    /// An interval of shares is at least as wide as that of as many independent operations.
    fn widened(&self, interval: Interval, confidence: f64) -> Interval {
        let counts = |readings: &[Reading]| {
            let counted = readings.iter().filter_map(|reading| reading.counts);
            counted.reduce(|(a, b), (c, d)| (a.saturating_add(c), b.saturating_add(d)))
        };
        let Some(counts) = counts(&self.before).zip(counts(&self.now)) else { return interval };
        let least = share_reach([counts.0, counts.1], confidence);
        let Interval { change, low, high, .. } = interval;
        Interval { low: low.min(change - least), high: high.max(change + least), ..interval }
    }

    fn why_none(&self) -> String {
        let none = |readings: &[Reading]| readings.iter().all(|reading| reading.slices.is_empty());
        match none(&self.before) || none(&self.now) {
            true => "too few operations for an interval, or recorded by a Firedrill that kept no slices".to_owned(),
            false => "too few slices for an interval: a longer load has more".to_owned(),
        }
    }
}

fn values(readings: &[Reading]) -> Vec<f64> {
    readings.iter().map(|reading| reading.value).collect()
}

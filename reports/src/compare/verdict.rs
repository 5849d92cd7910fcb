//! From an interval to a verdict: by where it lies relative to the changes that do not matter.

use super::model::{Change, Group, Interval, Row};
use super::stats::{Spread, between, reach};

/// The changes that do not matter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Band {
    /// The least of them.
    pub(super) least: f64,
    /// The most.
    pub(super) most: f64,
}

impl Band {
    /// Of the logarithm of a ratio: a tenth more, and what is undone by a tenth more.
    pub(super) fn ratio(margin: f64) -> Self {
        Self { least: -margin.ln_1p(), most: margin.ln_1p() }
    }

    /// A change is one if its whole interval lies beyond the band, and none if its whole interval lies within it. Everything
    /// else is unclear: Criterion.rs judges likewise, with a noise threshold for a band.
    pub(super) fn judge(self, low: f64, high: f64, more_is_better: bool) -> Change {
        match () {
            () if low > self.most && more_is_better => Change::Improved,
            () if low > self.most => Change::Regressed,
            () if high < self.least && more_is_better => Change::Regressed,
            () if high < self.least => Change::Improved,
            () if low >= self.least && high <= self.most => Change::Unchanged,
            () => Change::Unclear,
        }
    }
}

/// The interval of the difference of the means of several runs on each side.
pub(super) fn of_runs(before: &[f64], now: &[f64], confidence: f64, margin: f64) -> Option<Interval> {
    let (change, spread) = between(before, now)?;
    Some(around(change, spread, confidence, margin))
}

/// The interval around `change`.
pub(super) fn around(change: f64, spread: Spread, confidence: f64, margin: f64) -> Interval {
    let (reach, effective) = (reach(spread, confidence), spread.effective);
    Interval { relative: true, change, low: change - reach, high: change + reach, margin, effective }
}

/// The interval of a ratio as shares of the baseline, from that of its logarithm.
pub(super) fn from_logs(interval: Interval) -> Interval {
    // Beyond this nothing can be said, and JSON has no infinity.
    let share = |log: f64| log.min(20.0).exp_m1();
    Interval { change: share(interval.change), low: share(interval.low), high: share(interval.high), ..interval }
}

/// The mean; 0 of nothing.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// An empty row of this name.
pub(super) fn row(group: Group, name: &str) -> Row {
    Row {
        group,
        name: name.to_owned(),
        unit: None,
        before: String::new(),
        now: String::new(),
        interval: None,
        change: Change::Unclear,
        note: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_interval_decides() {
        let band = Band { least: -0.1, most: 0.1 };
        let cases = [
            (0.11, 0.3, Change::Regressed),
            (0.05, 0.3, Change::Unclear),
            (-0.1, 0.1, Change::Unchanged),
            (0.02, 0.05, Change::Unchanged),
            (-0.3, 0.3, Change::Unclear),
            (-0.3, -0.11, Change::Improved),
            (f64::NEG_INFINITY, f64::INFINITY, Change::Unclear),
        ];
        for (low, high, change) in cases {
            assert_eq!(band.judge(low, high, false), change, "{low} … {high}");
        }
        assert_eq!(band.judge(0.11, 0.3, true), Change::Improved);
        assert_eq!(band.judge(-0.3, -0.11, true), Change::Regressed);
    }

    #[test]
    fn twice_as_much_and_half_as_much_are_equally_far() {
        let band = Band::ratio(1.0);
        assert_eq!(band.judge(0.51_f64.ln(), 1.99_f64.ln(), false), Change::Unchanged);
        assert_eq!(band.judge(2.01_f64.ln(), 3.0_f64.ln(), false), Change::Regressed);
    }
}

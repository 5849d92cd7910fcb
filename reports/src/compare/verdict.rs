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

    /// `interval` is a change if it lies beyond the band and no change lies outside its interval. It is none if its whole
    /// interval lies within the band. Everything else is unclear.
    pub(super) fn judge(self, interval: &Interval, more_is_better: bool) -> Change {
        let Interval { change, low, high, .. } = *interval;
        let (up, down) = match more_is_better {
            true => (Change::Improved, Change::Regressed),
            false => (Change::Regressed, Change::Improved),
        };
        match () {
            () if low > 0.0 && change > self.most => up,
            () if high < 0.0 && change < self.least => down,
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

    fn interval(low: f64, change: f64, high: f64) -> Interval {
        Interval { relative: true, change, low, high, margin: 0.1, effective: 20.0 }
    }

    #[test]
    fn a_change_is_sure_and_larger_than_the_margin() {
        let band = Band { least: -0.1, most: 0.1 };
        let cases = [
            (0.05, 0.3, 0.5, Change::Regressed),
            (-0.01, 0.3, 0.6, Change::Unclear),
            (0.02, 0.09, 0.16, Change::Unclear),
            (0.02, 0.03, 0.05, Change::Unchanged),
            (-0.1, 0.0, 0.1, Change::Unchanged),
            (-0.3, 0.0, 0.3, Change::Unclear),
            (-0.3, -0.2, -0.01, Change::Improved),
            (f64::NEG_INFINITY, 0.0, f64::INFINITY, Change::Unclear),
        ];
        for (low, change, high, judged) in cases {
            assert_eq!(band.judge(&interval(low, change, high), false), judged, "{low} … {high}");
        }
        assert_eq!(band.judge(&interval(0.05, 0.3, 0.5), true), Change::Improved);
        assert_eq!(band.judge(&interval(-0.3, -0.2, -0.01), true), Change::Regressed);
    }

    #[test]
    fn twice_as_much_and_half_as_much_are_equally_far() {
        let band = Band::ratio(1.0);
        assert_eq!(band.judge(&interval(0.51_f64.ln(), 0.0, 1.99_f64.ln()), false), Change::Unchanged);
        assert_eq!(band.judge(&interval(1.5_f64.ln(), 2.01_f64.ln(), 3.0_f64.ln()), false), Change::Regressed);
        assert_eq!(band.judge(&interval(0.3_f64.ln(), 0.49_f64.ln(), 0.7_f64.ln()), false), Change::Improved);
    }
}

//! Latency in numbers: quantiles, and the percentile curve that shows the whole tail. Both come from a histogram of
//! integer values in any unit; the caller says how many milliseconds one unit is.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::phase_name::PhaseName;

/// Quantiles of a set of durations, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// The smallest.
    pub min: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// 90 % are at most this.
    pub p90: f64,
    /// 95 % are at most this.
    pub p95: f64,
    /// 99 % are at most this.
    pub p99: f64,
    /// 99.9 % are at most this.
    pub p999: f64,
    /// The largest.
    pub max: f64,
}

impl Quantiles {
    /// The quantiles of `histogram`, whose unit is `ms_per_unit` milliseconds (1e-6 for nanoseconds); `None` if it is
    /// empty. Each is the highest value equivalent to it at the histogram's precision, but never above the maximum.
    pub fn of(histogram: &Histogram<u64>, ms_per_unit: f64) -> Option<Self> {
        if histogram.is_empty() {
            return None;
        }
        let max = histogram.max();
        let ms = |value: f64| millis(value, ms_per_unit);
        let at = |quantile| ms(histogram.value_at_quantile(quantile).min(max) as f64);
        Some(Self {
            min: ms(histogram.min() as f64),
            mean: ms(histogram.mean()),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: ms(max as f64),
        })
    }
}

/// Response time by percentile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The phase it was measured in.
    pub phase: PhaseName,
    /// The operation; absent for all operations together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// The number of operations it represents.
    pub count: u64,
    /// Its points, ascending in both coordinates; the last is the observed maximum at 100 %.
    #[serde(default)]
    pub points: Vec<CurvePoint>,
}

/// A point of a [`Curve`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// From 0 to 100.
    pub percentile: f64,
    /// The response time that this share of the operations did not exceed, in milliseconds.
    pub response_ms: f64,
}

impl Curve {
    /// The curve of `histogram`, whose unit is `ms_per_unit` milliseconds; `None` if it is empty.
    ///
    /// The points follow HdrHistogram's percentile output: five for every halving of the distance to 100 %, so that
    /// each further "nine" is drawn as finely as the one before it.
    pub fn of(phase: PhaseName, op: Option<&str>, histogram: &Histogram<u64>, ms_per_unit: f64) -> Option<Self> {
        const POINTS_PER_HALVING: u32 = 5;
        if histogram.is_empty() {
            return None;
        }
        let max = histogram.max();
        let points = histogram
            .iter_quantiles(POINTS_PER_HALVING)
            .map(|step| CurvePoint {
                percentile: step.quantile() * 100.0,
                response_ms: millis(step.value_iterated_to().min(max) as f64, ms_per_unit),
            })
            .collect();
        Some(Self { phase, op: op.map(str::to_string), count: histogram.len(), points })
    }
}

/// Converts `value` units to milliseconds. Divides, because 294_399 * 1e-6 is 0.29439899999999997 and 294_399 / 1e6 is
/// 0.294399.
fn millis(value: f64, ms_per_unit: f64) -> f64 {
    value / (1.0 / ms_per_unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS_PER_NANO: f64 = 1e-6;

    /// Each millisecond from 1 ms to 1000 ms once, in nanoseconds.
    fn thousand() -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        for ms in 1..=1000_u64 {
            histogram.record(ms * 1_000_000).unwrap();
        }
        histogram
    }

    fn near(actual: f64, expected: f64) -> bool {
        (actual - expected).abs() <= expected * 0.001
    }

    #[test]
    fn quantiles_are_milliseconds_within_the_histograms_precision() {
        let all = Quantiles::of(&thousand(), MS_PER_NANO).unwrap();
        let pairs = [
            (all.min, 1.0),
            (all.mean, 500.5),
            (all.p50, 500.0),
            (all.p90, 900.0),
            (all.p95, 950.0),
            (all.p99, 990.0),
            (all.p999, 999.0),
            (all.max, 1000.0),
        ];
        for (actual, expected) in pairs {
            assert!(near(actual, expected), "{actual} is not {expected}");
        }
    }

    #[test]
    fn nanoseconds_become_milliseconds_without_rounding_noise() {
        assert_eq!(millis(294_399.0, MS_PER_NANO), 0.294399);
        assert_eq!(millis(250.0, 1.0), 250.0);
    }

    #[test]
    fn an_empty_histogram_has_neither_quantiles_nor_curve() {
        let empty = Histogram::new(3).unwrap();
        assert_eq!(Quantiles::of(&empty, MS_PER_NANO), None);
        assert_eq!(Curve::of(PhaseName::Before, None, &empty, MS_PER_NANO), None);
    }

    #[test]
    fn a_curve_rises_to_the_maximum_and_draws_every_nine_alike() {
        let curve = Curve::of(PhaseName::During, Some("read"), &thousand(), MS_PER_NANO).unwrap();
        assert_eq!(curve.count, 1000);
        assert_eq!(curve.op.as_deref(), Some("read"));
        for pair in curve.points.windows(2) {
            assert!(pair[0].percentile <= pair[1].percentile && pair[0].response_ms <= pair[1].response_ms);
        }
        let last = curve.points.last().unwrap();
        assert_eq!(last.percentile, 100.0);
        assert!(near(last.response_ms, 1000.0), "{last:?}");
        let within =
            |from: f64, to: f64| curve.points.iter().filter(|p| p.percentile >= from && p.percentile < to).count();
        assert!(within(0.0, 90.0) >= 15 && within(90.0, 99.0) >= 15 && within(99.0, 99.9) >= 10);
    }
}

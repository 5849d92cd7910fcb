//! Whether a figure drifts over a long load.

/// The standard normal's 95 % quantile.
const Z95: f64 = 1.6449;

/// Fewer values than this have no interval worth its name.
const FEWEST: usize = 8;

/// A slope with its 90 % interval, in units of the figure per unit of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// The median of the figure.
    pub level: f64,
    /// The estimate.
    pub slope: f64,
    /// It is lower with a probability of 5 %.
    pub low: f64,
    /// It is higher with a probability of 5 %.
    pub high: f64,
}

/// The drift of `values`, each a time and a figure; `None` with too few.
///
/// Sen's slope, the median of the slopes of all pairs, with the interval that follows from Kendall's statistic (Sen, "Estimates of
/// the regression coefficient based on Kendall's tau", 1968): a burst of a neighbour moves neither.
pub fn drift(values: &[(f64, f64)]) -> Option<Drift> {
    let n = values.len();
    if n < FEWEST {
        return None;
    }
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (values[i], values[j])));
    let mut slopes: Vec<f64> =
        pairs.filter(|(from, to)| to.0 > from.0).map(|(from, to)| (to.1 - from.1) / (to.0 - from.0)).collect();
    slopes.sort_by(f64::total_cmp);
    let last = slopes.len().checked_sub(1)?;
    let count = n as f64;
    let spread = Z95 * (count * (count - 1.0) * (2.0 * count + 5.0) / 18.0).sqrt();
    let at = |place: f64| slopes[(place.round().max(0.0) as usize).min(last)];
    let middle = last as f64 / 2.0;
    let mut levels: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    levels.sort_by(f64::total_cmp);
    Some(Drift {
        level: levels[n / 2],
        slope: at(middle),
        low: at((middle - spread / 2.0).floor()),
        high: at((middle + spread / 2.0).ceil()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOISE: [f64; 10] = [0.3, -0.4, 0.1, 0.5, -0.2, -0.5, 0.4, 0.0, -0.3, 0.2];

    fn values(slope: f64) -> Vec<(f64, f64)> {
        NOISE.iter().enumerate().map(|(at, noise)| (at as f64, 100.0 + slope * at as f64 + noise)).collect()
    }

    #[test]
    fn a_leak_is_told_from_noise() {
        let grows = drift(&values(2.0)).unwrap();
        assert!((grows.slope - 2.0).abs() < 0.1 && grows.low > 1.8 && grows.high < 2.2, "{grows:?}");
        let steady = drift(&values(0.0)).unwrap();
        assert!(steady.low < 0.0 && 0.0 < steady.high, "{steady:?}");
    }

    #[test]
    fn one_burst_is_no_drift() {
        let mut burst = values(0.0);
        burst[7].1 = 5_000.0;
        let found = drift(&burst).unwrap();
        assert!(found.low < 0.0 && found.slope < 0.2 && found.level < 101.0, "{found:?}");
    }

    #[test]
    fn a_few_values_have_no_drift() {
        assert_eq!(drift(&values(1.0)[..7]), None);
        assert_eq!(drift(&[(5.0, 1.0); 9]), None, "all at one time");
    }
}

//! How sure a figure is, from its values in consecutive slices of one run, or from its values in several runs.
//!
//! The operations of one run are not independent: one stall delays hundreds of them. So the slices of a run are the
//! sample, not its operations: batch means for ratios, and sectioning for quantiles (Asmussen and Glynn, *Stochastic
//! Simulation*, 2007, III.5 and IV.1). What still depends on its neighbour is discounted by an effective sample size.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// With fewer slices, their spread and their correlation are guesses.
pub(super) const LEAST_SLICES: usize = 8;

/// The most correlation that is taken for real: with more, a run is hardly worth two observations.
const MOST_CORRELATION: f64 = 0.9;

/// How much a figure varies by chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// Its standard error.
    pub(super) error: f64,
    /// The degrees of freedom of that error.
    pub(super) freedom: f64,
    /// As how many independent observations the sample counts.
    pub(super) effective: f64,
}

/// The spread of a figure that is an average over slices which deviate from it by `residuals`, in order of time. `None` with
/// fewer than [`LEAST_SLICES`].
///
/// The standard error is `sqrt(Σ residual² / (n - 1) / m)`, where `m = n (1 - r) / (1 + r)` is the effective sample size of a
/// series whose neighbours correlate by `r` (first-order autoregression: Wilks, *Statistical Methods in the Atmospheric
/// Sciences*, 3rd ed. 2011, eq. 5.12), with `n - 1` degrees of freedom. Negative correlation is not taken as a gain.
pub(super) fn spread(residuals: &[f64]) -> Option<Spread> {
    let count = residuals.len();
    if count < LEAST_SLICES {
        return None;
    }
    let correlation = correlation(residuals);
    let effective = (count as f64 * (1.0 - correlation) / (1.0 + correlation)).max(2.0);
    let squares: f64 = residuals.iter().map(|residual| residual * residual).sum();
    let error = (squares / (count - 1) as f64 / effective).sqrt();
    Some(Spread { error, freedom: (count - 1) as f64, effective })
}

/// The correlation of neighbours, from 0 to [`MOST_CORRELATION`]. A short series shows too little of it, by about
/// `(1 + 4 r) / n` (Kendall, "Note on Bias in the Estimation of Autocorrelation", Biometrika 41, 1954), which is added.
fn correlation(series: &[f64]) -> f64 {
    let count = series.len() as f64;
    let mean = series.iter().sum::<f64>() / count;
    let squares: f64 = series.iter().map(|value| (value - mean).powi(2)).sum();
    if squares <= 0.0 {
        return 0.0;
    }
    let products: f64 = series.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    let unbiased = (products / squares + 1.0 / count) / (1.0 - 4.0 / count);
    unbiased.clamp(0.0, MOST_CORRELATION)
}

/// The spread of the difference of two independent figures, with the degrees of freedom of Welch (Biometrika 34, 1947).
pub(super) fn difference(one: Spread, other: Spread) -> Spread {
    let (a, b) = (one.error.powi(2), other.error.powi(2));
    let error = (a + b).sqrt();
    let parts = a.powi(2) / one.freedom + b.powi(2) / other.freedom;
    let freedom = if parts > 0.0 { (a + b).powi(2) / parts } else { one.freedom.min(other.freedom) };
    Spread { error, freedom, effective: one.effective.min(other.effective) }
}

/// The difference of the means of two groups of runs, `other - one`, and its spread: Student's, with one variance for both
/// groups, so that a single run can be compared with several. `None` with fewer than four runs in all.
pub(super) fn between(one: &[f64], other: &[f64]) -> Option<(f64, Spread)> {
    let (a, b) = (one.len() as f64, other.len() as f64);
    let freedom = a + b - 2.0;
    if one.is_empty() || other.is_empty() || freedom < 2.0 {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let squares = |values: &[f64]| values.iter().map(|value| (value - mean(values)).powi(2)).sum::<f64>();
    let variance = (squares(one) + squares(other)) / freedom;
    let error = (variance * (1.0 / a + 1.0 / b)).sqrt();
    Some((mean(other) - mean(one), Spread { error, freedom, effective: a + b }))
}

/// How far an interval of this confidence reaches to either side of its middle.
pub(super) fn reach(spread: Spread, confidence: f64) -> f64 {
    let at = 1.0 - (1.0 - confidence) / 2.0;
    match StudentsT::new(0.0, 1.0, spread.freedom) {
        Ok(student) => student.inverse_cdf(at) * spread.error,
        Err(_) => f64::INFINITY,
    }
}

/// How far the interval of the difference of two shares reaches if their operations were independent, which is the least it
/// can be: Agresti and Caffo, The American Statistician 54(4), 2000. `counts` are how many of how many, in each sample.
pub(super) fn share_reach(counts: [(u64, u64); 2], confidence: f64) -> f64 {
    let variance = |(some, all): (u64, u64)| {
        let (share, all) = ((some as f64 + 1.0) / (all as f64 + 2.0), all as f64 + 2.0);
        share * (1.0 - share) / all
    };
    let at = 1.0 - (1.0 - confidence) / 2.0;
    Normal::standard().inverse_cdf(at) * counts.map(variance).iter().sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-3 * expected.abs().max(1.0), "{actual} is not {expected}");
    }

    #[test]
    fn independent_slices_count_as_many_as_they_are() {
        // Σ = 40, 10 values: s² = 40/9, and neighbours that alternate gain nothing.
        let spread = spread(&[2.0, -2.0, 2.0, -2.0, 2.0, -2.0, 2.0, -2.0, 2.0, -2.0]).unwrap();
        near(spread.error, (40.0_f64 / 9.0 / 10.0).sqrt());
        assert_eq!((spread.freedom, spread.effective), (9.0, 10.0));
        // Student's 97.5 % point with 9 degrees of freedom is 2.262.
        near(reach(spread, 0.95), 2.262 * spread.error);
    }

    #[test]
    fn slices_that_follow_each_other_count_as_fewer() {
        // Ten ups, then ten downs: mean 0, Σ = 20, neighbours' products 18 - 1 = 17, r = 0.85, corrected beyond 0.9.
        let series: Vec<f64> = (0..20).map(|n| if n < 10 { 1.0 } else { -1.0 }).collect();
        let spread = spread(&series).unwrap();
        near(spread.effective, 2.0);
        near(spread.freedom, 19.0);
        // Blocks of two: Σ = 20, products 10 - 9 = 1, r = 0.05, corrected (0.05 + 0.05) / 0.8 = 0.125.
        let series: Vec<f64> = (0..20).map(|n| if n % 4 < 2 { 1.0 } else { -1.0 }).collect();
        near(super::spread(&series).unwrap().effective, 20.0 * 0.875 / 1.125);
    }

    #[test]
    fn few_slices_have_no_spread_and_equal_ones_none_at_all() {
        assert_eq!(spread(&[1.0; LEAST_SLICES - 1]), None);
        assert_eq!(spread(&[0.0; LEAST_SLICES]).map(|spread| spread.error), Some(0.0));
    }

    #[test]
    fn runs_are_compared_as_student_did() {
        // Means 2 and 5, squares 2 and 2, variance 4/4 = 1, error sqrt(2/3).
        let (difference, spread) = between(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).unwrap();
        assert_eq!((difference, spread.freedom), (3.0, 4.0));
        near(spread.error, (2.0_f64 / 3.0).sqrt());
        assert!(between(&[1.0, 2.0, 3.0], &[4.0]).is_some());
        assert!(between(&[1.0, 2.0], &[4.0]).is_none(), "one degree of freedom");
    }

    #[test]
    fn two_spreads_add_up_as_welch_says() {
        let spread = |error, freedom| Spread { error, freedom, effective: freedom + 1.0 };
        let sum = difference(spread(3.0, 9.0), spread(4.0, 9.0));
        near(sum.error, 5.0);
        near(sum.freedom, 625.0 * 9.0 / 337.0);
        assert_eq!(difference(spread(0.0, 9.0), spread(0.0, 4.0)).freedom, 4.0);
    }

    #[test]
    fn no_error_in_few_operations_is_not_sure() {
        // (0+1)/(98+2) = 0.01 each: variance 0.01 · 0.99 / 100, twice; 1.96 standard errors.
        near(share_reach([(0, 98), (0, 98)], 0.95), 1.96 * (2.0 * 0.000_099_f64).sqrt());
    }
}

//! The interval of a share that was measured over consecutive seconds.

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::measured::Count;

/// Resamples of the bootstrap.
const RESAMPLES: usize = 400;

/// The standard normal's 95 % quantile.
const Z95: f64 = 1.6449;

/// A share with an interval; each bound is one-sided at 95 %.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Estimate {
    /// The share in all seconds together.
    pub share: f64,
    /// It is above this.
    pub low: f64,
    /// It is below this.
    pub high: f64,
}

/// The share of requests that exceeded an objective.
///
/// Requests of a second share its fate: a stall of 100 ms delays hundreds. So whole seconds are resampled, in circular
/// blocks of n^(1/3) seconds, which keeps what neighbouring seconds have in common (Politis and Romano, "A circular
/// block-resampling procedure", 1992). Deviations are scaled by √(n/(n−b)), because blocks of b out of n seconds vary too
/// little. The interval never gets narrower than Wilson's, which would hold if requests were independent: seconds without
/// any excess say nothing about shares below 2.7/requests.
pub fn share(seconds: &[Count], rng: &mut Xoshiro256PlusPlus) -> Estimate {
    let whole = seconds.iter().copied().fold(Count::default(), Count::plus);
    let (low, high) = wilson(whole);
    let n = seconds.len();
    let share = whole.share();
    if n < 2 || whole.over == 0 {
        return Estimate { share, low, high };
    }
    let block = (n as f64).cbrt().ceil() as usize;
    let scale = (n as f64 / (n - block).max(1) as f64).sqrt();
    let mut shares: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let mut sum = Count::default();
            let mut taken = 0;
            while taken < n {
                let from = rng.random_range(0..n);
                let length = block.min(n - taken);
                sum = (from..from + length).fold(sum, |sum, at| sum.plus(seconds[at % n]));
                taken += length;
            }
            sum.share()
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    let quantile = |q: f64| shares[((RESAMPLES - 1) as f64 * q).round() as usize];
    let apart = |value: f64| share + (value - share) * scale;
    Estimate { share, low: low.min(apart(quantile(0.05))).max(0.0), high: high.max(apart(quantile(0.95))).min(1.0) }
}

/// Wilson's score interval, each side at 95 % (Wilson, "Probable inference", 1927); 0 to 1 without requests.
fn wilson(count: Count) -> (f64, f64) {
    if count.of == 0 {
        return (0.0, 1.0);
    }
    let (n, p, z2) = (count.of as f64, count.share(), Z95 * Z95);
    let centre = p + z2 / (2.0 * n);
    let half = Z95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z2 / n;
    (((centre - half) / whole).max(0.0), ((centre + half) / whole).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn estimate(seconds: &[(u64, u64)]) -> Estimate {
        let counts: Vec<Count> = seconds.iter().map(|&(over, of)| Count { of, over }).collect();
        share(&counts, &mut Xoshiro256PlusPlus::seed_from_u64(1))
    }

    #[test]
    fn the_same_excess_says_less_if_it_lies_in_one_second() {
        let even = estimate(&[(100, 10_000); 8]);
        let lumped = estimate(&[
            (0, 10_000),
            (0, 10_000),
            (800, 10_000),
            (0, 10_000),
            (0, 10_000),
            (0, 10_000),
            (0, 10_000),
            (0, 10_000),
        ]);
        assert_eq!((even.share, lumped.share), (0.01, 0.01));
        assert!(even.low > 0.009 && even.high < 0.011, "{even:?}");
        assert!(lumped.low < 0.001 && lumped.high > 0.02, "{lumped:?}");
    }

    #[test]
    fn few_requests_without_excess_do_not_prove_a_small_share() {
        assert!(estimate(&[(0, 50); 4]).high > 0.01);
        assert!(estimate(&[(0, 500); 4]).high < 0.01);
        assert_eq!(estimate(&[(0, 0); 4]).high, 1.0);
    }
}

//! Whether a backlog grows: a target that answers fewer requests than are due is past its capacity, even while its
//! quantiles still look good.

/// A slower growth than this share of the rate is not told from chance.
const GROWTH: f64 = 0.01;

/// The standard normal's 99 % quantile.
const Z99: f64 = 2.3263;

/// Whether `backlog`, sampled over `seconds`, grows over the whole step at more than 1 % of `rate`, in requests per second.
///
/// The trend is tested by Mann and Kendall's statistic at 1 % (Kendall, "Rank correlation methods", 1975), which a single
/// burst does not pass; its size is Sen's slope, the median of all pairs.
pub fn grows(backlog: &[f64], seconds: f64, rate: f64) -> bool {
    let n = backlog.len();
    if n < 6 || seconds <= 0.0 {
        return false;
    }
    let pairs = || (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)));
    let sign = |(i, j): (usize, usize)| match backlog[j].total_cmp(&backlog[i]) {
        std::cmp::Ordering::Less => -1.0,
        std::cmp::Ordering::Equal => 0.0,
        std::cmp::Ordering::Greater => 1.0,
    };
    let s: f64 = pairs().map(sign).sum();
    let count = n as f64;
    let deviation = (count * (count - 1.0) * (2.0 * count + 5.0) / 18.0).sqrt();
    if (s - 1.0) / deviation < Z99 {
        return false;
    }
    let apart = seconds / (count - 1.0);
    let mut slopes: Vec<f64> = pairs().map(|(i, j)| (backlog[j] - backlog[i]) / ((j - i) as f64 * apart)).collect();
    slopes.sort_by(f64::total_cmp);
    slopes[slopes.len() / 2] > GROWTH * rate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_that_grows_is_told_from_one_that_is_long_and_from_a_burst() {
        let grown: Vec<f64> = (0..16).map(|n| 10.0 + f64::from(n) * 25.0).collect();
        assert!(grows(&grown, 4.0, 1_000.0));
        assert!(!grows(&grown, 4.0, 100_000.0), "100 a second is 0.1 % of the rate");
        let long = [500.0, 510.0, 490.0, 505.0, 495.0, 500.0, 507.0, 493.0];
        assert!(!grows(&long, 4.0, 1_000.0));
        let mut burst = [5.0; 16];
        burst[12] = 4_000.0;
        assert!(!grows(&burst, 4.0, 1_000.0));
        assert!(!grows(&[], 4.0, 1_000.0));
    }
}

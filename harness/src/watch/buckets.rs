//! Response times in the fixed buckets of a Prometheus histogram.

use hdrhistogram::Histogram;

/// The buckets' upper bounds, in seconds: from a local Redis (1 ms) to any outage. 50 ms is the alert line of many.
pub const BOUNDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How many values lie in each bucket, and their sum.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets {
    within: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Buckets {
    /// Adds the values of `nanos`, a histogram of nanoseconds, to its resolution of three digits.
    pub fn add(&mut self, nanos: &Histogram<u64>) {
        for step in nanos.iter_recorded() {
            let (value, count) =
                (nanos.median_equivalent(step.value_iterated_to()) as f64 / 1e9, step.count_at_value());
            if let Some(bucket) = BOUNDS.iter().position(|bound| value <= *bound) {
                self.within[bucket] += count;
            }
            self.count += count;
            self.sum += value * count as f64;
        }
    }

    /// Each bound with the number of values up to it.
    pub fn up_to(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut sum = 0;
        BOUNDS.into_iter().zip(self.within).map(move |(bound, within)| {
            sum += within;
            (bound, sum)
        })
    }

    /// All values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum, in seconds.
    pub fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::new_histogram;

    #[test]
    fn a_value_counts_in_its_bucket_and_all_above() {
        let mut nanos = new_histogram();
        for (millis, times) in [(0.3, 3), (4.0, 2), (60.0, 1), (30_000.0, 1)] {
            nanos.record_n((millis * 1e6) as u64, times).unwrap();
        }
        let mut buckets = Buckets::default();
        buckets.add(&nanos);
        buckets.add(&nanos);
        let up_to = |bound: f64| buckets.up_to().find(|(at, _)| *at == bound).unwrap().1;
        assert_eq!([0.0005, 0.001, 0.0025, 0.005, 0.05, 0.1, 10.0].map(up_to), [6, 6, 6, 10, 10, 12, 12]);
        assert_eq!(buckets.count(), 14);
        let expected = 2.0 * (3.0 * 0.0003 + 2.0 * 0.004 + 0.06 + 30.0);
        assert!((buckets.sum() - expected).abs() < expected * 1e-3, "{}", buckets.sum());
    }
}

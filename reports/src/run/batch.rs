//! Equal slices of a phase, from which the uncertainty of its figures is estimated.

use serde::{Deserialize, Serialize};

/// The most slices of a phase. Schmeiser, "Batch Size Effects in the Analysis of Simulation Output", Operations Research
/// 30(3), 1982: between 10 and 30 batches, more of them hardly narrow an interval, and longer ones depend less on each other.
const MOST: u64 = 20;

/// The fewest operations, on average, of a slice: with fewer, its 95th percentile is its slowest operation.
const LEAST_OPS: u64 = 20;

/// One of the equally long slices of a phase, in order of time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Its operations, which are those planned within it.
    pub ops: u64,
    /// Those of them that failed or have an unknown outcome.
    pub errors: u64,
    /// Their response times, from the planned instant; absent without operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<BatchResponse>,
}

/// Quantiles of the response times in a slice, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchResponse {
    /// The median.
    pub p50: f64,
    /// 95 % are at most this.
    pub p95: f64,
    /// 99 % are at most this.
    pub p99: f64,
}

impl Batch {
    /// The number of slices for a phase of `ops` operations.
    pub fn slices(ops: u64) -> u64 {
        (ops / LEAST_OPS).min(MOST)
    }

    /// The slice of operations with these response times in milliseconds, `errors` of which were not acknowledged.
    pub fn of(mut response_ms: Vec<f64>, errors: u64) -> Self {
        response_ms.sort_by(f64::total_cmp);
        let at = |quantile: f64| {
            let rank = (quantile * response_ms.len() as f64).ceil() as usize;
            response_ms.get(rank.saturating_sub(1)).copied()
        };
        let response = at(0.5).zip(at(0.95)).zip(at(0.99)).map(|((p50, p95), p99)| BatchResponse { p50, p95, p99 });
        Self { ops: response_ms.len() as u64, errors, response }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_has_the_quantiles_by_rank() {
        let slice = Batch::of((1..=100).rev().map(f64::from).collect(), 3);
        assert_eq!((slice.ops, slice.errors), (100, 3));
        assert_eq!(slice.response, Some(BatchResponse { p50: 50.0, p95: 95.0, p99: 99.0 }));
        assert_eq!(Batch::of(vec![7.0], 0).response, Some(BatchResponse { p50: 7.0, p95: 7.0, p99: 7.0 }));
        assert_eq!(Batch::of(Vec::new(), 0).response, None);
    }

    #[test]
    fn a_phase_has_at_most_twenty_slices_of_twenty_operations_or_more() {
        assert_eq!([0, 19, 20, 119, 400, 1_000_000].map(Batch::slices), [0, 0, 1, 5, 20, 20]);
    }
}

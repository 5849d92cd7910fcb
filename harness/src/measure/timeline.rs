//! The load over time, in buckets of equal width.
//!
//! Throughput and errors belong to the bucket in which operations ended; response times belong to the bucket for which
//! operations were planned, so that a stall shows from its onset: the first caller that had to wait waited longest.

use firedrill_reports::run::{Bucket, Quantiles, Timeline};
use hdrhistogram::Histogram;

use super::latency::new_histogram;
use super::ops::LoadOp;
use super::{MS_PER_NANO, ms};
use crate::clock::Nanos;

/// The load from 0 to `to`, extended to the end of the last operation, in buckets of `width` nanoseconds (at least 1).
pub fn timeline(ops: impl Iterator<Item = LoadOp>, to: Nanos, width: Nanos) -> Timeline {
    let width = width.max(1);
    let mut ops: Vec<LoadOp> = ops.collect();
    // An operation that ends exactly at a bucket's end belongs to the next bucket.
    let last = ops.iter().map(|op| op.ended + 1).fold(to, Nanos::max);
    let count = (last.max(0) as u64).div_ceil(width as u64) as usize;
    let place = |t: Nanos| ((t.max(0) / width) as usize).min(count.saturating_sub(1));
    let mut buckets: Vec<Bucket> =
        (0..count).map(|number| Bucket { from_ms: ms(number as Nanos * width), ..Bucket::default() }).collect();
    if count == 0 {
        return Timeline { bucket_ms: ms(width), buckets };
    }
    for op in &ops {
        buckets[place(op.ended)].outcomes.add(op.outcome, 1);
    }
    most_under_way(&ops, &mut buckets, place);
    ops.sort_by_key(|op| op.planned);
    let mut response = new_histogram();
    for planned_together in ops.chunk_by(|a, b| place(a.planned) == place(b.planned)) {
        let bucket = &mut buckets[place(planned_together[0].planned)];
        bucket.planned = planned_together.len() as u64;
        bucket.response = response_of(planned_together, &mut response).map(Into::into);
    }
    Timeline { bucket_ms: ms(width), buckets }
}

fn response_of(ops: &[LoadOp], histogram: &mut Histogram<u64>) -> Option<Quantiles> {
    histogram.reset();
    for op in ops {
        histogram.saturating_record((op.ended - op.planned).max(0) as u64);
    }
    Quantiles::of(histogram, MS_PER_NANO)
}

/// Sweeps through all starts and ends in order of time; at the same instant, ends come first.
fn most_under_way(ops: &[LoadOp], buckets: &mut [Bucket], place: impl Fn(Nanos) -> usize) {
    let mut changes: Vec<(Nanos, i64)> = ops.iter().flat_map(|op| [(op.started, 1), (op.ended, -1)]).collect();
    changes.sort_unstable();
    let mut changes = changes.into_iter().peekable();
    let mut under_way = 0;
    for (number, bucket) in buckets.iter_mut().enumerate() {
        let mut most = under_way;
        while let Some((_, change)) = changes.next_if(|(t, _)| place(*t) <= number) {
            under_way += change;
            most = most.max(under_way);
        }
        bucket.in_flight = u64::try_from(most).ok();
    }
}

#[cfg(test)]
mod tests {
    use firedrill_reports::run::Outcome;

    use super::super::tests::{MS, load_op as op};
    use super::*;

    fn timeline(ops: &[LoadOp], to: Nanos, width: Nanos) -> Timeline {
        super::timeline(ops.iter().copied(), to, width)
    }

    #[test]
    fn operations_count_where_they_ended_and_their_wait_where_they_were_planned() {
        let mut stalled = op(110 * MS, Outcome::Ok);
        stalled.ended = 250 * MS;
        let ops = [op(10 * MS, Outcome::Ok), op(20 * MS, Outcome::Failed), stalled, op(290 * MS, Outcome::Degraded)];
        let timeline = timeline(&ops, 300 * MS, 100 * MS);
        assert_eq!(timeline.bucket_ms, 100.0);
        let ended: Vec<_> = timeline.buckets.iter().map(|bucket| bucket.outcomes).collect();
        assert_eq!((ended[0].ok, ended[0].failed, ended[1].total()), (1, 1, 0));
        assert_eq!((ended[2].ok, ended[2].degraded), (1, 1));
        assert_eq!(timeline.buckets.iter().map(|bucket| bucket.planned).collect::<Vec<_>>(), [2, 1, 1]);
        let waited = timeline.buckets[1].response.unwrap();
        assert!((waited.p50 - 140.0).abs() < 0.2, "{waited:?}");
    }

    #[test]
    fn a_bucket_shows_the_most_operations_under_way_at_once() {
        let mut ops = [op(10 * MS, Outcome::Ok), op(11 * MS, Outcome::Ok), op(50 * MS, Outcome::Ok)];
        (ops[0].ended, ops[1].ended, ops[2].ended) = (50 * MS, 150 * MS, 60 * MS);
        let in_flight: Vec<_> =
            timeline(&ops, 300 * MS, 100 * MS).buckets.iter().map(|bucket| bucket.in_flight).collect();
        assert_eq!(in_flight, [Some(2), Some(1), Some(0)]);
    }

    #[test]
    fn what_ends_after_the_load_counts_where_it_ended() {
        let late = LoadOp { ended: 900 * MS, ..op(190 * MS, Outcome::Unknown) };
        let buckets = timeline(&[late], 200 * MS, 100 * MS).buckets;
        assert_eq!(
            buckets.iter().map(|bucket| bucket.outcomes.unknown).collect::<Vec<_>>(),
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        );
        assert!(timeline(&[], 0, 100 * MS).buckets.is_empty());
    }
}

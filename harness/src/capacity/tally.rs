//! What the operations of one stretch of load measured.

use firedrill_capacity::{Count, Measured, Second};
use hdrhistogram::Histogram;

use super::objective::Slo;
use crate::clock::Nanos;
use crate::history::OpRecord;
use crate::load::{LoadSummary, Saturation};
use crate::measure::new_histogram;

const SECOND: Nanos = 1_000_000_000;

/// Distance of the samples of the backlog.
const SAMPLE: Nanos = 250_000_000;

/// Response times, and how many operations were not acknowledged.
#[derive(Debug, Clone)]
pub struct Responses {
    /// From the planned instant to the end, nanoseconds.
    pub times: Histogram<u64>,
    /// Operations that failed or whose outcome is unknown.
    pub errors: u64,
}

/// Adds up operations over a window of time.
pub struct Tally<'a> {
    objectives: &'a [Slo],
    from: Nanos,
    to: Nanos,
    seconds: Vec<Second>,
    /// At each sample: how many operations were due by then, minus how many had ended, as differences.
    backlog: Vec<i64>,
    /// Operations × nanoseconds within the window.
    in_flight: i128,
    ended: u64,
    response: i128,
    responses: Responses,
}

impl<'a> Tally<'a> {
    /// An empty tally for the window from and to these instants, whole seconds apart.
    pub fn new(objectives: &'a [Slo], (from, to): (Nanos, Nanos)) -> Self {
        let seconds = usize::try_from((to - from) / SECOND).unwrap_or(0);
        let samples = usize::try_from((to - from) / SAMPLE).unwrap_or(0);
        let second = Second { counts: vec![Count::default(); objectives.len()] };
        Self {
            objectives,
            from,
            to,
            seconds: vec![second; seconds],
            backlog: vec![0; samples + 1],
            in_flight: 0,
            ended: 0,
            response: 0,
            responses: Responses { times: new_histogram(), errors: 0 },
        }
    }

    /// Adds operations. An operation belongs to the second in which it was due, however late it ended.
    pub fn add(&mut self, ops: &[OpRecord]) {
        for op in ops {
            let (from, to) = (op.planned.max(self.from), op.ended.min(self.to));
            self.in_flight += i128::from((to - from).max(0));
            if (self.from..self.to).contains(&op.ended) {
                self.ended += 1;
                self.response += i128::from(op.ended - op.planned);
            }
            self.sample(op);
            if !(self.from..self.to).contains(&op.planned) {
                continue;
            }
            let Some(second) = self.seconds.get_mut(((op.planned - self.from) / SECOND) as usize) else { continue };
            for (objective, count) in self.objectives.iter().zip(&mut second.counts) {
                objective.count(op, count);
            }
            self.responses.times.saturating_record((op.ended - op.planned).max(0).unsigned_abs());
            self.responses.errors += u64::from(!op.outcome.acknowledged());
        }
    }

    /// Counts the operation at every sample between its planned instant and its end.
    fn sample(&mut self, op: &OpRecord) {
        let last = self.backlog.len() - 1;
        let sample_after = |at: Nanos| {
            let whole = (at - self.from).max(0) + SAMPLE - 1;
            usize::try_from(whole / SAMPLE).unwrap_or(last).min(last)
        };
        let (first, end) = (sample_after(op.planned), sample_after(op.ended));
        self.backlog[first] += 1;
        self.backlog[end] -= 1;
    }

    /// What was measured. A busy thread of the generator is only its own fault if the target does not share its threads.
    pub fn measured(&self, summary: &LoadSummary, shares_threads: bool) -> Measured {
        let length = (self.to - self.from) as f64 / SECOND as f64;
        let running = self.backlog.iter().scan(0i64, |sum, change| {
            *sum += change;
            Some(*sum as f64)
        });
        let backlog: Vec<f64> = running.take(self.backlog.len() - 1).collect();
        let by_generator = !shares_threads && summary.saturation().iter().any(Saturation::disqualifies);
        Measured {
            seconds: self.seconds.clone(),
            planned: summary.counts.planned,
            started: summary.counts.started,
            backlog,
            throughput: self.ended as f64 / length,
            response: self.response as f64 / SECOND as f64 / self.ended.max(1) as f64,
            in_flight: self.in_flight as f64 / SECOND as f64 / length,
            by_generator,
        }
    }

    /// The response times.
    pub fn into_responses(self) -> Responses {
        self.responses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Outcome;
    use crate::history::testing::read;
    use crate::load::Counts;

    const MS: Nanos = 1_000_000;

    fn summary(planned: u64) -> LoadSummary {
        let counts = Counts { planned, started: planned, ..Counts::default() };
        LoadSummary {
            step: crate::history::Step::Load,
            from: 0,
            to: 0,
            counts,
            workers: Vec::new(),
            created: Vec::new(),
            next_index: planned,
        }
    }

    fn record(planned: Nanos, response: Nanos, outcome: Outcome) -> OpRecord {
        OpRecord { outcome, ..read(planned..planned + response) }
    }

    #[test]
    fn operations_count_in_the_second_in_which_they_were_due_and_errors_meet_no_time_limit() {
        let objectives = ["read.p99 <= 5ms".parse().unwrap(), "errors <= 1%".parse().unwrap()];
        let mut tally = Tally::new(&objectives, (500 * MS, 2_500 * MS));
        tally.add(&[
            record(400 * MS, MS, Outcome::Ok), // before the window
            record(600 * MS, MS, Outcome::Ok),
            record(1_400 * MS, 900 * MS, Outcome::Ok), // ends a second later
            record(1_600 * MS, MS, Outcome::Failed),
            record(2_600 * MS, MS, Outcome::Ok), // after the window
        ]);
        let measured = tally.measured(&summary(5), false);
        let counts = |second: usize| {
            measured.seconds[second].counts.iter().map(|count| (count.over, count.of)).collect::<Vec<_>>()
        };
        assert_eq!((counts(0), counts(1)), (vec![(1, 2), (0, 2)], vec![(1, 1), (1, 1)]));
        assert_eq!((measured.planned, tally.into_responses().errors), (5, 1));
    }

    #[test]
    fn in_flight_is_throughput_times_response_and_the_backlog_is_seen() {
        let objectives = ["p99 <= 5ms".parse().unwrap()];
        let mut tally = Tally::new(&objectives, (0, 2_000 * MS));
        // 100 a second, each for 50 ms: five in flight.
        let steady: Vec<OpRecord> = (0..200).map(|n| record(n * 10 * MS, 50 * MS, Outcome::Ok)).collect();
        tally.add(&steady);
        let measured = tally.measured(&summary(200), false);
        let apart = (measured.in_flight - measured.throughput * measured.response) / measured.in_flight;
        assert!(apart.abs() < 0.03, "{measured:?}");
        assert_eq!((measured.backlog.len(), measured.backlog[3]), (8, 5.0));

        let mut growing = Tally::new(&objectives, (0, 2_000 * MS));
        growing.add(&(0..200).map(|n| record(n * 10 * MS, 9_000 * MS, Outcome::Unknown)).collect::<Vec<_>>());
        let backlog = growing.measured(&summary(200), false).backlog;
        assert!(backlog.windows(2).all(|pair| pair[1] - pair[0] == 25.0), "{backlog:?}");
    }
}

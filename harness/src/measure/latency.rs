//! Histograms of the three latencies, per operation and outcome.

use firedrill_reports::run::Outcome;
use hdrhistogram::Histogram;

use crate::clock::Nanos;
use crate::history::OpKind;

/// The lowest value that is resolved, in nanoseconds.
const LOWEST: u64 = 1_000;

/// The ceiling, in nanoseconds: an hour, far longer than any drilled outage. Longer values count as this.
const HIGHEST: u64 = 3_600_000_000_000;

/// Significant decimal digits of every value.
const DIGITS: u8 = 3;

const OUTCOMES: usize = Outcome::ALL.len();
const CELLS: usize = OpKind::COUNT * OUTCOMES;

/// An empty histogram of nanoseconds with the bounds used everywhere, so that any two can be added: 1 µs to 1 h with
/// three significant digits.
pub fn new_histogram() -> Histogram<u64> {
    // The constants satisfy the library's three conditions; a test creates one.
    match Histogram::new_with_bounds(LOWEST, HIGHEST, DIGITS) {
        Ok(histogram) => histogram,
        Err(error) => unreachable!("constant histogram bounds: {error}"),
    }
}

/// The three latencies of one kind of operation, in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Latencies {
    /// From start to end.
    pub service: Histogram<u64>,
    /// From the planned instant to the start.
    pub slip: Histogram<u64>,
    /// From the planned instant to the end.
    pub response: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { service: new_histogram(), slip: new_histogram(), response: new_histogram() }
    }
}

impl Latencies {
    /// Counts one operation.
    pub fn record(&mut self, planned: Nanos, started: Nanos, ended: Nanos) {
        self.service.saturating_record((ended - started).max(0) as u64);
        self.slip.saturating_record((started - planned).max(0) as u64);
        self.response.saturating_record((ended - planned).max(0) as u64);
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Latencies) {
        for (sum, part) in
            [(&mut self.service, &other.service), (&mut self.slip, &other.slip), (&mut self.response, &other.response)]
        {
            *sum += part;
        }
    }

    /// Resets the counts but keeps the memory.
    pub fn clear(&mut self) {
        self.service.reset();
        self.slip.reset();
        self.response.reset();
    }

    /// The number of counted operations.
    pub fn count(&self) -> u64 {
        self.service.len()
    }
}

/// Latencies per operation and outcome. A cell allocates its memory (0.6 MB) when its first operation is counted.
#[derive(Debug, Clone)]
pub struct OpLatencies {
    cells: [Option<Box<Latencies>>; CELLS],
}

impl Default for OpLatencies {
    fn default() -> Self {
        Self { cells: [const { None }; CELLS] }
    }
}

fn cell(kind: OpKind, outcome: Outcome) -> usize {
    kind as usize * OUTCOMES + outcome as usize
}

impl OpLatencies {
    /// Counts one operation.
    pub fn record(&mut self, kind: OpKind, outcome: Outcome, planned: Nanos, started: Nanos, ended: Nanos) {
        self.cells[cell(kind, outcome)].get_or_insert_default().record(planned, started, ended);
    }

    /// The latencies of one operation and outcome, if any were counted.
    pub fn get(&self, kind: OpKind, outcome: Outcome) -> Option<&Latencies> {
        self.cells[cell(kind, outcome)].as_deref().filter(|latencies| latencies.count() > 0)
    }

    /// Every operation and outcome with counts.
    pub fn iter(&self) -> impl Iterator<Item = (OpKind, Outcome, &Latencies)> {
        let cells = OpKind::ALL.into_iter().flat_map(|kind| Outcome::ALL.map(|outcome| (kind, outcome)));
        cells.filter_map(|(kind, outcome)| Some((kind, outcome, self.get(kind, outcome)?)))
    }

    /// The sum over the operations and outcomes that `wanted` selects.
    pub fn sum(&self, wanted: impl Fn(OpKind, Outcome) -> bool) -> Latencies {
        let mut sum = Latencies::default();
        for (_, _, part) in self.iter().filter(|(kind, outcome, _)| wanted(*kind, *outcome)) {
            sum.add(part);
        }
        sum
    }

    /// The number of operations that `wanted` selects.
    pub fn count(&self, wanted: impl Fn(OpKind, Outcome) -> bool) -> u64 {
        self.iter().filter(|(kind, outcome, _)| wanted(*kind, *outcome)).map(|(_, _, part)| part.count()).sum()
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &OpLatencies) {
        for (kind, outcome, part) in other.iter() {
            self.cells[cell(kind, outcome)].get_or_insert_default().add(part);
        }
    }

    /// Resets the counts but keeps the memory.
    pub fn clear(&mut self) {
        for latencies in self.cells.iter_mut().flatten().filter(|latencies| latencies.count() > 0) {
            latencies.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;

    #[test]
    fn the_three_latencies_add_up() {
        let mut latencies = Latencies::default();
        latencies.record(10 * MS, 30 * MS, 35 * MS);
        let about = |histogram: &Histogram<u64>| histogram.max() as f64 / MS as f64;
        assert!((about(&latencies.slip) - 20.0).abs() < 0.02);
        assert!((about(&latencies.service) - 5.0).abs() < 0.005);
        assert!((about(&latencies.response) - 25.0).abs() < 0.025);
    }

    #[test]
    fn what_lasts_longer_than_the_ceiling_is_counted_at_it() {
        let mut latencies = Latencies::default();
        latencies.record(0, 0, 2 * 3600 * 1000 * MS);
        assert_eq!(latencies.count(), 1);
        assert!(latencies.service.max() >= HIGHEST);
    }

    #[test]
    fn intervals_add_up_and_can_be_cleared_for_use_again() {
        let (mut all, mut interval) = (OpLatencies::default(), OpLatencies::default());
        for second in 0..3 {
            interval.clear();
            interval.record(OpKind::Read, Outcome::Ok, 0, 0, (second + 1) * MS);
            interval.record(OpKind::Append, Outcome::Failed, 0, 0, MS);
            all.add(&interval);
        }
        assert_eq!(interval.count(|_, _| true), 2);
        assert_eq!(all.count(|_, _| true), 6);
        assert_eq!(all.count(|_, outcome| outcome == Outcome::Failed), 3);
        assert_eq!(all.get(OpKind::Read, Outcome::Failed), None);
        let kinds: Vec<_> = all.iter().map(|(kind, outcome, part)| (kind, outcome, part.count())).collect();
        assert_eq!(kinds, [(OpKind::Read, Outcome::Ok, 3), (OpKind::Append, Outcome::Failed, 3)]);
    }
}

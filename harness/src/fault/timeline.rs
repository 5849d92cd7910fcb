//! When each fault begins and ends. Pure: the same specifications and seed give the same timeline, and adding or
//! removing a fault does not change the times of the others.

use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;

use super::spec::FaultSpec;
use crate::clock::Nanos;

/// One occurrence of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The fault's position in the scenario, from 0.
    pub fault: u32,
    /// The number of the occurrence, from 0.
    pub occurrence: u32,
    /// When it begins.
    pub on: Nanos,
    /// When it ends.
    pub off: Nanos,
}

/// Every occurrence of every fault, ordered by start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    windows: Vec<Window>,
}

impl Timeline {
    /// Plans `specs`, drawing everything random from `seed`.
    pub fn plan(specs: &[FaultSpec], seed: u64) -> Self {
        Self::of((0..).zip(specs).flat_map(|(fault, spec)| occurrences(fault, spec, seed)).collect())
    }

    /// A timeline of these occurrences.
    pub fn of(mut windows: Vec<Window>) -> Self {
        windows.sort_by_key(|window| (window.on, window.fault, window.occurrence));
        Self { windows }
    }

    /// The occurrences, ordered by start.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// When the last fault ends; `None` without faults.
    pub fn ends(&self) -> Option<Nanos> {
        self.windows.iter().map(|window| window.off).max()
    }
}

fn occurrences(fault: u32, spec: &FaultSpec, seed: u64) -> Vec<Window> {
    // Each fault has its own random stream.
    let mut rng = SplitMix64::seed_from_u64(seed ^ (u64::from(fault) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..spec.repeat)
        .map(|occurrence| {
            let late = rng.random_range(0..=spec.spread.nanos());
            let since_first = spec.every.nanos().saturating_mul(i64::from(occurrence));
            let on = spec.at.nanos().saturating_add(since_first).saturating_add(late);
            Window { fault, occurrence, on, off: on.saturating_add(spec.lasting.nanos()) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::registry::{Down, Stop};
    use super::*;
    use crate::units::Span;

    const SECOND: Nanos = 1_000_000_000;
    const DOWN: Down = Down {};
    const STOP: Stop = Stop {};

    #[test]
    fn faults_are_ordered_by_their_beginning_not_by_their_place_in_the_file() {
        let specs =
            [FaultSpec::once(DOWN, Span::secs(9), Span::secs(1)), FaultSpec::once(STOP, Span::secs(2), Span::secs(20))];
        let timeline = Timeline::plan(&specs, 1);
        assert_eq!(
            timeline.windows(),
            [
                Window { fault: 1, occurrence: 0, on: 2 * SECOND, off: 22 * SECOND },
                Window { fault: 0, occurrence: 0, on: 9 * SECOND, off: 10 * SECOND },
            ]
        );
        assert_eq!(timeline.ends(), Some(22 * SECOND));
    }

    #[test]
    fn a_repeated_fault_comes_and_goes_as_often_as_it_says() {
        let spec = FaultSpec { repeat: 3, every: Span::secs(2), ..FaultSpec::once(STOP, Span::secs(1), Span::secs(2)) };
        let timeline = Timeline::plan(&[spec], 1);
        let windows: Vec<_> = timeline.windows().iter().map(|w| (w.on / SECOND, w.off / SECOND)).collect();
        assert_eq!(windows, [(1, 3), (3, 5), (5, 7)]);
    }

    #[test]
    fn chance_stays_within_its_spread_follows_the_seed_and_does_not_touch_other_faults() {
        let spec = FaultSpec {
            repeat: 50,
            every: Span::secs(10),
            spread: Span::secs(3),
            ..FaultSpec::once(STOP, Span::secs(1), Span::secs(2))
        };
        let other = FaultSpec { spread: Span::secs(3), ..FaultSpec::once(DOWN, Span::secs(1), Span::secs(2)) };
        let alone = Timeline::plan(std::slice::from_ref(&spec), 7);
        let lateness = |window: &Window| window.on - SECOND - 10 * SECOND * i64::from(window.occurrence);
        assert!(alone.windows().iter().all(|window| (0..=3 * SECOND).contains(&lateness(window))));
        assert!(alone.windows().iter().any(|window| lateness(window) < SECOND));
        assert!(alone.windows().iter().any(|window| lateness(window) > 2 * SECOND));
        assert!(alone.windows().iter().all(|window| window.off - window.on == 2 * SECOND));
        assert_eq!(alone, Timeline::plan(std::slice::from_ref(&spec), 7));
        assert_ne!(alone, Timeline::plan(std::slice::from_ref(&spec), 8));
        let both = Timeline::plan(&[spec, other], 7);
        let first: Vec<Window> = both.windows().iter().copied().filter(|window| window.fault == 0).collect();
        assert_eq!(first, alone.windows());
    }

    #[test]
    fn no_faults_make_an_empty_timeline() {
        assert_eq!(Timeline::plan(&[], 1).ends(), None);
    }
}

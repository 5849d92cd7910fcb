//! When the operations of an open loop are due: stages of a steady or ramping rate, with Poisson or constant spacing.
//!
//! One idea yields both kinds of spacing. The rate integrated over time counts the expected arrivals. Step through that
//! count by one (constant) or by exponential draws of mean one (Poisson), and ask when each value is reached: these are
//! the instants, even while the rate ramps (time rescaling of an inhomogeneous Poisson process).

use std::time::Duration;

use rand_distr::{Distribution, Exp1};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::clock::Nanos;

/// A section of an open loop: the rate changes linearly from one value to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// Operations per second at the start.
    pub from_rate: f64,
    /// Operations per second at the end.
    pub to_rate: f64,
    /// Duration of the stage.
    pub length: Duration,
}

impl Stage {
    /// A stage with a steady rate per second.
    pub fn steady(rate: f64, length: Duration) -> Self {
        Self { from_rate: rate, to_rate: rate, length }
    }

    /// Expected arrivals within the stage.
    pub fn expected(&self) -> f64 {
        (self.from_rate + self.to_rate) / 2.0 * self.length.as_secs_f64()
    }

    /// When the expected count of arrivals reaches `count`, in nanoseconds from the start of the stage: the root of
    /// `from·t + (to − from)·t²/2·length = count`, in the form that is exact for a steady rate.
    fn reached(&self, count: f64) -> Nanos {
        if count <= 0.0 {
            return 0;
        }
        if self.from_rate == self.to_rate {
            return (count * 1e9 / self.from_rate).round() as Nanos;
        }
        let slope = (self.to_rate - self.from_rate) / self.length.as_secs_f64();
        let root = (self.from_rate * self.from_rate + 2.0 * slope * count).max(0.0).sqrt();
        (2.0 * count / (self.from_rate + root) * 1e9).round() as Nanos
    }
}

/// How arrivals are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrivalProcess {
    /// Independent of each other, like those of many users.
    Poisson,
    /// Evenly spaced; the first is due at the very start.
    Constant,
}

/// The instants at which operations are due, in order.
#[derive(Debug, Clone)]
pub struct Arrivals {
    stages: std::vec::IntoIter<Stage>,
    process: ArrivalProcess,
    stage: Option<Stage>,
    stage_at: Nanos,
    count: f64,
    rng: Xoshiro256PlusPlus,
}

impl Arrivals {
    pub(super) fn new(at: Nanos, stages: Vec<Stage>, process: ArrivalProcess, rng: Xoshiro256PlusPlus) -> Self {
        let mut stages = stages.into_iter();
        let stage = stages.next();
        let count = match process {
            ArrivalProcess::Poisson => 0.0,
            ArrivalProcess::Constant => -1.0,
        };
        Self { stages, process, stage, stage_at: at, count, rng }
    }
}

impl Iterator for Arrivals {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        let step: f64 = match self.process {
            ArrivalProcess::Poisson => Exp1.sample(&mut self.rng),
            ArrivalProcess::Constant => 1.0,
        };
        self.count += step;
        loop {
            let stage = self.stage?;
            let expected = stage.expected();
            if self.count < expected {
                return Some(self.stage_at + stage.reached(self.count));
            }
            self.count -= expected;
            self.stage_at += stage.length.as_nanos() as Nanos;
            self.stage = self.stages.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn arrivals(stages: &[Stage], process: ArrivalProcess) -> Vec<Nanos> {
        Arrivals::new(0, stages.to_vec(), process, Xoshiro256PlusPlus::seed_from_u64(7)).collect()
    }

    #[test]
    fn constant_arrivals_are_spaced_exactly_and_end_with_the_stage() {
        let due = arrivals(&[Stage::steady(1000.0, Duration::from_millis(5))], ArrivalProcess::Constant);
        assert_eq!(due, [0, 1_000_000, 2_000_000, 3_000_000, 4_000_000]);
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_does_not_drift() {
        let due = arrivals(&[Stage::steady(3.0, Duration::from_secs(100))], ArrivalProcess::Constant);
        assert_eq!(due.len(), 300);
        assert_eq!(due[1], 333_333_333);
        assert_eq!(due[299], 99_666_666_667);
    }

    #[test]
    fn a_pause_between_stages_holds_arrivals_back_for_its_length() {
        let second = Duration::from_secs(1);
        let stages = [Stage::steady(2.0, second), Stage::steady(0.0, second), Stage::steady(2.0, second)];
        assert_eq!(arrivals(&stages, ArrivalProcess::Constant), [0, 500_000_000, 2_000_000_000, 2_500_000_000]);
    }

    #[test]
    fn a_ramp_releases_its_integral_and_half_of_it_late() {
        let ramp = Stage { from_rate: 0.0, to_rate: 1000.0, length: Duration::from_secs(10) };
        let due = arrivals(&[ramp], ArrivalProcess::Constant);
        assert_eq!(due.len(), 5000);
        // The integral of a ramp from 0 is a parabola: a quarter of the arrivals fall in the first half of the time.
        let first_half = due.iter().filter(|&&t| t < 5_000_000_000).count();
        assert!((1249..=1251).contains(&first_half), "{first_half}");
        assert!(due.is_sorted());
    }

    #[test]
    fn a_falling_ramp_mirrors_a_rising_one() {
        let ramp = Stage { from_rate: 100.0, to_rate: 0.0, length: Duration::from_secs(10) };
        let due = arrivals(&[ramp], ArrivalProcess::Constant);
        assert_eq!(due.len(), 500);
        let first_half = due.iter().filter(|&&t| t < 5_000_000_000).count();
        assert!((374..=376).contains(&first_half), "{first_half}");
    }

    #[test]
    fn poisson_counts_have_the_mean_and_the_variance_of_their_rate() {
        let due = arrivals(&[Stage::steady(1000.0, Duration::from_secs(100))], ArrivalProcess::Poisson);
        let mut buckets = [0f64; 1000]; // 100 ms each: 100 expected arrivals
        for t in &due {
            buckets[(t / 100_000_000) as usize] += 1.0;
        }
        let mean = buckets.iter().sum::<f64>() / 1000.0;
        let variance = buckets.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 999.0;
        // Five standard errors: sqrt(100 / 1000) of the mean, 100 * sqrt(2 / 999) of the variance.
        assert!((mean - 100.0).abs() < 1.6, "{mean}");
        assert!((variance - 100.0).abs() < 22.5, "{variance}");
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        let due = arrivals(&[Stage::steady(1000.0, Duration::from_secs(50))], ArrivalProcess::Poisson);
        let gaps = due.windows(2).map(|w| w[1] - w[0]);
        let share_above_mean = gaps.filter(|&gap| gap > 1_000_000).count() as f64 / (due.len() - 1) as f64;
        let expected = (-1f64).exp();
        assert!((share_above_mean - expected).abs() < 0.011, "{share_above_mean}");
    }
}

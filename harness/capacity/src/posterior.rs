//! What a series of steps says about the knee.
//!
//! The chance that a step passes is modelled as a logistic curve over the logarithm of the rate, as in psychophysics, where
//! a threshold is found from answers that are not certain (Watson and Pelli, "QUEST", 1983; Kontsevich and Tyler, "Bayesian
//! adaptive estimation of psychometric slope and threshold", 1999). Knee, steepness and the chance that a good step fails
//! because of a neighbour are all unknown: their joint posterior is computed on a grid, and the knee's marginal is the
//! answer. Unlike a logistic regression, it has an interval even where no step contradicts another.

/// Points of the grid of knees.
const KNEES: usize = 360;

/// Widths of the transition, as shares of the rate.
const WIDTHS: [f64; 6] = [0.002, 0.006, 0.015, 0.035, 0.08, 0.16];

/// Chances that a step below the knee fails all the same, and their prior weights: a machine is mostly quiet.
const LAPSES: [(f64, f64); 4] = [(0.005, 0.5), (0.04, 0.3), (0.12, 0.15), (0.25, 0.05)];

/// The chance that a step above the knee passes all the same.
const LUCK: f64 = 0.005;

/// How a step counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It was as close to passing as to failing: half of each.
    Undecided,
}

/// The posterior of the knee.
#[derive(Debug, Clone)]
pub struct Posterior {
    /// The natural logarithms of the knees, rising.
    knees: Vec<f64>,
    /// The logarithm of the weight of each cell: knees, in them widths, in them lapses.
    weights: Vec<f64>,
}

impl Posterior {
    /// Nothing known but that the knee lies between the rates `low` and `high`.
    pub fn between(low: f64, high: f64) -> Self {
        let (from, to) = (low.ln(), high.ln());
        let knees = (0..KNEES).map(|n| from + (to - from) * (n as f64 + 0.5) / KNEES as f64).collect();
        let mut weights = Vec::with_capacity(KNEES * WIDTHS.len() * LAPSES.len());
        for _ in 0..KNEES * WIDTHS.len() {
            weights.extend(LAPSES.iter().map(|(_, weight)| weight.ln()));
        }
        Self { knees, weights }
    }

    /// Adds a step at `rate`.
    pub fn add(&mut self, rate: f64, evidence: Evidence) {
        let at = rate.ln();
        let mut weights = self.weights.iter_mut();
        for knee in &self.knees {
            for width in WIDTHS {
                let below = 1.0 / (1.0 + ((at - knee) / width).clamp(-60.0, 60.0).exp());
                for ((lapse, _), weight) in LAPSES.iter().zip(&mut weights) {
                    let passes = LUCK + (1.0 - lapse - LUCK) * below;
                    *weight += match evidence {
                        Evidence::Passed => passes.ln(),
                        Evidence::Failed => (1.0 - passes).ln(),
                        Evidence::Undecided => 0.5 * (passes.ln() + (1.0 - passes).ln()),
                    };
                }
            }
        }
    }

    /// The rates below which the knee lies with these probabilities, in the same order.
    pub fn quantiles<const N: usize>(&self, wanted: [f64; N]) -> [f64; N] {
        let top = self.weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let cells = WIDTHS.len() * LAPSES.len();
        let knees: Vec<f64> =
            self.weights.chunks(cells).map(|chunk| chunk.iter().map(|weight| (weight - top).exp()).sum()).collect();
        let whole: f64 = knees.iter().sum();
        let half = self.knees.get(1).zip(self.knees.first()).map_or(0.0, |(next, first)| (next - first) / 2.0);
        wanted.map(|share| {
            let mut left = share * whole;
            for (knee, weight) in self.knees.iter().zip(&knees) {
                if left <= *weight {
                    // Within a cell, the knee may lie anywhere.
                    return (knee - half + 2.0 * half * left / weight).exp();
                }
                left -= weight;
            }
            self.knees.last().map_or(0.0, |knee| (knee + half).exp())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(steps: &[(f64, Evidence)]) -> [f64; 3] {
        let mut posterior = Posterior::between(5_000.0, 20_000.0);
        steps.iter().for_each(|(rate, evidence)| posterior.add(*rate, *evidence));
        posterior.quantiles([0.05, 0.5, 0.95])
    }

    #[test]
    fn without_steps_every_rate_is_as_likely() {
        let [low, middle, high] = after(&[]);
        assert!((low / 5_359.0 - 1.0).abs() < 0.01 && (high / 18_660.0 - 1.0).abs() < 0.01, "{low} {high}");
        assert!((middle / 10_000.0 - 1.0).abs() < 0.01);
    }

    #[test]
    fn steps_that_agree_leave_the_knee_between_them() {
        let [low, _, high] = after(&[(9_000.0, Evidence::Passed), (10_000.0, Evidence::Failed)]);
        assert!(low < 9_000.0 && high > 10_000.0, "one step of each proves little: {low} {high}");
        let often = [(9_000.0, Evidence::Passed), (10_000.0, Evidence::Failed)].repeat(6);
        let [low, _, high] = after(&often);
        assert!(low > 8_900.0 && high < 10_100.0, "{low} {high}");
    }

    #[test]
    fn one_failure_far_below_does_not_move_the_knee() {
        let mut steps = [(9_000.0, Evidence::Passed), (10_000.0, Evidence::Failed)].repeat(4);
        steps.push((6_000.0, Evidence::Failed));
        let [low, _, high] = after(&steps);
        assert!(low > 8_700.0 && high < 10_300.0, "{low} {high}");
    }
}

//! How operations are spread over the live sessions.

use rand::RngExt;
use rand_distr::{Distribution, Normal, Zipf};
use rand_xoshiro::Xoshiro256PlusPlus;

/// How sessions are chosen for operations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KeyDistribution {
    /// All sessions with equal probability.
    Uniform,
    /// The k-th session with a probability proportional to `1 / k^exponent`.
    Zipf {
        /// 0 is uniform; 1 is the classic skew of web traffic.
        exponent: f64,
    },
    /// A small part of the sessions gets most of the operations.
    Hotspot {
        /// The share of hot sessions, in 0..=1; at least one session is hot.
        sessions: f64,
        /// The share of operations on hot sessions, in 0..=1.
        operations: f64,
    },
    /// Normally distributed around one of the sessions.
    Gaussian {
        /// Where the middle is, in 0..=1 of the sessions.
        mean: f64,
        /// Standard deviation, as a share of the sessions: above 0.
        deviation: f64,
    },
}

/// A draw outside of the sessions is repeated, as memtier does; after so many, any session is as good.
const MOST_DRAWS: usize = 64;

/// Draws positions in a set whose size may change between draws.
#[derive(Debug, Clone)]
pub(super) struct KeyChooser {
    keys: KeyDistribution,
    zipf: Option<(usize, Zipf<f64>)>,
}

impl KeyChooser {
    pub(super) fn new(keys: KeyDistribution) -> Self {
        Self { keys, zipf: None }
    }

    /// A position in `0..size`; `size` is at least 1.
    pub(super) fn choose(&mut self, size: usize, rng: &mut Xoshiro256PlusPlus) -> usize {
        match self.keys {
            KeyDistribution::Uniform => rng.random_range(0..size),
            KeyDistribution::Zipf { exponent } => self.zipf(size, exponent, rng),
            KeyDistribution::Gaussian { mean, deviation } => {
                let Ok(normal) = Normal::new(mean, deviation) else { return rng.random_range(0..size) };
                let inside = (0..MOST_DRAWS).map(|_| normal.sample(rng)).find(|draw| (0.0..1.0).contains(draw));
                inside.map_or_else(|| rng.random_range(0..size), |draw| (draw * size as f64) as usize)
            }
            KeyDistribution::Hotspot { sessions, operations } => {
                let hot = ((sessions * size as f64).ceil() as usize).clamp(1, size);
                if hot == size || rng.random::<f64>() < operations {
                    rng.random_range(0..hot)
                } else {
                    rng.random_range(hot..size)
                }
            }
        }
    }

    fn zipf(&mut self, size: usize, exponent: f64, rng: &mut Xoshiro256PlusPlus) -> usize {
        let current = self.zipf.filter(|(made_for, _)| *made_for == size);
        let Some((_, zipf)) = current.or_else(|| Some((size, Zipf::new(size as f64, exponent).ok()?))) else {
            return rng.random_range(0..size); // plan validation rejects such an exponent
        };
        self.zipf = Some((size, zipf));
        (zipf.sample(rng) as usize).clamp(1, size) - 1
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn draw(keys: KeyDistribution, size: usize, times: usize) -> Vec<usize> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
        let mut chooser = KeyChooser::new(keys);
        let mut hits = vec![0; size];
        for _ in 0..times {
            hits[chooser.choose(size, &mut rng)] += 1;
        }
        hits
    }

    #[test]
    fn uniform_keys_are_hit_alike() {
        let hits = draw(KeyDistribution::Uniform, 10, 100_000);
        assert!(hits.iter().all(|&n| (9_500..=10_500).contains(&n)), "{hits:?}");
    }

    #[test]
    fn zipf_of_exponent_one_falls_with_the_rank() {
        let hits = draw(KeyDistribution::Zipf { exponent: 1.0 }, 100, 200_000);
        // The harmonic number of 100 is 5.18738, so rank k expects 200000 / (5.18738 k).
        for (rank, expected) in [(1, 38_555.0), (2, 19_278.0), (10, 3_855.5), (100, 385.5f64)] {
            let seen = hits[rank - 1] as f64;
            assert!((seen - expected).abs() < 5.0 * expected.sqrt(), "rank {rank}: {seen}, not {expected}");
        }
    }

    #[test]
    fn a_hotspot_gets_its_share() {
        let hits = draw(KeyDistribution::Hotspot { sessions: 0.1, operations: 0.9 }, 100, 100_000);
        let hot: usize = hits[..10].iter().sum();
        assert!((89_500..=90_500).contains(&hot), "{hot}");
    }

    #[test]
    fn gaussian_keys_lie_around_their_mean() {
        let hits = draw(KeyDistribution::Gaussian { mean: 0.5, deviation: 0.1 }, 100, 100_000);
        let within = |range: std::ops::Range<usize>| hits[range].iter().sum::<usize>();
        // 68.27 % lie within one standard deviation, 95.45 % within two; five standard errors are 735 and 330.
        assert!((67_500..=69_000).contains(&within(40..60)), "{}", within(40..60));
        assert!((95_100..=95_800).contains(&within(30..70)), "{}", within(30..70));
        let outside = draw(KeyDistribution::Gaussian { mean: 1.0, deviation: 0.001 }, 10, 1_000);
        assert_eq!(outside[9], 1_000);
    }

    #[test]
    fn zipf_follows_a_set_that_shrinks() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut chooser = KeyChooser::new(KeyDistribution::Zipf { exponent: 0.5 });
        for size in (1..=50).rev() {
            assert!(chooser.choose(size, &mut rng) < size);
        }
    }
}

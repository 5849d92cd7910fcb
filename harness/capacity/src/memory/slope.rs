//! Bytes per session, from readings of the server's memory while sessions are added.

/// The standard normal's 95 % quantile.
const Z95: f64 = 1.6449;

/// Fewer differences than this say too little about how they vary.
const FEWEST: usize = 5;

/// The memory of a server with a number of sessions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Sessions in it.
    pub sessions: u64,
    /// Bytes in use, without what does not grow with sessions.
    pub bytes: f64,
}

/// Bytes per session, with a 90 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// The estimate.
    pub bytes: f64,
    /// It is lower with a probability of 5 %.
    pub low: f64,
    /// It is higher with a probability of 5 %.
    pub high: f64,
}

/// The slope of `readings`, whose sessions rise; `None` with too few.
///
/// What is added between two readings is one observation, and their mean has Student's interval. A regression over the readings
/// themselves would be too sure: sessions of various sizes make the readings a random walk.
pub fn slope(readings: &[Reading]) -> Option<Slope> {
    let differences: Vec<(f64, f64)> = readings
        .windows(2)
        .filter(|pair| pair[1].sessions > pair[0].sessions)
        .map(|pair| ((pair[1].sessions - pair[0].sessions) as f64, pair[1].bytes - pair[0].bytes))
        .collect();
    if differences.len() < FEWEST {
        return None;
    }
    let (sessions, bytes) = differences.iter().fold((0.0, 0.0), |sum, each| (sum.0 + each.0, sum.1 + each.1));
    let mean = bytes / sessions;
    let count = differences.len() as f64;
    // Weighted by sessions, as the mean is: the last difference may have fewer.
    let spread: f64 = differences.iter().map(|(n, bytes)| (bytes - mean * n).powi(2)).sum();
    let half = student95(count - 1.0) * (spread * count / (count - 1.0)).sqrt() / sessions;
    Some(Slope { bytes: mean, low: mean - half, high: mean + half })
}

/// Student's 95 % quantile (Abramowitz and Stegun, 26.7.5); exact to 0.1 % from four degrees of freedom on.
fn student95(freedom: f64) -> f64 {
    let z = Z95;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / (384.0 * freedom.powi(3));
    z + (z.powi(3) + z) / (4.0 * freedom)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * freedom.powi(2))
        + third
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(each: &[f64]) -> Vec<Reading> {
        let mut at = Reading { sessions: 1_000, bytes: 2e6 };
        let mut found = vec![at];
        for bytes in each {
            at = Reading { sessions: at.sessions + 100, bytes: at.bytes + 100.0 * bytes };
            found.push(at);
        }
        found
    }

    #[test]
    fn equal_sessions_have_a_sharp_slope_and_uneven_ones_an_interval() {
        let even = slope(&readings(&[1_413.0; 8])).unwrap();
        assert!((even.bytes - 1_413.0).abs() < 1e-6 && (even.high - even.low).abs() < 1e-6, "{even:?}");
        // Mean 1 000 and standard deviation 10 of 6 differences: 1 000 ± 2.015 × 10 / √6.
        let uneven = slope(&readings(&[990.0, 1_010.0, 990.0, 1_010.0, 1_000.0, 1_000.0])).unwrap();
        let half = 2.015 * (80.0_f64).sqrt() / 6.0_f64.sqrt();
        assert!((uneven.bytes - 1_000.0).abs() < 1e-6 && (uneven.high - 1_000.0 - half).abs() < 0.02, "{uneven:?}");
    }

    #[test]
    fn a_few_readings_give_no_slope() {
        assert_eq!(slope(&readings(&[5.0; 4])), None);
        assert_eq!(slope(&[Reading { sessions: 5, bytes: 1.0 }; 9]), None, "nothing was added");
    }

    #[test]
    fn students_quantile_is_the_tables() {
        for (freedom, quantile) in [(4.0, 2.132), (5.0, 2.015), (15.0, 1.753), (30.0, 1.697)] {
            assert!((student95(freedom) - quantile).abs() < 0.003, "{freedom}: {}", student95(freedom));
        }
    }
}

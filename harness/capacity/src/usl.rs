//! The Universal Scalability Law (Gunther, "Guerrilla Capacity Planning", 2007): throughput over concurrency,
//! X(N) = λN / (1 + σ(N−1) + κN(N−1)).

use rand::RngExt;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Fewer points than this are not fitted.
const POINTS: usize = 6;

/// Resamples of the bootstrap over points.
const RESAMPLES: usize = 1_000;

/// Beyond this multiple of the highest measured concurrency, a prediction is called an extrapolation.
const MEASURED: f64 = 1.5;

/// A step that was steady.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The mean number of requests in flight, N.
    pub concurrency: f64,
    /// Requests answered per second, X.
    pub throughput: f64,
}

/// A fitted law; each parameter as its estimate and the bounds of its 90 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scalability {
    /// λ: requests per second with one in flight.
    pub lambda: [f64; 3],
    /// σ: the share of the work that is serial.
    pub sigma: [f64; 3],
    /// κ: the cost of keeping concurrent work coherent.
    pub kappa: [f64; 3],
    /// Where throughput peaks and how high: √((1−σ)/κ) requests in flight, and requests per second. `None` if κ may be 0: no
    /// peak was seen.
    pub peak: Option<(f64, f64)>,
    /// Whether the peak lies beyond 1.5 times the highest measured concurrency.
    pub extrapolated: bool,
    /// The highest measured concurrency.
    pub measured_to: f64,
}

impl Scalability {
    /// The throughput at a concurrency.
    pub fn at(&self, concurrency: f64) -> f64 {
        predict([self.lambda[0], self.sigma[0], self.kappa[0]], concurrency)
    }
}

/// Fits the law to `points`, with intervals from 1,000 resamples of the points; `None` for fewer than 6 different
/// concurrencies.
///
/// N/X, by Little's law the mean response time, is linear in 1, N−1 and N(N−1): a least-squares problem, weighted so
/// that relative errors count, with no parameter below 0.
pub fn scalability(points: &[Point], seed: u64) -> Option<Scalability> {
    let mut apart: Vec<f64> = points.iter().map(|point| point.concurrency).collect();
    apart.sort_by(f64::total_cmp);
    apart.dedup_by(|a, b| (*a - *b).abs() <= 0.02 * *b);
    if apart.len() < POINTS {
        return None;
    }
    let best = fit(points)?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut drawn: Vec<[f64; 3]> = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let sample: Vec<Point> = points.iter().map(|_| points[rng.random_range(0..points.len())]).collect();
        drawn.extend(fit(&sample));
    }
    let interval = |parameter: usize| {
        let mut values: Vec<f64> = drawn.iter().map(|fitted| fitted[parameter]).collect();
        values.sort_by(f64::total_cmp);
        let at = |q: f64| values.get((values.len().saturating_sub(1) as f64 * q).round() as usize).copied();
        [best[parameter], at(0.05).unwrap_or(best[parameter]), at(0.95).unwrap_or(best[parameter])]
    };
    let (lambda, sigma, kappa) = (interval(0), interval(1), interval(2));
    let measured_to = apart.last().copied().unwrap_or(0.0);
    let peak = (kappa[1] > 0.0 && sigma[0] < 1.0).then(|| ((1.0 - sigma[0]) / kappa[0]).sqrt());
    Some(Scalability {
        lambda,
        sigma,
        kappa,
        peak: peak.map(|n| (n, predict(best, n))),
        extrapolated: peak.is_some_and(|n| n > MEASURED * measured_to),
        measured_to,
    })
}

fn predict([lambda, sigma, kappa]: [f64; 3], n: f64) -> f64 {
    lambda * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0))
}

/// λ, σ and κ. Where the best fit has a negative parameter, the best one without that term.
fn fit(points: &[Point]) -> Option<[f64; 3]> {
    let subsets: [&[usize]; 4] = [&[0, 1, 2], &[0, 1], &[0, 2], &[0]];
    let fits = subsets.into_iter().filter_map(|terms| least_squares(points, terms));
    let allowed = fits.filter(|(terms, _)| terms[0] > 0.0 && terms.iter().all(|term| *term >= 0.0));
    let ([a, b, c], _) = allowed.min_by(|(_, one), (_, other)| one.total_cmp(other))?;
    Some([1.0 / a, b / a, c / a])
}

/// The coefficients of `terms` (0 for the others) and the sum of squared relative errors.
fn least_squares(points: &[Point], terms: &[usize]) -> Option<([f64; 3], f64)> {
    let rows: Vec<([f64; 3], f64)> = points
        .iter()
        .filter(|point| point.throughput > 0.0 && point.concurrency > 0.0)
        .map(|point| {
            let (n, response) = (point.concurrency, point.concurrency / point.throughput);
            // Divided by the response time, so that each error is relative and each right side is 1.
            ([1.0 / response, (n - 1.0) / response, n * (n - 1.0) / response], 1.0)
        })
        .collect();
    let size = terms.len();
    let mut matrix = vec![vec![0.0; size + 1]; size];
    for (row, right) in &rows {
        for (i, at) in terms.iter().enumerate() {
            for (j, other) in terms.iter().enumerate() {
                matrix[i][j] += row[*at] * row[*other];
            }
            matrix[i][size] += row[*at] * right;
        }
    }
    let solved = solve(matrix)?;
    let mut found = [0.0; 3];
    terms.iter().zip(solved).for_each(|(term, value)| found[*term] = value);
    let error =
        |(row, right): &([f64; 3], f64)| (row.iter().zip(found).map(|(x, c)| x * c).sum::<f64>() - right).powi(2);
    Some((found, rows.iter().map(error).sum()))
}

/// Solves a small linear system by elimination with row exchanges; `None` if it is singular.
fn solve(mut matrix: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let size = matrix.len();
    // Columns differ by many orders of magnitude: 1 and N².
    let scales: Vec<f64> = (0..size).map(|at| matrix[at][at].sqrt()).collect();
    if scales.iter().any(|scale| *scale <= 0.0 || !scale.is_finite()) {
        return None;
    }
    for (i, row) in matrix.iter_mut().enumerate() {
        for (j, value) in row.iter_mut().enumerate() {
            *value /= scales[i] * scales.get(j).copied().unwrap_or(1.0);
        }
    }
    for column in 0..size {
        let pivot = (column..size).max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs()))?;
        if matrix[pivot][column].abs() < 1e-12 {
            return None;
        }
        matrix.swap(column, pivot);
        for row in 0..size {
            if row != column {
                let factor = matrix[row][column] / matrix[column][column];
                let from = matrix[column].clone();
                matrix[row].iter_mut().zip(from).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
    }
    Some((0..size).map(|at| matrix[at][size] / matrix[at][at] / scales[at]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn law(n: f64, noise: f64) -> Point {
        Point { concurrency: n, throughput: predict([1_000.0, 0.05, 0.002], n) * (1.0 + noise) }
    }

    #[test]
    fn a_law_is_found_again_with_its_peak() {
        let noise = [0.004, -0.006, 0.003, 0.005, -0.004, -0.002, 0.006, -0.003];
        let points: Vec<Point> =
            [1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 24.0, 32.0].iter().zip(noise).map(|(n, noise)| law(*n, noise)).collect();
        let fitted = scalability(&points, 1).unwrap();
        let holds = |[_, low, high]: [f64; 3], truth: f64| low <= truth && truth <= high;
        assert!(holds(fitted.lambda, 1_000.0) && holds(fitted.kappa, 0.002), "{fitted:?}");
        assert!((fitted.sigma[0] - 0.05).abs() < 0.01, "{fitted:?}");
        let (n, _) = fitted.peak.unwrap();
        assert!((n / (0.95f64 / 0.002).sqrt() - 1.0).abs() < 0.1 && !fitted.extrapolated, "{fitted:?}");
    }

    #[test]
    fn a_peak_beyond_what_was_measured_is_called_an_extrapolation() {
        let points: Vec<Point> = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0].iter().map(|n| law(*n, 0.0)).collect();
        assert!(scalability(&points, 1).unwrap().extrapolated);
    }

    #[test]
    fn without_contention_no_peak_is_claimed_and_few_points_are_not_fitted() {
        let linear = |n: f64| Point { concurrency: n, throughput: 500.0 * n };
        let points: Vec<Point> = (1..9).map(|n| linear(f64::from(n))).collect();
        let fitted = scalability(&points, 1).unwrap();
        assert_eq!(fitted.peak, None);
        assert!((fitted.lambda[0] - 500.0).abs() < 1.0);
        assert_eq!(scalability(&points[..5], 1), None);
        assert_eq!(scalability(&[points[0]; 9], 1), None);
    }
}

//! A long load at a share of the knee: does anything drift?

use std::str::FromStr;
use std::time::{Duration, Instant};
use std::{fmt, iter};

use firedrill_capacity::drift;
use firedrill_reports::capacity::{Drift, DriftVerdict, Soak, SoakStretch};

use crate::units::Share;

/// Stretches of a soak: each is one value of every figure.
const STRETCHES: u32 = 60;

/// The shortest stretch: shorter ones have too few operations for a quantile.
const SHORTEST: u32 = 2;

/// The share of a soak at whose beginning caches and pools still fill.
const WARMING: f64 = 0.1;

/// What to find out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SoakQuestion {
    /// How long the load lasts.
    pub length: Duration,
    /// Its rate, as a share of the knee.
    pub share: f64,
    /// What may drift each hour, if that is limited.
    pub limit: Option<DriftLimit>,
}

impl SoakQuestion {
    /// The length of a stretch, whole seconds.
    pub fn stretch(&self) -> u32 {
        let even = self.length.as_secs() / u64::from(STRETCHES);
        u32::try_from(even).unwrap_or(u32::MAX).max(SHORTEST)
    }
}

/// The most that a figure may drift: `1%/h`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftLimit(pub Share);

impl FromStr for DriftLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let share = text.strip_suffix("/h").and_then(|share| share.parse().ok());
        share.map(Self).ok_or_else(|| format!("`{text}` is not a drift like \"1%/h\""))
    }
}

impl fmt::Display for DriftLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/h", self.0)
    }
}

/// Collects the stretches of a soak.
pub struct Soaking {
    began: Instant,
    rate: f64,
    stretches: Vec<SoakStretch>,
}

impl Soaking {
    /// A soak at `rate` operations per second that begins now.
    pub fn begin(rate: f64) -> Self {
        Self { began: Instant::now(), rate, stretches: Vec::new() }
    }

    /// How long it has lasted.
    pub fn lasted(&self) -> Duration {
        self.began.elapsed()
    }

    /// Adds what a stretch measured.
    pub fn add(&mut self, stretch: SoakStretch) {
        self.stretches.push(stretch);
    }

    /// What drifted. `limit` is a share of the figure's level for each hour; of errors, a share of all operations.
    pub fn judged(self, limit: Option<DriftLimit>) -> Soak {
        let limit = limit.map(|limit| limit.0.0);
        let from = (self.stretches.len() as f64 * WARMING).ceil() as usize;
        let steady = &self.stretches[from.min(self.stretches.len())..];
        let figure = |name: &str, unit: &str, relative: bool, of: &dyn Fn(&SoakStretch) -> Option<f64>| {
            let values: Option<Vec<(f64, f64)>> =
                steady.iter().map(|stretch| Some((stretch.at_s / 3_600.0, of(stretch)?))).collect();
            let found = drift(&values?)?;
            let whole = if relative { found.level } else { 1.0 };
            let share = |value: f64| if whole > 0.0 { value / whole } else { 0.0 };
            let per_hour = [found.slope, found.low, found.high].map(share);
            Some(Drift {
                name: name.to_owned(),
                unit: unit.to_owned(),
                level: found.level,
                per_hour,
                verdict: limit.map(|limit| verdict(per_hour, limit)),
            })
        };
        let drifts = iter::empty()
            .chain(figure("memory of Redis", "bytes", true, &|stretch| stretch.redis_bytes))
            .chain(figure("memory of the process", "bytes", true, &|stretch| stretch.process_bytes))
            .chain(figure("p50", "ms", true, &|stretch| Some(stretch.p50_ms)))
            .chain(figure("p99", "ms", true, &|stretch| Some(stretch.p99_ms)))
            .chain(figure("errors", "share", false, &|stretch| Some(stretch.errors)));
        Soak {
            rate: self.rate,
            seconds: self.began.elapsed().as_secs_f64(),
            limit,
            drifts: drifts.collect(),
            stretches: self.stretches,
        }
    }
}

fn verdict([_, low, high]: [f64; 3], limit: f64) -> DriftVerdict {
    if low > limit {
        DriftVerdict::Failed
    } else if high <= limit {
        DriftVerdict::Passed
    } else {
        DriftVerdict::Undecided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soaked(leak: f64, limit: &str) -> Soak {
        let mut soaking = Soaking::begin(1_000.0);
        for n in 0..40 {
            let at_s = f64::from(n) * 90.0;
            // 100 MB, growing each hour by the share of the leak; the first stretches are colder.
            let cold = if n < 4 { 50e6 } else { 0.0 };
            let redis_bytes = Some(100e6 * (1.0 + leak * at_s / 3_600.0) + f64::from(n % 3) * 1e4 - cold);
            let stretch = SoakStretch { at_s, p50_ms: 1.0, p99_ms: 5.0, errors: 0.0, redis_bytes, process_bytes: None };
            soaking.add(stretch);
        }
        soaking.judged(Some(limit.parse().unwrap()))
    }

    fn of<'a>(soak: &'a Soak, name: &str) -> &'a Drift {
        soak.drifts.iter().find(|drift| drift.name == name).unwrap()
    }

    #[test]
    fn a_leak_of_10_percent_an_hour_fails_and_none_passes() {
        let leaky = soaked(0.1, "5%/h");
        let memory = of(&leaky, "memory of Redis");
        assert_eq!(memory.verdict, Some(DriftVerdict::Failed));
        assert!((memory.per_hour[0] - 0.095).abs() < 0.01, "{memory:?}");
        assert!(leaky.drifts.iter().all(|drift| drift.name != "memory of the process"), "it was not seen");
        let sound = soaked(0.0, "5%/h");
        assert!(sound.drifts.iter().all(|drift| drift.verdict == Some(DriftVerdict::Passed)), "{sound:?}");
        assert_eq!(sound.verdict(), Some(DriftVerdict::Passed));
        assert_eq!(leaky.verdict(), Some(DriftVerdict::Failed));
    }

    #[test]
    fn an_interval_around_the_limit_decides_nothing() {
        assert_eq!(verdict([0.05, 0.01, 0.09], 0.05), DriftVerdict::Undecided);
    }

    #[test]
    fn a_stretch_is_a_sixtieth_of_the_soak_and_at_least_two_seconds() {
        let of = |length| SoakQuestion { length: Duration::from_secs(length), share: 0.7, limit: None }.stretch();
        assert_eq!((of(600), of(30)), (10, 2));
        assert!("1%".parse::<DriftLimit>().unwrap_err().contains("1%/h"));
    }
}

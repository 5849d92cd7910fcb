//! How often, and after which pauses, to retry a connection, or a call that certainly had no effect.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::network::Randomness;

/// How pauses grow from one failed attempt to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Each is twice the previous one.
    Doubling,
    /// The nth is n times the first.
    Linear,
}

/// How to retry. Every pause is shortened at random by up to half, so that many clients do not come back in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryProfile {
    /// How pauses grow.
    pub growth: Growth,
    /// The pause after the first failure.
    pub first: Duration,
    /// The longest pause.
    pub max: Duration,
    /// After this many failed attempts in a row there is no further one, until the process restarts. `None`: never
    /// gives up.
    pub give_up_after: Option<u32>,
    /// How often a call is repeated, within its deadline, if it certainly had no effect and may succeed a moment later.
    pub per_request: u32,
}

impl Default for RetryProfile {
    /// For ever, 50 ms doubling to 1 s; calls are not repeated.
    fn default() -> Self {
        Self::doubling(Duration::from_millis(50), Duration::from_secs(1))
    }
}

impl RetryProfile {
    /// The names of the profiles, for configuration.
    pub const NAMES: [&str; 5] = ["forever", "trivia", "conversation", "school", "dashboard"];

    /// Pauses that double, for ever; calls are not repeated.
    pub const fn doubling(first: Duration, max: Duration) -> Self {
        Self { growth: Growth::Doubling, first, max, give_up_after: None, per_request: 0 }
    }

    /// T5: 50 ms doubling to 3 s, gives up after 10 tries.
    pub const fn trivia() -> Self {
        let patient = Self::doubling(Duration::from_millis(50), Duration::from_secs(3));
        Self { give_up_after: Some(10), ..patient }
    }

    /// C7: 200 ms × n, at most 2 s, gives up after 10 tries; 3 repeats per call.
    pub const fn conversation() -> Self {
        let (first, max) = (Duration::from_millis(200), Duration::from_secs(2));
        Self { growth: Growth::Linear, first, max, give_up_after: Some(10), per_request: 3 }
    }

    /// S5: 50 ms × n, at most 2 s, for ever; 3 repeats per call.
    pub const fn school() -> Self {
        let (first, max) = (Duration::from_millis(50), Duration::from_secs(2));
        Self { growth: Growth::Linear, first, max, give_up_after: None, per_request: 3 }
    }

    /// R1: 1 s doubling to 10 s, gives up after 10 tries.
    pub const fn dashboard() -> Self {
        let patient = Self::doubling(Duration::from_secs(1), Duration::from_secs(10));
        Self { give_up_after: Some(10), ..patient }
    }

    /// The same with no pause longer than `max`.
    pub fn at_most(self, max: Duration) -> Self {
        Self { first: self.first.min(max), max: self.max.min(max), ..self }
    }

    /// The full pause after `failures` failures in a row.
    pub fn pause(&self, failures: u32) -> Duration {
        let times = match self.growth {
            Growth::Doubling => 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX),
            Growth::Linear => failures,
        };
        self.first.saturating_mul(times).min(self.max)
    }

    /// That pause, shortened by up to half.
    pub(crate) fn jittered(&self, failures: u32, randomness: &Randomness) -> Duration {
        self.pause(failures).mul_f64(randomness.shortening())
    }

    /// Whether to give up after this many failures in a row.
    pub(crate) fn gives_up(&self, failures: u32) -> bool {
        self.give_up_after.is_some_and(|most| failures >= most)
    }
}

/// The text names no retry profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownProfile;

impl fmt::Display for UnknownProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a retry profile: use one of {}", RetryProfile::NAMES.join(", "))
    }
}

impl std::error::Error for UnknownProfile {}

impl FromStr for RetryProfile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "forever" => Ok(Self::default()),
            "trivia" => Ok(Self::trivia()),
            "conversation" => Ok(Self::conversation()),
            "school" => Ok(Self::school()),
            "dashboard" => Ok(Self::dashboard()),
            _ => Err(UnknownProfile),
        }
    }
}

/// Counts the failures in a row and determines the pauses between them.
pub(crate) struct Backoff {
    profile: RetryProfile,
    failures: u32,
    /// Attempts in a row that did not connect at all.
    unconnected: u32,
    randomness: Randomness,
}

impl Backoff {
    pub(crate) fn new(profile: RetryProfile, randomness: &Randomness) -> Self {
        Self { profile, failures: 0, unconnected: 0, randomness: randomness.clone() }
    }

    /// The pause after one more failure; `None`: no further attempt.
    pub(crate) fn next(&mut self) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        self.unconnected = self.unconnected.saturating_add(1);
        (!self.profile.gives_up(self.unconnected)).then(|| self.profile.jittered(self.failures, &self.randomness))
    }

    /// Records a connection: if it does not last, pauses keep growing, but attempts count from zero.
    pub(crate) fn connected(&mut self) {
        self.unconnected = 0;
    }

    /// The failures in a row so far.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses<const N: usize>(profile: RetryProfile) -> [u128; N] {
        std::array::from_fn(|failure| profile.pause(failure as u32 + 1).as_millis())
    }

    #[test]
    fn each_profile_pauses_as_its_system_says() {
        assert_eq!(pauses(RetryProfile::default()), [50, 100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(pauses(RetryProfile::trivia()), [50, 100, 200, 400, 800, 1_600, 3_000, 3_000, 3_000]);
        assert_eq!(
            pauses(RetryProfile::conversation()),
            [200, 400, 600, 800, 1_000, 1_200, 1_400, 1_600, 1_800, 2_000]
        );
        assert_eq!(pauses(RetryProfile::school()), [50, 100, 150, 200]);
        assert_eq!(RetryProfile::school().pause(1_000), Duration::from_secs(2));
        assert_eq!(pauses(RetryProfile::dashboard()), [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(RetryProfile::trivia().pause(u32::MAX), Duration::from_secs(3));
    }

    #[test]
    fn giving_up_is_asked_for_by_name_and_never_assumed() {
        assert_eq!(RetryProfile::default().give_up_after, None);
        for (name, tries, per_request) in [
            ("forever", None, 0),
            ("trivia", Some(10), 0),
            ("conversation", Some(10), 3),
            ("school", None, 3),
            ("dashboard", Some(10), 0),
        ] {
            let profile: RetryProfile = name.parse().unwrap();
            assert_eq!((profile.give_up_after, profile.per_request), (tries, per_request), "{name}");
            assert!(RetryProfile::NAMES.contains(&name));
        }
        assert_eq!("ever".parse::<RetryProfile>(), Err(UnknownProfile));
    }

    #[test]
    fn pauses_are_shortened_by_at_most_half_and_end_with_the_last_try() {
        let mut backoff = Backoff::new(RetryProfile::trivia(), &Randomness::default());
        for full in [50, 100, 200, 400, 800, 1_600, 3_000, 3_000, 3_000] {
            let pause = backoff.next().unwrap();
            assert!((full / 2..=full).contains(&(pause.as_millis() as u64)), "{pause:?} of {full} ms");
        }
        assert_eq!(backoff.next(), None, "ten tries were made");
        assert_eq!(backoff.failures(), 10);
    }

    #[test]
    fn a_cap_holds_for_the_first_pause_too() {
        let capped = RetryProfile::default().at_most(Duration::from_millis(20));
        assert_eq!(pauses(capped), [20, 20]);
    }
}

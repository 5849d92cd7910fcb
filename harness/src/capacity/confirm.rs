//! Confirming the first limit by an intervention: with half of the suspect, the knee must be about half as high.

use firedrill_reports::capacity::{Knee, Limit, LimitName};
use firedrill_reports::text;

use super::limit::SUSPECTED;

/// A knee within these shares of the first one is half of it, as far as two intervals of 5 to 10 % can tell.
const HALF: std::ops::RangeInclusive<f64> = 0.38..=0.65;

/// A share that may be as much as this may be all of it.
const WHOLE: f64 = 0.8;

/// What an intervention halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspect {
    /// The time of Redis, by stopping it.
    Redis,
    /// The time of the application, by stopping it.
    Application,
    /// The connections of the target; that needs a second target.
    Connections,
}

impl Suspect {
    /// What was halved, in words that follow "with half of".
    fn words(self) -> &'static str {
        match self {
            Suspect::Redis => "its time (stopped every other 2 ms)",
            Suspect::Application => "the application's time (stopped every other 2 ms)",
            Suspect::Connections => "the connections",
        }
    }
}

/// Which intervention can tell whether `limit` is the limit of `knee`, and at which rate the search under it begins.
pub fn begins(limit: &Limit, knee: &Knee) -> Option<(Suspect, f64)> {
    let Knee::At { rate, .. } = knee else { return None };
    let suspect = match limit.name {
        LimitName::RedisMainThread => Suspect::Redis,
        LimitName::Application => Suspect::Application,
        LimitName::Connections => Suspect::Connections,
        _ => return None,
    };
    Some((suspect, (rate / 3.0).max(1.0)))
}

/// `limit` with what the search with half of `suspect` found.
pub fn judged(limit: Limit, knee: &Knee, suspect: Suspect, halved: &Knee) -> Limit {
    let (Knee::At { rate: whole, low: least, high: most }, Knee::At { rate: half, low, high }) = (knee, halved) else {
        let evidence = format!("{}. With half of it, no knee was found, so this is not confirmed", limit.evidence);
        return Limit { evidence, ..limit };
    };
    let share = half / whole;
    // Wide intervals put the share anywhere near a half.
    let (from, to) = (low / most, high / least);
    let confirmed = HALF.contains(&share) || ((from..=to).contains(&0.5) && to < WHOLE);
    let found = format!(
        "with half of {} the knee was {} ({} to {}), {} of the first",
        suspect.words(),
        text::rate(*half),
        text::rate(*low),
        text::rate(*high),
        text::percent(share),
    );
    let words = if confirmed { "Confirmed" } else { "Not confirmed" };
    let evidence = limit.evidence.strip_suffix(SUSPECTED).unwrap_or(&limit.evidence);
    Limit { evidence: format!("{evidence}. {words}: {found}"), confirmed: Some(confirmed), ..limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rate: f64) -> Knee {
        Knee::At { rate, low: rate * 0.95, high: rate * 1.05 }
    }

    fn suspected() -> Limit {
        let evidence = format!("it used 0.97 of one core{SUSPECTED}");
        Limit { name: LimitName::RedisMainThread, evidence, confirmed: None }
    }

    #[test]
    fn half_a_knee_confirms_and_an_equal_one_refutes() {
        let found = judged(suspected(), &at(20_000.0), Suspect::Redis, &at(10_400.0));
        assert_eq!(found.confirmed, Some(true));
        assert!(found.evidence.starts_with("it used 0.97 of one core. Confirmed: with half"), "{}", found.evidence);
        let found = judged(suspected(), &at(20_000.0), Suspect::Redis, &at(19_000.0));
        assert_eq!(found.confirmed, Some(false));
        assert!(
            found.evidence.contains("95 % of the first") && !found.evidence.contains("Suspected"),
            "{}",
            found.evidence
        );
    }

    #[test]
    fn wide_intervals_confirm_where_they_hold_half_and_not_the_whole() {
        let knee = |rate, low, high| Knee::At { rate, low, high };
        let share =
            |half: &Knee| judged(suspected(), &knee(3_500.0, 2_500.0, 4_900.0), Suspect::Application, half).confirmed;
        assert_eq!(share(&knee(1_250.0, 1_000.0, 1_600.0)), Some(true), "36 %, between 20 and 64 %");
        assert_eq!(share(&knee(2_400.0, 2_000.0, 2_900.0)), Some(false), "69 %, up to 116 %");
    }

    #[test]
    fn without_a_second_knee_it_stays_a_suspicion() {
        let found = judged(suspected(), &at(20_000.0), Suspect::Redis, &Knee::Unknown { why: String::new() });
        assert_eq!(found.confirmed, None);
        assert!(found.evidence.contains("no knee was found"), "{}", found.evidence);
    }

    #[test]
    fn only_time_and_connections_at_a_knee_can_be_halved() {
        assert_eq!(begins(&suspected(), &at(3_000.0)), Some((Suspect::Redis, 1_000.0)));
        let connections = Limit { name: LimitName::Connections, ..suspected() };
        assert_eq!(begins(&connections, &at(3_000.0)), Some((Suspect::Connections, 1_000.0)));
        assert_eq!(begins(&suspected(), &Knee::AtLeast { rate: 9.0 }), None);
        assert_eq!(begins(&Limit { name: LimitName::Quota, ..suspected() }, &at(9.0)), None);
    }
}

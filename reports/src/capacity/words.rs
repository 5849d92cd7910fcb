//! The answer in words, for all renderings.

use super::details;
use super::row::Row;
use super::{Capacity, Knee, LimitName, Scalability};
use crate::text;

/// The rate with which an interval or a bound is written.
fn rate(value: f64) -> String {
    text::rate(value)
}

/// The answer in one short phrase.
pub fn knee(knee: &Knee) -> String {
    match knee {
        Knee::At { rate: at, .. } => rate(*at),
        Knee::AtLeast { rate: at } => format!("at least {}", rate(*at)),
        Knee::Below { rate: at } => format!("below {}", rate(*at)),
        Knee::Unknown { .. } => "not known".to_owned(),
        Knee::NotAsked => "not asked for".to_owned(),
    }
}

/// The interval of the knee, with its half-width.
pub fn interval(knee: &Knee) -> String {
    match knee {
        Knee::At { low, high, .. } => {
            let half = (high - low) / (high + low) * 100.0;
            format!("{} to {} (±{half:.1} %)", rate(*low), rate(*high))
        }
        Knee::AtLeast { .. } | Knee::Below { .. } | Knee::Unknown { .. } | Knee::NotAsked => String::new(),
    }
}

/// The first limit.
pub fn limit(name: LimitName) -> &'static str {
    match name {
        LimitName::RedisMainThread => "Redis's main thread",
        LimitName::Memory => "Redis's memory",
        LimitName::Application => "the application's processors",
        LimitName::Connections => "the target's connections: all waited for answers",
        LimitName::Pool => "the application's connections to Redis: requests waited for one",
        LimitName::Quota => "a CPU quota",
        LimitName::Disk => "the disk of Redis",
        LimitName::Network => "the network to Redis",
        LimitName::Generator => "the generator",
        LimitName::Processors => "this machine's processors, which the generator shares with the target",
        LimitName::Neighbours => "not determined: others used this machine",
        LimitName::NotDetermined => "not determined",
    }
}

/// Why the answer is not as good as asked for; `None` if it is.
pub fn caveat(capacity: &Capacity) -> Option<String> {
    let narrow = format!("the interval is wider than ±{:.0} %", capacity.wanted_width * 100.0);
    match &capacity.knee {
        Knee::Unknown { why } => Some(why.clone()),
        _ if capacity.interrupted => Some("interrupted: this is what was known by then".to_owned()),
        Knee::At { .. } if capacity.cut_short => Some(format!("the time for the search was used up: {narrow}")),
        _ => None,
    }
}

/// The table of answers.
pub fn rows(capacity: &Capacity) -> Vec<Row> {
    let row = |question: &str, answer, interval| Row { question: question.to_owned(), answer, interval };
    let mut rows = Vec::new();
    if capacity.knee != Knee::NotAsked {
        rows.push(row("highest rate under the objectives", knee(&capacity.knee), interval(&capacity.knee)));
    }
    if let Some(in_flight) = capacity.in_flight {
        rows.push(row("operations in flight then", text::number(in_flight), String::new()));
    }
    if let Some(us) = capacity.redis_cpu_us {
        rows.push(row("Redis's main thread per operation", format!("{us:.1} µs"), String::new()));
    }
    if let Some(ceiling) = capacity.ceiling {
        rows.push(row("the generator by itself", rate(ceiling), String::new()));
    }
    if let Some(law) = &capacity.scalability {
        rows.push(row("peak throughput (USL)", peak(law), String::new()));
    }
    rows.extend(details::rows(capacity));
    rows
}

/// What the scalability law says of a peak.
pub fn peak(law: &Scalability) -> String {
    match law.peak {
        None => "no decline was seen".to_owned(),
        Some((n, x)) => {
            let word = if law.extrapolated { ", extrapolated" } else { "" };
            format!("{} with {n:.0} in flight{word}", rate(x))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, capacity};
    use super::*;

    #[test]
    fn an_answer_says_how_sure_it_is_and_a_missing_one_why() {
        assert!(interval(&at(950.0, 1_000.0, 1_050.0)).contains("±5.0 %"));
        assert_eq!(knee(&Knee::AtLeast { rate: 2_000.0 }), format!("at least {}", text::rate(2_000.0)));
        let mut record = capacity(at(800.0, 1_000.0, 1_200.0));
        assert_eq!(caveat(&record), None);
        record.cut_short = true;
        assert!(caveat(&record).unwrap().contains("wider than ±5 %"));
        record.knee = Knee::Unknown { why: "no step failed".to_owned() };
        assert_eq!(caveat(&record).unwrap(), "no step failed");
    }
}

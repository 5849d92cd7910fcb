//! A soak, in words.

use crate::capacity::row::{Detail, Row};
use crate::capacity::{Drift, DriftVerdict, Soak};
use crate::text::{self, bytes, percent};

/// Its answer.
pub fn rows(soak: &Soak) -> Vec<Row> {
    let question = format!("drift at {} for {}", text::rate(soak.rate), text::millis(soak.seconds * 1e3));
    let named = |verdict| -> Vec<&str> {
        let those = soak.drifts.iter().filter(|drift| drift.verdict == Some(verdict));
        those.map(|drift| drift.name.as_str()).collect()
    };
    let limit = percent(soak.limit.unwrap_or_default());
    let answer = match soak.verdict() {
        None if soak.drifts.is_empty() => "not known: the soak was too short".to_owned(),
        None => {
            let grows = soak.drifts.iter().filter(|drift| drift.per_hour[1] > 0.0);
            let grows: Vec<&str> = grows.map(|drift| drift.name.as_str()).collect();
            if grows.is_empty() { "nothing grows".to_owned() } else { format!("grows: {}", grows.join(", ")) }
        }
        Some(DriftVerdict::Passed) => format!("nothing grows by more than {limit} an hour"),
        Some(DriftVerdict::Failed) => format!("more than {limit} an hour: {}", named(DriftVerdict::Failed).join(", ")),
        Some(DriftVerdict::Undecided) if soak.drifts.is_empty() => "not known: the soak was too short".to_owned(),
        Some(DriftVerdict::Undecided) => {
            format!("too short to tell {limit} an hour: {}", named(DriftVerdict::Undecided).join(", "))
        }
    };
    vec![Row::of(question, answer)]
}

/// Its figures.
pub fn details(soak: &Soak) -> Vec<Detail> {
    let row = |drift: &Drift| {
        let level = match drift.unit.as_str() {
            "bytes" => bytes(drift.level),
            "ms" => text::millis(drift.level),
            _ => percent(drift.level),
        };
        let [slope, low, high] = drift.per_hour.map(percent);
        let verdict = drift.verdict.map_or("", DriftVerdict::name).to_owned();
        vec![drift.name.clone(), level, slope, format!("{low} to {high}"), verdict]
    };
    vec![Detail {
        id: "soak",
        title: format!("Drift at {}", text::rate(soak.rate)),
        about: "Each hour, as a share of the median; of errors, as a share of all operations. Sen's slope over the stretches of the \
                load, of which the first tenth is left out."
            .to_owned(),
        heads: ["Figure", "Median", "Each hour", "90 % interval", "Verdict"].map(str::to_owned).to_vec(),
        figures_from: 1,
        rows: soak.drifts.iter().map(row).collect(),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soak(verdict: Option<DriftVerdict>) -> Soak {
        let drift = Drift {
            name: "memory of Redis".to_owned(),
            unit: "bytes".to_owned(),
            level: 64e6,
            per_hour: [0.1, 0.09, 0.11],
            verdict,
        };
        let limit = verdict.map(|_| 0.05);
        Soak { rate: 900.0, seconds: 600.0, limit, drifts: vec![drift], stretches: Vec::new() }
    }

    #[test]
    fn what_drifts_is_named() {
        let answer = |soak: &Soak| rows(soak)[0].answer.clone();
        assert_eq!(answer(&soak(None)), "grows: memory of Redis");
        assert_eq!(answer(&soak(Some(DriftVerdict::Failed))), "more than 5 % an hour: memory of Redis");
        assert_eq!(answer(&soak(Some(DriftVerdict::Passed))), "nothing grows by more than 5 % an hour");
        assert!(answer(&Soak { drifts: Vec::new(), ..soak(None) }).starts_with("not known"));
        let detail = &details(&soak(Some(DriftVerdict::Failed)))[0];
        assert_eq!(detail.rows[0][2..], ["10 %".to_owned(), "9 % to 11 %".to_owned(), "failed".to_owned()]);
        assert_eq!(detail.rows[0].len(), detail.heads.len());
    }
}

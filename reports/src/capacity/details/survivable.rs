//! The survivable rate, in words.

use crate::capacity::row::{Detail, Row};
use crate::capacity::{Survivable, SurvivableAnswer};
use crate::text::rate;

/// Its answer.
pub fn rows(survivable: &Survivable) -> Vec<Row> {
    let answer = match &survivable.answer {
        SurvivableAnswer::Between { rate: at, below, doubtful: false } => {
            format!("{}: {} fails", rate(*at), rate(*below))
        }
        SurvivableAnswer::Between { rate: at, below, doubtful: true } => {
            format!("{}: at {} nobody can tell", rate(*at), rate(*below))
        }
        SurvivableAnswer::AtLeast { rate: at } => format!("at least {}", rate(*at)),
        SurvivableAnswer::Below { rate: at } => format!("below {}", rate(*at)),
        SurvivableAnswer::Unknown => "not known".to_owned(),
    };
    let mut rows = vec![Row::of(format!("highest rate that survives {}", survivable.faults.join(", ")), answer)];
    if let Some(first) = survivable.what_broke().first() {
        rows.push(Row::of("what breaks above it", first.clone()));
    }
    rows
}

/// Its drills.
pub fn details(survivable: &Survivable) -> Vec<Detail> {
    let row = |drill: &crate::capacity::Drilled| {
        vec![rate(drill.rate), drill.verdict.name().to_owned(), drill.reasons.join("; "), drill.folder.clone()]
    };
    vec![Detail {
        id: "survivable",
        title: "Drills of the whole scenario, by rate".to_owned(),
        about: format!(
            "Each has the scenario's faults, gates and checks; its own rate is {}. A failure, and the highest pass, count once they \
             have been seen twice.",
            rate(survivable.own_rate)
        ),
        heads: ["Rate", "Verdict", "Why", "Record"].map(str::to_owned).to_vec(),
        figures_from: 4,
        rows: survivable.drills.iter().map(row).collect(),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::Drilled;
    use crate::run::Verdict;

    fn drilled(rate: f64, verdict: Verdict, reason: &str) -> Drilled {
        let reasons = if reason.is_empty() { Vec::new() } else { vec![reason.to_owned()] };
        Drilled { rate, verdict, reasons, folder: String::new() }
    }

    #[test]
    fn the_answer_names_what_breaks_above_it_and_not_what_a_neighbour_broke_below() {
        let survivable = Survivable {
            answer: SurvivableAnswer::Between { rate: 800.0, below: 870.0, doubtful: false },
            own_rate: 400.0,
            faults: vec!["proxy.down".to_owned()],
            drills: vec![
                drilled(400.0, Verdict::Failed, "a neighbour"),
                drilled(800.0, Verdict::Passed, ""),
                drilled(1_600.0, Verdict::Failed, "lost 9 writes"),
                drilled(870.0, Verdict::Failed, "recovery took 4 s"),
            ],
        };
        let rows = rows(&survivable);
        assert_eq!(rows[0].question, "highest rate that survives proxy.down");
        assert_eq!(rows[0].answer, "800/s: 870/s fails");
        assert_eq!(rows[1].answer, "recovery took 4 s");
        assert!(
            details(&survivable).iter().all(|detail| detail.rows.iter().all(|row| row.len() == detail.heads.len()))
        );
    }

    #[test]
    fn nothing_is_said_to_break_where_nothing_was_seen_to() {
        let answer = SurvivableAnswer::AtLeast { rate: 800.0 };
        let drills = vec![drilled(400.0, Verdict::Failed, "a neighbour"), drilled(800.0, Verdict::Passed, "")];
        let survivable = Survivable { answer, own_rate: 400.0, faults: Vec::new(), drills };
        assert_eq!(rows(&survivable).len(), 1);
    }
}

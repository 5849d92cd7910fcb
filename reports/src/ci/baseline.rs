//! A drill's comparison with its baseline, for the formats of pipelines.

use std::path::PathBuf;

use super::finding::{Answer, Finding, What};
use crate::compare::{Change, Comparison, Row};

/// The comparison of a drill with its baseline, and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// What was compared.
    pub comparison: Comparison,
    /// Its page, relative to [`Invocation::out`](super::Invocation::out); absent if there is none.
    pub page: Option<PathBuf>,
    /// The exit status of the drill with this comparison.
    pub exit_status: i32,
    reasons: Vec<String>,
}

impl Baseline {
    /// The baseline with this comparison.
    pub fn new(comparison: Comparison, page: Option<PathBuf>, exit_status: i32) -> Self {
        let mut reasons: Vec<String> =
            comparison.regressions().map(|row| format!("baseline: {} {}", row.id(), row.sentence())).collect();
        if !comparison.baseline.is_empty() {
            reasons.extend(comparison.refused.iter().map(|reason| format!("baseline: {reason}")));
        }
        Self { comparison, page, exit_status, reasons }
    }

    /// What the comparison says of the drill: a scenario that the baseline does not have is none of its business.
    pub fn answer(&self) -> Answer {
        match self.comparison.change {
            Change::Regressed => Answer::Broken,
            Change::NotComparable if self.comparison.baseline.is_empty() => Answer::Reported,
            Change::NotComparable => Answer::Unclear,
            Change::Improved | Change::Unchanged | Change::Unclear => Answer::Held,
        }
    }

    /// Why the drill did not pass because of it; empty if it did.
    pub(super) fn reasons(&self) -> impl Iterator<Item = &str> {
        self.reasons.iter().map(String::as_str)
    }

    /// One finding for each compared thing, or one that says why nothing was.
    pub(super) fn findings(&self) -> Vec<Finding> {
        if self.comparison.rows.is_empty() {
            let says = self.comparison.headline();
            let id = What::Baseline.name().to_owned();
            return vec![Finding { id, ..Finding::new(What::Baseline, "", self.answer(), says) }];
        }
        self.comparison.rows.iter().map(finding).collect()
    }
}

fn finding(row: &Row) -> Finding {
    let answer = match row.change {
        Change::Regressed => Answer::Broken,
        Change::NotComparable => Answer::Reported,
        Change::Improved | Change::Unchanged | Change::Unclear => Answer::Held,
    };
    let change = row.interval.map_or(String::new(), |one| format!(", {} ({})", one.text(), one.range_text()));
    let limit = Some((format!("baseline {}", row.before), format!("{}{change}", row.now)));
    Finding { limit, ..Finding::new(What::Baseline, &row.id(), answer, row.sentence()) }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{failed, judged, passed};
    use super::super::{Drilled, Invocation, junit, summary, summary_json};
    use super::*;
    use crate::compare::{MARGIN, Recorded, compare};
    use crate::run::Run;

    fn drilled(baseline: &[Run], run: Run, exit_status: i32) -> Drilled {
        let recorded = |run: &Run| Recorded { place: "main/x".to_owned(), run: run.clone() };
        let baseline: Vec<Recorded> = baseline.iter().map(recorded).collect();
        let comparison = compare(&baseline, &[recorded(&run)], MARGIN);
        let page = Some(PathBuf::from("x/compare.html"));
        Drilled { baseline: Some(Box::new(Baseline::new(comparison, page, exit_status))), ..judged(run) }
    }

    fn invocation(drilled: Drilled) -> Invocation {
        super::super::fixture::invocation(vec![drilled])
    }

    /// A drill that passes, with a loss that its baseline does not have.
    fn regressed() -> Drilled {
        let mut now = passed("x");
        now.fallback.sessions_lost = 3;
        drilled(&[passed("x")], now, 5)
    }

    #[test]
    fn a_regression_fails_its_own_case_and_the_drill() {
        let drilled = regressed();
        assert_eq!((drilled.answer(), drilled.word(), drilled.exit_status()), (Answer::Broken, "regressed", 5));
        assert_eq!(drilled.reasons(), ["baseline: sessions-lost regressed: 0 → 3; nothing was lost before"]);
        assert!(!drilled.passed());
        let xml = junit::render(&invocation(drilled)).unwrap();
        assert!(xml.contains("name=\"baseline sessions-lost\""), "{xml}");
        assert!(xml.contains("name=\"baseline check lost-writes\""), "{xml}");
        assert_eq!(xml.matches("<failure").count(), 2, "the verdict and the loss: {xml}");
    }

    #[test]
    fn a_baseline_of_another_load_proves_nothing() {
        let other = Run { config: "[[load]]\nrate = \"1/s\"".to_owned(), ..passed("x") };
        let drilled = drilled(&[other], passed("x"), 3);
        assert_eq!((drilled.answer(), drilled.word()), (Answer::Unclear, "not comparable"));
        assert_eq!(drilled.reasons(), ["baseline: other load.0.rate: 1/s → nothing"]);
        let xml = junit::render(&invocation(drilled)).unwrap();
        assert_eq!((xml.matches("<error").count(), xml.matches("name=\"baseline\"").count()), (2, 1), "{xml}");
    }

    #[test]
    fn a_scenario_without_a_baseline_passes_and_says_so() {
        let drilled = drilled(&[], passed("x"), 0);
        assert_eq!((drilled.answer(), drilled.word(), drilled.passed()), (Answer::Held, "passed", true));
        let xml = junit::render(&invocation(drilled)).unwrap();
        assert_eq!(xml.matches("<skipped").count(), 1, "{xml}");
    }

    #[test]
    fn a_failed_drill_stays_failed() {
        let drilled = drilled(&[passed("x")], failed("x"), 1);
        assert_eq!((drilled.answer(), drilled.word(), drilled.exit_status()), (Answer::Broken, "failed", 1));
    }

    #[test]
    fn the_summaries_have_what_regressed() {
        let all = invocation(regressed());
        let markdown = summary::render(&all, summary::WHOLE);
        assert!(markdown.contains("| ❌ regressed | x |"), "{markdown}");
        assert!(markdown.contains("| ❌ | baseline sessions-lost | baseline 0 | 3 |"), "{markdown}");
        let json: summary_json::Summary = serde_json::from_str(&summary_json::render(&all).unwrap()).unwrap();
        let entry = &json.scenarios[0];
        assert_eq!((entry.verdict.as_str(), entry.exit_status), ("passed", 5));
        assert_eq!(entry.baseline.as_ref().map(|one| one.change), Some(Change::Regressed));
        assert_eq!(entry.comparison.as_deref(), Some("x/compare.html"));
    }
}

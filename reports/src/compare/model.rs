//! What a comparison says.

use serde::{Deserialize, Serialize};

use crate::run::{Run, Unit};
use crate::text;

/// A run and where its record is.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its folder, as people know it.
    pub place: String,
    /// Its record.
    pub run: Run,
}

/// The comparison of one scenario's runs with those of a baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The scenario of the compared runs.
    pub scenario: String,
    /// The runs that are the baseline, the oldest first.
    pub baseline: Vec<Origin>,
    /// The runs that are compared with it, the oldest first.
    pub runs: Vec<Origin>,
    /// The change, as a share, up to which a figure counts as unchanged.
    pub margin: f64,
    /// What became of the scenario as a whole: the worst of what is certain, else the best.
    pub change: Change,
    /// The confidence of each interval: so high that all of them together hold with 95 %.
    pub confidence: f64,
    /// Whether the values of whole runs are the sample, rather than the slices within one run.
    pub by_runs: bool,
    /// Why nothing was compared; empty if something was.
    pub refused: Vec<String>,
    /// What else differs between the two sides.
    pub differences: Vec<Difference>,
    /// What was compared, in the order of importance.
    pub rows: Vec<Row>,
}

/// Where one of the compared runs comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its folder.
    pub place: String,
    /// When its load started: RFC 3339, UTC.
    pub started_at: String,
    /// Its seed.
    pub seed: u64,
    /// The version of Firedrill.
    pub firedrill_version: String,
    /// Its verdict.
    pub verdict: crate::run::Verdict,
}

/// Something that differs between the two sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What: a key of the scenario such as `store.policy`, or a line about the environment such as `redis`.
    pub what: String,
    /// Its value in the baseline; empty if it has none.
    pub before: String,
    /// Its value now; empty if it has none.
    pub now: String,
}

/// One compared thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its kind.
    pub group: Group,
    /// Its name, the same in every comparison: `before.p95`, `recovery`, `lost-writes`.
    pub name: String,
    /// The unit of the values; absent for verdicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// The baseline's value for people; over several runs the mean, of ratios the geometric one.
    pub before: String,
    /// The value now.
    pub now: String,
    /// The change with its interval; absent where no interval can be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// What that means.
    pub change: Change,
    /// Why; may be empty.
    #[serde(default)]
    pub note: String,
}

/// The kinds of compared things, in the order of importance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Checkers' verdicts.
    Checks,
    /// What was lost, and what sessions were not found.
    Loss,
    /// Gates' verdicts.
    Gates,
    /// The time to recover.
    Recovery,
    /// Shares of operations that failed or have an unknown outcome.
    Errors,
    /// Quantiles of response times.
    Latency,
    /// Throughput of a closed loop.
    Throughput,
    /// CPU time per operation.
    Cpu,
}

impl Group {
    /// Its heading.
    pub fn heading(self) -> &'static str {
        match self {
            Group::Checks => "Checks",
            Group::Loss => "Loss",
            Group::Gates => "Gates",
            Group::Recovery => "Recovery",
            Group::Errors => "Errors",
            Group::Latency => "Response time",
            Group::Throughput => "Throughput",
            Group::Cpu => "CPU per operation",
        }
    }
}

/// What became of a compared thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is better, by more than the margin.
    Improved,
    /// It changed by less than the margin.
    Unchanged,
    /// It is worse, by more than the margin.
    Regressed,
    /// The values vary too much to tell.
    Unclear,
    /// The two values do not measure the same.
    NotComparable,
}

impl Change {
    /// Every change, the most important first.
    pub const ALL: [Change; 5] =
        [Change::Regressed, Change::Improved, Change::Unclear, Change::Unchanged, Change::NotComparable];

    /// Its name in outputs for programs.
    pub fn name(self) -> &'static str {
        match self {
            Change::Improved => "improved",
            Change::Unchanged => "unchanged",
            Change::Regressed => "regressed",
            Change::Unclear => "unclear",
            Change::NotComparable => "not-comparable",
        }
    }

    /// Its name for people.
    pub fn word(self) -> &'static str {
        match self {
            Change::NotComparable => "not comparable",
            other => other.name(),
        }
    }
}

/// A change and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Whether the numbers are shares of the baseline's value (0.1: 10 % more) rather than differences of shares.
    pub relative: bool,
    /// The change.
    pub change: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The change up to which the figure counts as unchanged, in the same measure.
    pub margin: f64,
    /// As how many independent observations the sample counts.
    pub effective: f64,
}

impl Interval {
    /// The change for people: `+30 %`, or `+0.4 pp` for the difference of two shares.
    pub fn text(&self) -> String {
        self.signed(self.change)
    }

    /// The interval for people: `-2 % … +5 %`.
    pub fn range_text(&self) -> String {
        format!("{} … {}", self.signed(self.low), self.signed(self.high))
    }

    /// Where `change` lies on an axis with -1 and 1 at the margins and 0 at no change: twice as much is as far from 0 as half
    /// as much.
    pub fn in_margins(&self, change: f64) -> f64 {
        match self.relative {
            // 0.1 is a tenth more, and -0.0909 undoes it.
            true => change.max(-0.999_999).ln_1p() / self.margin.ln_1p().max(1e-9),
            false => change / self.margin.max(1e-9),
        }
    }

    fn signed(&self, value: f64) -> String {
        // Three times as much is easier to read than 200 % more.
        if self.relative && value >= 2.0 {
            return format!("×{}", text::number(1.0 + value));
        }
        let rounded = if value.abs() < 0.000_05 { 0.0 } else { value };
        let size = if rounded.abs() < 0.1 { (rounded * 1000.0).round() / 10.0 } else { (rounded * 100.0).round() };
        let sign = if rounded > 0.0 { "+" } else { "" };
        let small = !self.relative && size.abs() < 1.0;
        let number = if small { text::number((rounded * 1e4).round() / 100.0) } else { text::number(size) };
        format!("{sign}{number} {}", if self.relative { "%" } else { "pp" })
    }
}

impl Comparison {
    /// What its rows say as a whole.
    pub(super) fn overall(&self) -> Change {
        let any = |change: Change| self.rows.iter().any(|row| row.change == change);
        let found = [Change::Regressed, Change::Improved, Change::Unclear, Change::Unchanged].into_iter();
        found.into_iter().find(|&change| any(change)).unwrap_or(Change::NotComparable)
    }

    /// How many rows changed so.
    pub fn count(&self, change: Change) -> usize {
        self.rows.iter().filter(|row| row.change == change).count()
    }

    /// The comparison in a sentence.
    pub fn headline(&self) -> String {
        if let Some(first) = self.refused.first() {
            return first.clone();
        }
        let counts: Vec<String> = Change::ALL
            .into_iter()
            .map(|change| (self.count(change), change.word()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        if counts.is_empty() { "neither run measured anything".to_owned() } else { counts.join(", ") }
    }

    /// The rows that regressed.
    pub fn regressions(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.change == Change::Regressed)
    }
}

impl Row {
    /// Its kind and its name: names of gates are also names of figures.
    pub fn id(&self) -> String {
        match self.group {
            Group::Checks => format!("check {}", self.name),
            Group::Gates => format!("gate {}", self.name),
            _ => self.name.clone(),
        }
    }

    /// The row in a sentence.
    pub fn sentence(&self) -> String {
        let change = self.interval.map(|interval| format!(", {} ({})", interval.text(), interval.range_text()));
        let note = if self.note.is_empty() { String::new() } else { format!("; {}", self.note) };
        format!("{}: {} → {}{}{note}", self.change.word(), self.before, self.now, change.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(relative: bool, change: f64) -> Interval {
        Interval { relative, change, low: -0.023, high: 0.3, margin: 0.1, effective: 9.0 }
    }

    #[test]
    fn changes_are_signed_and_large_ones_are_multiples() {
        let cases =
            [(0.3, "+30 %"), (0.0321, "+3.2 %"), (-0.1249, "-12 %"), (0.0, "0 %"), (2.5, "×3.5"), (1.4, "+140 %")];
        for (value, says) in cases {
            assert_eq!(interval(true, value).text(), says);
        }
        assert_eq!(interval(true, 0.0).range_text(), "-2.3 % … +30 %");
        for (value, says) in [(0.004, "+0.4 pp"), (-0.31, "-31 pp"), (0.00012, "+0.01 pp"), (0.0, "0 pp")] {
            assert_eq!(interval(false, value).text(), says);
        }
    }
}

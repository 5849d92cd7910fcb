//! Objectives as the command line takes them: `read.p99 <= 5ms`, `errors <= 0.1%`.

use std::str::FromStr;
use std::time::Duration;

use firedrill_capacity::{Count, Objective};

use crate::clock::Nanos;
use crate::gate::LimitSpec;
use crate::history::{OpKind, OpRecord};
use crate::metric::{Figure, Metric};

/// An objective that a rate must meet.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo {
    text: String,
    op: Option<OpKind>,
    /// The longest response time; `None` for errors.
    within: Option<Nanos>,
    allowed: f64,
}

/// An objective that makes no sense, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {why}")]
pub struct ObjectiveError {
    text: String,
    why: String,
}

impl FromStr for Slo {
    type Err = ObjectiveError;

    /// Parses `[OPERATION.]QUANTILE <= TIME` or `[OPERATION.]errors <= SHARE`, in the words of gates, over the whole load.
    fn from_str(text: &str) -> Result<Self, ObjectiveError> {
        let wrong = |why: String| ObjectiveError { text: text.trim().to_owned(), why };
        let example = "write it like \"read.p99 <= 5ms\" or \"errors <= 0.1%\"";
        let at = text.find(['<', '>', '=']).ok_or_else(|| wrong(format!("a limit is missing; {example}")))?;
        let (key, limit) = (text[..at].trim(), text[at..].trim());
        let whole = format!("all.{key}");
        let parsed = LimitSpec::<Metric>::parse(&whole, limit)
            .map_err(|error| wrong(format!("{}; {example}", error.to_string().replace(&whole, key))))?;
        if parsed.limit.demands() {
            return Err(wrong(format!("an objective is an upper limit; {example}")));
        }
        let quantity = parsed.limit.quantity();
        let subject = parsed.of.subject();
        let (within, allowed) = match (parsed.of.row().key, subject.figure) {
            ("PHASE.QUANTILE", Figure::Quantile(quantile)) => (Some((quantity * 1e9) as Nanos), 1.0 - quantile),
            ("PHASE.QUANTILE", Figure::Max | Figure::Mean) => {
                return Err(wrong(format!("only quantiles can be searched for, p50 to p999; {example}")));
            }
            ("PHASE.errors", _) => (None, quantity),
            _ => {
                return Err(wrong(format!(
                    "only quantiles of the response time and errors can be searched for; {example}"
                )));
            }
        };
        match within {
            Some(within) if within <= 0 => Err(wrong("no operation takes no time; allow some".to_owned())),
            None if !(allowed > 0.0 && allowed < 1.0) => Err(wrong(
                "no number of operations proves that none fails; allow a share between 0% and 100%, such as 0.1%"
                    .to_owned(),
            )),
            _ => Ok(Self { text: format!("{key} {limit}"), op: subject.op, within, allowed }),
        }
    }
}

impl Slo {
    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The kind of operation that it is about; `None` for all.
    pub fn op(&self) -> Option<OpKind> {
        self.op
    }

    /// The longest response time it allows; zero for errors.
    pub fn slowest(&self) -> Duration {
        Duration::from_nanos(self.within.unwrap_or(0).unsigned_abs())
    }

    /// For the search.
    pub fn objective(&self) -> Objective {
        Objective { name: self.text.clone(), allowed: self.allowed }
    }

    /// Counts `op`, if it is about its kind. An operation that the target did not acknowledge has met no time limit: a
    /// quick refusal must not improve a quantile.
    pub fn count(&self, op: &OpRecord, count: &mut Count) {
        if self.op.is_none_or(|kind| kind == op.kind) {
            let late = self.within.is_some_and(|within| op.ended - op.planned > within);
            count.of += 1;
            count.over += u64::from(late || !op.outcome.acknowledged());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_errors_of_one_or_of_all_operations_are_understood() {
        let slo = |text: &str| text.parse::<Slo>().unwrap();
        let read = slo("read.p99 <= 5ms");
        assert_eq!((read.op(), read.slowest()), (Some(OpKind::Read), Duration::from_millis(5)));
        assert!((read.objective().allowed - 0.01).abs() < 1e-12);
        let errors = slo("errors<=0.1%");
        assert_eq!((errors.op(), errors.slowest(), errors.text()), (None, Duration::ZERO, "errors <=0.1%"));
        assert!((errors.objective().allowed - 0.001).abs() < 1e-12);
        assert!((slo("p999 < 1s").objective().allowed - 0.001).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_searched_for_is_refused_with_what_to_write() {
        let refused = |text: &str| text.parse::<Slo>().unwrap_err().to_string();
        for (text, why) in [
            ("read.p99", "a limit is missing"),
            ("read.p96 <= 5ms", "nothing is measured as `read.p96`"),
            ("p99 <= 5%", "is not a limit for `p99`"),
            ("p99 >= 5ms", "an objective is an upper limit"),
            ("max <= 5ms", "only quantiles can be searched for"),
            ("rate >= 5/s", "an objective is an upper limit"),
            ("degraded <= 1%", "only quantiles of the response time and errors"),
            ("errors = 0%", "no number of operations proves"),
            ("p99 <= 0s", "no operation takes no time"),
        ] {
            assert!(refused(text).contains(why), "{text}: {}", refused(text));
        }
    }
}

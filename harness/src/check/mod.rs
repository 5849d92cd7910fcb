//! Checkers: what was promised against what happened. Each is a function from a [`History`] to a [`Finding`] with three
//! answers, valid, invalid or unknown; an operation whose outcome is unknown counts as "perhaps" in all of them. They
//! judge what the target did, not what its policy allows: which answers a scenario accepts is for its gates to say.

mod case;
#[cfg(test)]
mod defects;
mod double_award;
mod duplicated_answers;
mod immortal_keys;
mod isolation;
mod lapse;
mod life;
mod lost_answers;
mod monotonic_reads;
mod phantom_answers;
mod read_your_writes;
mod resurrection;
mod sessions;
#[cfg(test)]
mod sound;
#[cfg(test)]
mod testing;
mod ttl;
mod user_index;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::clock::Nanos;
use crate::history::{History, SessionNo};

/// One property that every history of a sound target has.
pub trait Checker: Send + Sync {
    /// The name by which scenarios and reports call it.
    fn name(&self) -> &'static str;

    /// What it looks for, in one line.
    fn about(&self) -> &'static str;

    /// Judges `history`. Ends soon after `limits.time` with what it knows by then.
    fn check(&self, history: &History, limits: &Limits) -> Finding;
}

/// What a check may cost and how much it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time for each checker; one that needs more answers unknown, unless it has found an offence by then.
    pub time: Duration,
    /// How many offences are told in words: the first ones by time. All are counted.
    pub samples: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(60), samples: 20 }
    }
}

/// A checker's answer. Ordered by weight: one invalid makes the whole invalid, else one unknown makes it unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing contradicts the property.
    Valid,
    /// It cannot be told.
    Unknown,
    /// Something contradicts it, whatever the operations of unknown outcome did.
    Invalid,
}

impl Verdict {
    /// The word used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Unknown => "unknown",
            Verdict::Invalid => "invalid",
        }
    }

    /// The verdict of several together: invalid beats unknown beats valid.
    pub fn of(findings: &[(&'static str, Finding)]) -> Verdict {
        findings.iter().map(|(_, finding)| finding.verdict).max().unwrap_or(Verdict::Valid)
    }
}

/// What a checker found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its answer.
    pub verdict: Verdict,
    /// How many things it judged. With 0, "valid" says nothing: see [`Finding::vacuous`].
    pub examined: u64,
    /// How many of them contradict the property.
    pub offences: u64,
    /// The first of these by time, at most [`Limits::samples`].
    pub samples: Vec<Offence>,
    /// The result in one line.
    pub summary: String,
}

impl Finding {
    /// Whether it is valid only because there was nothing to examine.
    pub fn vacuous(&self) -> bool {
        self.verdict == Verdict::Valid && self.examined == 0
    }
}

/// One contradiction, told so that a person can look it up in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offence {
    /// The session concerned; `None` where it is about the store as a whole.
    pub session: Option<SessionNo>,
    /// The operations that contradict each other, by index.
    pub operations: Vec<u64>,
    /// When it shows.
    pub at: Nanos,
    /// What happened, in words.
    pub text: String,
}

/// Every checker, in the order in which reports list them.
pub fn all() -> &'static [&'static dyn Checker] {
    &[
        &lost_answers::LostAnswers,
        &duplicated_answers::DuplicatedAnswers,
        &phantom_answers::PhantomAnswers,
        &read_your_writes::ReadYourWrites,
        &monotonic_reads::MonotonicReads,
        &resurrection::Resurrection,
        &ttl::Ttl,
        &immortal_keys::ImmortalKeys,
        &isolation::Isolation,
        &double_award::DoubleAward,
        &user_index::UserIndex,
    ]
}

/// A name that no checker has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no checker named \"{name}\"; there are: {}", known.join(", "))]
pub struct NoSuchChecker {
    /// The name asked for.
    pub name: String,
    /// The names there are.
    pub known: Vec<&'static str>,
}

/// The checkers of these names, in the order asked for.
pub fn select<S: AsRef<str>>(names: &[S]) -> Result<Vec<&'static dyn Checker>, NoSuchChecker> {
    let find = |name: &S| all().iter().copied().find(|c| c.name() == name.as_ref());
    names
        .iter()
        .map(|name| {
            find(name).ok_or_else(|| NoSuchChecker {
                name: name.as_ref().to_owned(),
                known: all().iter().map(|c| c.name()).collect(),
            })
        })
        .collect()
}

/// Lets each of `checkers` judge `history`. A checker that panics answers unknown, with what it said.
pub fn check_all(
    history: &History,
    checkers: &[&'static dyn Checker],
    limits: &Limits,
) -> Vec<(&'static str, Finding)> {
    checkers.iter().map(|checker| (checker.name(), check_safely(*checker, history, limits))).collect()
}

fn check_safely(checker: &dyn Checker, history: &History, limits: &Limits) -> Finding {
    catch_unwind(AssertUnwindSafe(|| checker.check(history, limits))).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Finding {
            verdict: Verdict::Unknown,
            examined: 0,
            offences: 0,
            samples: Vec::new(),
            summary: format!("the checker itself failed: {said}; please report this, with the history"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::Script;

    struct Panicking;

    impl Checker for Panicking {
        fn name(&self) -> &'static str {
            "panicking"
        }

        fn about(&self) -> &'static str {
            "fails"
        }

        fn check(&self, _: &History, _: &Limits) -> Finding {
            panic!("session {} is odd", 7)
        }
    }

    #[test]
    fn a_checker_that_panics_answers_unknown_with_its_message() {
        let findings = check_all(&Script::new().build(), &[&Panicking], &Limits::default());
        assert_eq!(findings[0].1.verdict, Verdict::Unknown);
        assert_eq!(
            findings[0].1.summary,
            "the checker itself failed: session 7 is odd; please report this, with the history"
        );
    }

    #[test]
    fn invalid_beats_unknown_beats_valid() {
        let with =
            |verdict| ("x", Finding { verdict, examined: 1, offences: 0, samples: Vec::new(), summary: String::new() });
        let (valid, unknown, invalid) = (with(Verdict::Valid), with(Verdict::Unknown), with(Verdict::Invalid));
        assert_eq!(Verdict::of(&[]), Verdict::Valid);
        assert_eq!(Verdict::of(&[valid.clone(), unknown.clone(), valid.clone()]), Verdict::Unknown);
        assert_eq!(Verdict::of(&[unknown, invalid, valid]), Verdict::Invalid);
    }

    #[test]
    fn checkers_are_found_by_name_and_a_wrong_name_lists_the_right_ones() {
        let names: Vec<_> = all().iter().map(|c| c.name()).collect();
        assert_eq!(select(&names).map(|found| found.len()), Ok(names.len()));
        let error = select(&["ttl", "lost-anwsers"]).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.starts_with("there is no checker named \"lost-anwsers\"; there are: lost-answers, "), "{error}");
    }

    #[test]
    fn an_empty_history_is_vacuous_for_every_checker_that_needs_operations() {
        for (name, finding) in check_all(&Script::new().build(), all(), &Limits::default()) {
            assert_eq!(finding.examined, 0, "{name}");
            assert!(finding.vacuous() || name == "immortal-keys", "{name}: {finding:?}");
        }
    }

    #[test]
    fn a_checker_without_time_answers_unknown() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.append(1, 0).at(2..3).ok();
        s.destroy(2, 0).at(2..3).ok();
        let limits = Limits { time: Duration::ZERO, ..Limits::default() };
        for (name, finding) in check_all(&s.build(), all(), &limits) {
            assert_eq!(finding.verdict, Verdict::Unknown, "{name}");
            assert!(finding.summary.starts_with("out of time after 0 ") || name == "immortal-keys", "{name}");
        }
    }
}

//! Checkers compare what was promised with what happened. Each is a function from a history to a [`Finding`] with one
//! of three verdicts: valid, invalid or unknown. An operation whose outcome is unknown counts as "perhaps" in all of
//! them. Checkers judge what the target did, not what its policy allows: a scenario's gates say which replies it
//! accepts.
//!
//! A history is indexed once. Threads take its sessions in turn and show each to every checker, so that its operations
//! are loaded into a core's cache only once.

mod causes;
mod counter;
mod counts;
#[cfg(test)]
mod defects;
mod double_award;
mod duplicated_writes;
mod expiry;
mod file;
#[cfg(test)]
mod golden;
mod groups;
mod health_answers;
mod immortal_keys;
mod index;
mod isolation;
mod lifetime;
mod linearizable;
mod logouts;
mod lost_writes;
mod missing;
mod monotonic_reads;
mod ops;
mod phantom_writes;
mod read_your_writes;
mod registry;
mod renewals;
mod resurrection;
mod run;
#[cfg(test)]
mod sound;
mod stale_reads;
mod tally;
#[cfg(test)]
pub(crate) mod testing;
mod ttl;
mod user_index;
mod versions;
mod viewpoint;

use std::time::Duration;

use crate::clock::Nanos;
use crate::history::{OpKind, SessionNo};
use crate::property::Property;

pub(crate) use expiry::Expiry;
pub(crate) use file::of_incomplete;
pub use file::{Judgement, check_file, check_history};
pub(crate) use groups::Groups;
pub use index::{Index, Session};
pub use lost_writes::NAME as LOST_WRITES;
pub use missing::missing;
pub use registry::{NoSuchChecker, all, instead, markdown, named, relying_on, renamed};
pub use run::check_all;
pub use tally::{Tally, Words};

/// One property of every sound target's history. A checker is one file that implements this trait, and one line in the
/// registry.
pub trait SessionChecker: Send + Sync {
    /// Its description, for scenarios, reports and docs.
    fn facts(&self) -> Facts;

    /// Judges what does not belong to a single session. Called once, before the sessions.
    fn history(&self, index: &Index<'_>, tally: &mut Tally) {
        let _ = (index, tally);
    }

    /// Judges one session. Called once for each, in the order of their numbers within a thread.
    fn session(&self, session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
        let _ = (session, index, tally);
    }
}

/// The description of a checker.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Its name in scenarios and reports.
    pub name: &'static str,
    /// Its names in earlier releases: they are rejected with a message that gives the current name.
    pub formerly: &'static [&'static str],
    /// What it looks for, in one line.
    pub about: &'static str,
    /// The words for what it examines.
    pub words: Words,
    /// The promises it relies on: without them, it would accuse a sound store.
    pub relies_on: Property,
    /// Whether a violation holds even if operations are missing from the history.
    pub stands_alone: bool,
    /// The only kind of operation that it judges; `None` if there are several.
    pub judges: Option<OpKind>,
    /// Whether a drill runs it only if its scenario names it under `[checks]`.
    pub on_request: bool,
    /// The meaning of "invalid" in Markdown, for the docs.
    pub invalid: &'static str,
    /// Typical defects that it catches in Markdown, for the docs.
    pub defects: &'static str,
}

/// How much a check may cost and how much it reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The time for all checkers together. A checker that has not examined everything by then answers unknown, unless
    /// it has found a violation.
    pub time: Duration,
    /// How many violations to describe in words, the earliest first. All are counted.
    pub samples: usize,
    /// Number of threads; 0 means one per core.
    pub threads: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { time: Duration::from_secs(300), samples: 20, threads: 0 }
    }
}

/// A checker's verdict, ordered by weight: one invalid makes the whole invalid, otherwise one unknown makes it unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Verdict {
    /// Nothing contradicts the property.
    Valid,
    /// The history does not say.
    Unknown,
    /// Something contradicts it, whatever the operations of unknown outcome did.
    Invalid,
}

impl Verdict {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The combined verdict: invalid beats unknown beats valid.
    pub fn of(findings: &[(&'static str, Finding)]) -> Verdict {
        findings.iter().map(|(_, finding)| finding.verdict).max().unwrap_or(Verdict::Valid)
    }
}

/// What a checker found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// How many things were judged. With 0, "valid" means nothing: see [`Finding::vacuous`].
    pub examined: u64,
    /// How many of them contradict the property.
    pub violations: u64,
    /// How many sessions they are of.
    pub sessions: u64,
    /// The earliest violations, at most [`Budget::samples`].
    pub samples: Vec<Violation>,
    /// The causes of the violations, if the notes name them, the most frequent first.
    pub causes: Vec<Cause>,
    /// The result in one line.
    pub summary: String,
}

/// What several violations have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Who acknowledged the writes, and what destroyed them: "made by the fallback, dropped at 10.31 s".
    pub text: String,
    /// When what destroyed them happened; `None` if nothing tells.
    pub at: Option<Nanos>,
    /// Whether the store destroyed them because its policy says so.
    pub by_policy: bool,
    /// How many violations it explains.
    pub violations: u64,
    /// How many sessions they are of.
    pub sessions: u64,
    /// When the first of the writes was acknowledged.
    pub from: Nanos,
    /// When the last of them was.
    pub until: Nanos,
    /// The writes by kind, in the order of their names.
    pub kinds: Vec<(&'static str, u64)>,
    /// The first of the writes, by index.
    pub operations: Vec<u64>,
}

impl Finding {
    /// Whether it is valid only for lack of anything to examine.
    pub fn vacuous(&self) -> bool {
        self.verdict == Verdict::Valid && self.examined == 0
    }
}

/// One contradiction, described so that people can look it up in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The affected session; `None` if the violation concerns the store as a whole.
    pub session: Option<SessionNo>,
    /// The operations that contradict each other, by index.
    pub operations: Vec<u64>,
    /// When it became visible.
    pub at: Nanos,
    /// What happened, in words.
    pub text: String,
    /// Its cause: the text of one of the finding's causes; empty if nothing names it.
    pub cause: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::Script;

    struct Panicking;

    impl SessionChecker for Panicking {
        fn facts(&self) -> Facts {
            let words = Words { things: "things", right: "right", wrong: "wrong", nothing: "nothing" };
            let (invalid, defects) = ("", "");
            Facts {
                name: "panicking",
                formerly: &[],
                about: "fails",
                words,
                relies_on: Property::empty(),
                stands_alone: false,
                judges: None,
                on_request: false,
                invalid,
                defects,
            }
        }

        fn session(&self, session: &Session<'_>, _: &Index<'_>, _: &mut Tally) {
            panic!("session {} is odd", session.number)
        }
    }

    #[test]
    fn a_checker_that_panics_answers_unknown_with_its_message() {
        let mut s = Script::new();
        s.create(7, 0).at(0..1).ok();
        let findings = check_all(&s.build(), &[&Panicking], &Budget::default());
        assert_eq!(findings[0].1.verdict, Verdict::Unknown);
        assert_eq!(
            findings[0].1.summary,
            "the checker itself failed: session 7 is odd; please report this, with the history"
        );
    }

    #[test]
    fn invalid_beats_unknown_beats_valid() {
        let with = |verdict| {
            (
                "x",
                Finding {
                    verdict,
                    examined: 1,
                    violations: 0,
                    sessions: 0,
                    samples: Vec::new(),
                    causes: Vec::new(),
                    summary: String::new(),
                },
            )
        };
        let (valid, unknown, invalid) = (with(Verdict::Valid), with(Verdict::Unknown), with(Verdict::Invalid));
        assert_eq!(Verdict::of(&[]), Verdict::Valid);
        assert_eq!(Verdict::of(&[valid.clone(), unknown.clone(), valid.clone()]), Verdict::Unknown);
        assert_eq!(Verdict::of(&[unknown, invalid, valid]), Verdict::Invalid);
    }

    #[test]
    fn an_empty_history_is_vacuous_for_every_checker_that_needs_operations() {
        for (name, finding) in check_all(&Script::new().build(), all(), &Budget::default()) {
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
        let budget = Budget { time: Duration::ZERO, ..Budget::default() };
        for (name, finding) in check_all(&s.build(), all(), &budget) {
            assert_eq!(finding.verdict, Verdict::Unknown, "{name}");
            assert!(finding.summary.starts_with("out of time after 0 ") || name == "immortal-keys", "{name}");
        }
    }
}

//! What a checker counts while it judges: how much it examined, what contradicts its property, what cannot be known.
//! Each thread has its own tally; they are merged at the end. Verdict and summary are made here, so that all checkers
//! judge and report alike.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::causes::{Destroyed, Reason};
use super::{Budget, Cause, Finding, Verdict, Violation};
use crate::clock::Nanos;
use crate::history::{OpRecord, SessionNo};

/// The words a checker uses in its summary.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// The things it examines, in the plural: "acknowledged writes".
    pub things: &'static str,
    /// What the good ones are: "in the final reads".
    pub right: &'static str,
    /// What the bad ones are: "lost".
    pub wrong: &'static str,
    /// Why there may be nothing to examine: "no write was acknowledged".
    pub nothing: &'static str,
}

/// One checker's running count.
#[derive(Debug)]
pub struct Tally {
    words: Words,
    /// How many violations to describe in words.
    samples_wanted: usize,
    out_of_time: bool,
    panic: Option<String>,
    examined: u64,
    violations: u64,
    /// Sessions with a violation.
    sessions: u64,
    /// Whether the current session has one.
    accused: bool,
    /// The first violations by time; those of the same moment by session, and those of one session in the order found.
    samples: Vec<Violation>,
    /// Where among them the violation counted last is; `None` if it is not.
    latest: Option<usize>,
    /// What each cause destroyed, by its text.
    causes: BTreeMap<String, Destroyed>,
    doubts: u64,
    /// The session with the first doubt, and the doubt.
    first_doubt: Option<(SessionNo, String)>,
    /// The current session.
    session: SessionNo,
}

impl Tally {
    /// An empty tally.
    pub(super) fn new(words: Words, budget: &Budget) -> Self {
        Self {
            words,
            samples_wanted: budget.samples,
            out_of_time: false,
            panic: None,
            examined: 0,
            violations: 0,
            sessions: 0,
            accused: false,
            samples: Vec::new(),
            latest: None,
            causes: BTreeMap::new(),
            doubts: 0,
            first_doubt: None,
            session: 0,
        }
    }

    /// Moves on to `session`. Sessions come in the order of their numbers.
    pub(super) fn turn_to(&mut self, session: SessionNo) {
        self.session = session;
        self.accused = false;
    }

    /// Notes that not everything could be examined in time.
    pub(super) fn run_out_of_time(&mut self) {
        self.out_of_time = true;
    }

    /// Records that the checker itself failed, with its panic message.
    pub(super) fn fail(&mut self, said: String) {
        self.panic.get_or_insert(said);
    }

    /// Whether the checker itself failed.
    pub(super) fn failed(&self) -> bool {
        self.panic.is_some()
    }

    /// Counts things that were judged.
    pub(super) fn examine(&mut self, things: u64) {
        self.examined += things;
    }

    /// Counts one violation. `tell` creates its text, and is called only if the violation is among the first by time.
    pub(super) fn violation(
        &mut self,
        session: Option<SessionNo>,
        at: Nanos,
        operations: &[u64],
        tell: impl FnOnce() -> String,
    ) {
        self.violations += 1;
        self.sessions += u64::from(session.is_some() && !self.accused);
        self.accused |= session.is_some();
        let place = self.samples.partition_point(|sample| sample.at <= at);
        self.latest = (place < self.samples_wanted).then_some(place);
        if place < self.samples_wanted {
            let (operations, text, cause) = (operations.to_vec(), tell(), String::new());
            self.samples.truncate(self.samples_wanted - 1);
            self.samples.insert(place, Violation { session, operations, at, text, cause });
        }
    }

    /// Names the cause of the violation counted last, which is that `write` is gone.
    pub(super) fn because(&mut self, reason: Reason, write: &OpRecord) {
        if let Some(sample) = self.latest.and_then(|place| self.samples.get_mut(place)) {
            sample.cause.clone_from(&reason.text);
        }
        let destroyed = self.causes.entry(reason.text.clone()).or_insert_with(|| Destroyed::by(reason));
        destroyed.add(write);
    }

    /// Counts further violations like the previous ones, without a text for each.
    pub(super) fn further_violations(&mut self, violations: u64) {
        self.violations += violations;
    }

    /// Notes that something cannot be known, and why.
    pub(super) fn doubt(&mut self, tell: impl FnOnce() -> String) {
        self.doubts += 1;
        let session = self.session;
        self.first_doubt.get_or_insert_with(|| (session, tell()));
    }

    /// Adds the tally of another thread, which examined other sessions.
    pub(super) fn merge(&mut self, other: Tally) {
        self.out_of_time |= other.out_of_time;
        self.panic = self.panic.take().or(other.panic);
        self.examined += other.examined;
        self.violations += other.violations;
        self.sessions += other.sessions;
        self.samples.extend(other.samples);
        self.samples.sort_by_key(|sample| (sample.at, sample.session));
        self.samples.truncate(self.samples_wanted);
        for (cause, destroyed) in other.causes {
            match self.causes.entry(cause) {
                Entry::Occupied(mut known) => known.get_mut().merge(destroyed),
                Entry::Vacant(new) => {
                    new.insert(destroyed);
                }
            }
        }
        self.doubts += other.doubts;
        self.first_doubt = [self.first_doubt.take(), other.first_doubt].into_iter().flatten().min();
    }

    /// Finishes with the verdict. A violation counts even if the time ran out.
    pub(super) fn finding(self) -> Finding {
        let Words { things, right, wrong, nothing } = self.words;
        let (verdict, summary) = if let Some(said) = self.panic {
            let summary = format!("the checker itself failed: {said}; please report this, with the history");
            let (samples, causes) = (Vec::new(), Vec::new());
            let (examined, violations, sessions) = (0, 0, 0);
            return Finding { verdict: Verdict::Unknown, examined, violations, sessions, samples, causes, summary };
        } else if self.violations > 0 {
            (Verdict::Invalid, format!("{} of {} {things} {wrong}", self.violations, self.examined))
        } else if self.out_of_time {
            (Verdict::Unknown, format!("out of time after {} {things}", self.examined))
        } else if let Some((_, doubt)) = self.first_doubt {
            let more = if self.doubts > 1 { format!(" (and {} more)", self.doubts - 1) } else { String::new() };
            (Verdict::Unknown, format!("cannot tell: {doubt}{more}"))
        } else if self.examined == 0 {
            (Verdict::Valid, format!("nothing to examine: {nothing}"))
        } else {
            (Verdict::Valid, format!("{} {things} {right}", self.examined))
        };
        let mut causes: Vec<Cause> = self.causes.into_values().map(Destroyed::cause).collect();
        causes.sort_by_key(|cause| Reverse(cause.violations));
        let summary = if causes.is_empty() { summary.clone() } else { explained(&summary, &causes) };
        let Self { examined, violations, sessions, samples, .. } = self;
        Finding { verdict, examined, violations, sessions, samples, causes, summary }
    }
}

/// The summary, with the most frequent causes.
fn explained(summary: &str, causes: &[Cause]) -> String {
    const SHOWN: usize = 3;
    let shown = causes.iter().take(SHOWN).map(|cause| format!("{} {}", cause.violations, cause.text));
    let rest: u64 = causes.iter().skip(SHOWN).map(|cause| cause.violations).sum();
    let more = (rest > 0).then(|| format!("{rest} otherwise"));
    format!("{summary}: {}", shown.chain(more).collect::<Vec<_>>().join("; "))
}

/// A time in a violation's text, in seconds since the start of the measured load.
pub(super) fn seconds(at: Nanos) -> String {
    format!("{:.3} s", at as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Words = Words { things: "apples", right: "sound", wrong: "rotten", nothing: "nobody picked an apple" };

    fn tally(samples: usize) -> Tally {
        Tally::new(WORDS, &Budget { samples, ..Budget::default() })
    }

    #[test]
    fn the_first_violations_by_time_are_described_and_all_are_counted() {
        let mut tally = tally(2);
        tally.examine(9);
        for at in [50, 20, 40, 10, 30] {
            tally.violation(Some(1), at, &[at as u64], || format!("at {at}"));
        }
        let finding = tally.finding();
        assert_eq!(finding.verdict, Verdict::Invalid);
        assert_eq!(finding.violations, 5);
        assert_eq!(finding.samples.iter().map(|s| s.text.as_str()).collect::<Vec<_>>(), ["at 10", "at 20"]);
        assert_eq!(finding.summary, "5 of 9 apples rotten");
    }

    #[test]
    fn no_samples_wanted_means_none_described() {
        let mut tally = tally(0);
        tally.violation(None, 1, &[], || unreachable!("nobody wants to know"));
        assert_eq!(tally.finding().samples, []);
    }

    #[test]
    fn a_doubt_makes_the_verdict_unknown_and_is_named() {
        let mut tally = tally(2);
        tally.examine(3);
        tally.doubt(|| "the third is out of reach".into());
        tally.doubt(|| "the fourth too".into());
        let finding = tally.finding();
        assert_eq!(finding.verdict, Verdict::Unknown);
        assert_eq!(finding.summary, "cannot tell: the third is out of reach (and 1 more)");
    }

    #[test]
    fn nothing_examined_is_said_so() {
        let finding = tally(2).finding();
        assert!(finding.vacuous());
        assert_eq!(finding.summary, "nothing to examine: nobody picked an apple");
    }

    #[test]
    fn times_are_in_seconds_from_the_start_of_the_load() {
        assert_eq!(seconds(7_312_400_000), "7.312 s");
        assert_eq!(seconds(-1_500_000_000), "-1.500 s");
    }

    #[test]
    fn tallies_of_several_threads_merge_into_what_one_would_have_counted() {
        let mut alone = tally(3);
        let mut threads = [tally(3), tally(3)];
        for session in 0..8u32 {
            let at = i64::from(session % 3);
            let count = |tally: &mut Tally| {
                tally.turn_to(session);
                tally.examine(2);
                tally.violation(Some(session), at, &[], || format!("{session} at {at}"));
                tally.doubt(|| format!("of {session}"));
            };
            count(&mut alone);
            count(&mut threads[(session % 2) as usize]);
        }
        let [mut one, other] = threads;
        one.merge(other);
        assert_eq!(one.first_doubt, alone.first_doubt);
        assert_eq!(one.finding(), alone.finding());
    }

    #[test]
    fn a_checker_that_failed_in_one_thread_answers_unknown() {
        let (mut one, mut other) = (tally(3), tally(3));
        one.violation(None, 1, &[], || "bad".into());
        other.fail("it is odd".into());
        one.merge(other);
        let finding = one.finding();
        assert_eq!(finding.verdict, Verdict::Unknown);
        assert_eq!(finding.summary, "the checker itself failed: it is odd; please report this, with the history");
    }
}

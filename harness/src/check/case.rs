//! What a checker notes down while it judges: how much it examined, what offends, what cannot be told, and whether its
//! time is up. One place makes the verdict and the summary of it, so that all checkers weigh and speak alike.

use std::time::Instant;

use super::{Finding, Limits, Offence, Verdict};
use crate::clock::Nanos;
use crate::history::SessionNo;

/// How a checker speaks of what it examines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// Several of what it examines: "acknowledged answers".
    pub things: &'static str,
    /// What the good ones are: "in the final reads".
    pub right: &'static str,
    /// What the bad ones are: "lost".
    pub wrong: &'static str,
    /// Why there may be nothing to examine: "no answer was acknowledged".
    pub nothing: &'static str,
}

/// A check under way.
#[derive(Debug)]
pub(super) struct Case {
    words: Words,
    limits: Limits,
    began: Instant,
    out_of_time: bool,
    examined: u64,
    offences: u64,
    samples: Vec<Offence>,
    doubts: u64,
    first_doubt: Option<String>,
}

impl Case {
    /// Begins, and with it the time.
    pub fn open(words: Words, limits: &Limits) -> Self {
        Self {
            words,
            limits: *limits,
            began: Instant::now(),
            out_of_time: false,
            examined: 0,
            offences: 0,
            samples: Vec::new(),
            doubts: 0,
            first_doubt: None,
        }
    }

    /// Whether there is time for more. A checker asks before each session, and stops at the first no.
    pub fn in_time(&mut self) -> bool {
        self.out_of_time = self.out_of_time || self.began.elapsed() >= self.limits.time;
        !self.out_of_time
    }

    /// Counts what was judged.
    pub fn examine(&mut self, things: u64) {
        self.examined += things;
    }

    /// Counts one offence; `tell` makes its text, and is asked only where the offence is among the first by time.
    pub fn offend(&mut self, session: Option<SessionNo>, at: Nanos, operations: &[u64], tell: impl FnOnce() -> String) {
        self.offences += 1;
        let place = self.samples.partition_point(|sample| sample.at <= at);
        if place < self.limits.samples {
            self.samples.truncate(self.limits.samples - 1);
            self.samples.insert(place, Offence { session, operations: operations.to_vec(), at, text: tell() });
        }
    }

    /// Counts further offences of which no more can be told than of those before.
    pub fn offend_further(&mut self, offences: u64) {
        self.offences += offences;
    }

    /// Notes that something cannot be told, and why.
    pub fn doubt(&mut self, tell: impl FnOnce() -> String) {
        self.doubts += 1;
        self.first_doubt.get_or_insert_with(tell);
    }

    /// Ends it with its verdict. What offends stays an offence, also when the time ran out.
    pub fn close(self) -> Finding {
        let Words { things, right, wrong, nothing } = self.words;
        let (verdict, summary) = if self.offences > 0 {
            (Verdict::Invalid, format!("{} of {} {things} {wrong}", self.offences, self.examined))
        } else if self.out_of_time {
            (Verdict::Unknown, format!("out of time after {} {things}", self.examined))
        } else if let Some(doubt) = self.first_doubt {
            let more = if self.doubts > 1 { format!(" (and {} more)", self.doubts - 1) } else { String::new() };
            (Verdict::Unknown, format!("cannot be told: {doubt}{more}"))
        } else if self.examined == 0 {
            (Verdict::Valid, format!("nothing to examine: {nothing}"))
        } else {
            (Verdict::Valid, format!("{} {things} {right}", self.examined))
        };
        Finding { verdict, examined: self.examined, offences: self.offences, samples: self.samples, summary }
    }
}

/// A time as offences tell it: seconds since the start of the measured load.
pub(super) fn seconds(at: Nanos) -> String {
    format!("{:.3} s", at as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Words = Words { things: "apples", right: "sound", wrong: "rotten", nothing: "nobody picked an apple" };

    fn case(samples: usize) -> Case {
        Case::open(WORDS, &Limits { samples, ..Limits::default() })
    }

    #[test]
    fn the_first_offences_by_time_are_told_and_all_are_counted() {
        let mut case = case(2);
        case.examine(9);
        for at in [50, 20, 40, 10, 30] {
            case.offend(Some(1), at, &[at as u64], || format!("at {at}"));
        }
        let finding = case.close();
        assert_eq!(finding.verdict, Verdict::Invalid);
        assert_eq!(finding.offences, 5);
        assert_eq!(finding.samples.iter().map(|s| s.text.as_str()).collect::<Vec<_>>(), ["at 10", "at 20"]);
        assert_eq!(finding.summary, "5 of 9 apples rotten");
    }

    #[test]
    fn no_samples_wanted_means_none_told() {
        let mut case = case(0);
        case.offend(None, 1, &[], || unreachable!("nobody wants to know"));
        assert_eq!(case.close().samples, []);
    }

    #[test]
    fn doubt_makes_it_unknown_and_says_why() {
        let mut case = case(2);
        case.examine(3);
        case.doubt(|| "the third is out of reach".into());
        case.doubt(|| "the fourth too".into());
        let finding = case.close();
        assert_eq!(finding.verdict, Verdict::Unknown);
        assert_eq!(finding.summary, "cannot be told: the third is out of reach (and 1 more)");
    }

    #[test]
    fn nothing_examined_is_said_so() {
        let finding = case(2).close();
        assert!(finding.vacuous());
        assert_eq!(finding.summary, "nothing to examine: nobody picked an apple");
    }

    #[test]
    fn times_are_told_in_seconds_from_the_loads_start() {
        assert_eq!(seconds(7_312_400_000), "7.312 s");
        assert_eq!(seconds(-1_500_000_000), "-1.500 s");
    }
}

//! The drills of one invocation of the command, judged or not.

use std::path::{Path, PathBuf};

use super::baseline::Baseline;
use super::finding::{Answer, Finding};
use crate::describe;
use crate::run::{REPORT_FILE, RUN_FILE, Run, Verdict};

/// The drills that one command line asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// Version of the Firedrill that ran them, such as `0.1.0`.
    pub firedrill_version: String,
    /// The folder that holds the folders of the runs, as given on the command line.
    pub out: PathBuf,
    /// The command's exit status, before outputs were written.
    pub exit_status: i32,
    /// The drills, in the order of the command line.
    pub drills: Vec<Drilled>,
}

/// One scenario of an invocation, and how it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Drilled {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's file, relative to the repository if it lies in one; absent for a shipped scenario.
    pub file: Option<String>,
    /// How it ended.
    pub ended: Ended,
    /// How it compares with its baseline; absent if it was given none, or did not run.
    pub baseline: Option<Box<Baseline>>,
}

/// How a scenario ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// It ran, and has a record.
    Judged {
        /// The record.
        run: Box<Run>,
        /// The run's folder, relative to [`Invocation::out`].
        folder: PathBuf,
    },
    /// It did not run to its end: the environment lacked something, or an earlier scenario ended the invocation.
    NotRun {
        /// Why, in a sentence without secrets.
        reason: String,
        /// The exit status that stands for it.
        exit_status: i32,
    },
}

impl Drilled {
    /// The record, if there is one.
    pub fn run(&self) -> Option<&Run> {
        match &self.ended {
            Ended::Judged { run, .. } => Some(run),
            Ended::NotRun { .. } => None,
        }
    }

    /// Whether it ran, passed, and did not regress.
    pub fn passed(&self) -> bool {
        self.answer() == Answer::Held
    }

    /// Its verdict for programs: that of `run.json`, or `not-run`.
    pub fn verdict(&self) -> &'static str {
        self.run().map_or("not-run", |run| run.verdict.name())
    }

    /// Its verdict for people.
    pub fn word(&self) -> &'static str {
        match (self.run(), &self.baseline) {
            (Some(run), Some(baseline)) if run.verdict == Verdict::Passed && !self.passed() => {
                baseline.comparison.change.word()
            }
            (Some(run), _) => run.verdict.name(),
            (None, _) => "not run",
        }
    }

    /// The exit status of the command if this were its only scenario.
    pub fn exit_status(&self) -> i32 {
        match (&self.ended, &self.baseline) {
            (_, Some(baseline)) => baseline.exit_status,
            (Ended::Judged { run, .. }, None) => run.exit_status,
            (Ended::NotRun { exit_status, .. }, None) => *exit_status,
        }
    }

    /// Why it did not pass; empty if it did.
    pub fn reasons(&self) -> Vec<&str> {
        let own = match &self.ended {
            Ended::Judged { run, .. } => run.reasons.iter().map(String::as_str).collect(),
            Ended::NotRun { reason, .. } => vec![reason.as_str()],
        };
        own.into_iter().chain(self.baseline.iter().flat_map(|baseline| baseline.reasons())).collect()
    }

    /// The verdict in a sentence.
    pub fn headline(&self) -> String {
        match &self.ended {
            Ended::Judged { run, .. } if run.verdict == Verdict::Passed && !self.passed() => {
                self.reasons().first().map_or_else(|| describe::headline(run), |reason| (*reason).to_owned())
            }
            Ended::Judged { run, .. } => describe::headline(run),
            Ended::NotRun { reason, .. } => reason.clone(),
        }
    }

    /// What became of the drill as a whole.
    pub fn answer(&self) -> Answer {
        let compared = self.baseline.as_ref().map(|baseline| baseline.answer());
        match self.run().map(|run| run.verdict) {
            Some(Verdict::Passed) => compared.filter(|answer| *answer != Answer::Reported).unwrap_or(Answer::Held),
            Some(Verdict::Failed) => Answer::Broken,
            Some(Verdict::Inconclusive | Verdict::Interrupted) | None => Answer::Unclear,
        }
    }

    /// Everything that it was judged on; nothing if it did not run.
    pub fn findings(&self) -> Vec<Finding> {
        let mut all = self.run().map(Finding::all).unwrap_or_default();
        all.extend(self.baseline.iter().flat_map(|baseline| baseline.findings()));
        all
    }

    /// Its `run.json`, relative to [`Invocation::out`].
    pub fn record(&self) -> Option<PathBuf> {
        self.folder().map(|folder| folder.join(RUN_FILE))
    }

    /// Its report, relative to [`Invocation::out`].
    pub fn report(&self) -> Option<PathBuf> {
        self.folder().map(|folder| folder.join(REPORT_FILE))
    }

    fn folder(&self) -> Option<&Path> {
        match &self.ended {
            Ended::Judged { folder, .. } => Some(folder),
            Ended::NotRun { .. } => None,
        }
    }
}

//! `firedrill check HISTORY`: runs the checkers on a saved history.

use std::num::NonZeroU32;

use super::args::CheckArgs;
use super::exit::{Failure, Status};
use super::history::{completeness, file_of, read};
use super::out;
use crate::check::{self, Budget, Finding, Judgement, SessionChecker, Verdict, check_file, check_history};
use crate::history::{FORMAT_VERSION, Header, History, available_memory};
use crate::units::Span;
use firedrill_reports::text;

/// Judges the history and prints every checker's finding.
pub fn run(args: &CheckArgs) -> Result<Status, Failure> {
    let checkers = match args.checkers.as_slice() {
        [] => check::all().to_vec(),
        names => names.iter().map(|name| check::named(name)).collect::<Result<_, _>>().map_err(usage)?,
    };
    let budget = Budget { samples: args.samples, ..Budget::default() };
    // Half of the available memory, so that the rest of the machine keeps working.
    let room = args.memory.map_or_else(|| available_memory() / 2, |memory| memory.0);
    let path = file_of(&args.history);
    let judgement = match History::import(&path, &promises(args)).map_err(read)? {
        Some(history) => check_history(history, &checkers, &budget),
        None => check_file(&path, &checkers, &budget, room).map_err(read)?,
    };
    print(&judgement, &checkers);
    Ok(status(&judgement.findings))
}

/// The promises under which another tool recorded the history. Without a TTL, sessions never expire.
fn promises(args: &CheckArgs) -> Header {
    let nanos = |span: Option<Span>, none: i64| span.map_or(none, |span| span.nanos());
    Header {
        version: FORMAT_VERSION,
        scenario: "another tool".to_owned(),
        seed: 0,
        ttl_ns: nanos(args.ttl, i64::MAX / 4),
        ttl_slack_ns: nanos(args.ttl_slack, 0),
        sliding: !args.fixed_ttl,
        sessions_per_user: NonZeroU32::MIN,
        instances: NonZeroU32::MIN,
        counter: false,
        epoch_ms: 0,
    }
}

fn usage(error: check::NoSuchChecker) -> Failure {
    Failure::Usage(error.to_string())
}

/// 1 if a checker found a violation, 3 if one could not decide or none had anything to examine.
fn status(findings: &[(&'static str, Finding)]) -> Status {
    match Verdict::of(findings) {
        Verdict::Invalid => Status::Failed,
        Verdict::Unknown => Status::Inconclusive,
        Verdict::Valid if findings.iter().all(|(_, finding)| finding.vacuous()) => Status::Inconclusive,
        Verdict::Valid => Status::Passed,
    }
}

fn print(judgement: &Judgement, checkers: &[&'static dyn SessionChecker]) {
    let Judgement { header, tail, operations, parts, findings } = judgement;
    let whole = completeness(*tail);
    let parts = if *parts > 1 { format!(", judged in {parts} parts") } else { String::new() };
    let (scenario, seed) = (&header.scenario, header.seed);
    out::line(format_args!("{} of {scenario}, seed {seed}; {whole}{parts}\n", text::counted(*operations, "operation")));
    let width = checkers.iter().map(|checker| checker.facts().name.len()).max().unwrap_or(0);
    for (name, finding) in findings {
        let word = if finding.vacuous() { "nothing" } else { finding.verdict.name() };
        out::line(format_args!("  {name:width$}  {word:7}  {}", finding.summary));
        for violation in &finding.samples {
            out::line(format_args!("  {:width$}           {}", "", violation.text));
        }
        let more = finding.violations - finding.samples.len() as u64;
        if more > 0 && !finding.samples.is_empty() {
            out::line(format_args!("  {:width$}           and {} more", "", text::count(more)));
        }
    }
}

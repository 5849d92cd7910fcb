//! `firedrill compare BASELINE RUN`: says what changed from one run to another, and how sure that is.

use std::path::{Path, PathBuf};

use firedrill_reports::compare::{Change, Comparison, Recorded, compare};
use firedrill_reports::html::render_comparison;
use firedrill_reports::terminal;

use super::args::CompareArgs;
use super::exit::{Failure, Status};
use super::out;
use super::recorded::runs;
use super::told::style;

/// The file of a comparison's page.
pub const PAGE: &str = "compare.html";

/// Compares every scenario that either side has, prints what changed, and writes the page.
pub fn run(args: &CompareArgs) -> Result<Status, Failure> {
    let (baseline, now) = (runs(&args.baseline)?, runs(&args.run)?);
    let comparisons = scenarios(&baseline, &now, args.margin.0);
    if args.json {
        let json = serde_json::to_string_pretty(&comparisons)
            .map_err(|error| Failure::Environment(format!("cannot write the comparison as JSON: {error}")))?;
        out::line(json);
    } else {
        print(&comparisons, args.quiet);
    }
    let page = args.html.clone().unwrap_or_else(|| beside(&args.run));
    write_page(&page, &comparisons)?;
    if !args.json && !args.quiet {
        out::line(format_args!("page  {}", page.display()));
    }
    Ok(status(&comparisons))
}

/// Writes the page of `comparisons`.
pub fn write_page(path: &Path, comparisons: &[Comparison]) -> Result<(), Failure> {
    std::fs::write(path, render_comparison(comparisons)).map_err(|error| {
        Failure::Environment(format!("cannot write {}: {error}; choose another file with --html", path.display()))
    })
}

fn print(comparisons: &[Comparison], quiet: bool) {
    for (number, one) in comparisons.iter().enumerate() {
        if quiet {
            out::line(terminal::comparison_line(one, style()));
        } else {
            let gap = if number > 0 { "\n" } else { "" };
            out::print(format_args!("{gap}{}", terminal::comparison(one, style())));
        }
    }
}

fn beside(run: &Path) -> PathBuf {
    let folder = if run.is_dir() { run } else { run.parent().unwrap_or(Path::new(".")) };
    folder.join(PAGE)
}

/// A comparison for each scenario of `now`, then one for each that only the baseline has. A single run on each side is
/// compared whatever the names: the answer says that they differ.
fn scenarios(baseline: &[Recorded], now: &[Recorded], margin: f64) -> Vec<Comparison> {
    if let ([_], [_]) = (baseline, now) {
        return vec![compare(baseline, now, margin)];
    }
    let mut names: Vec<&str> = Vec::new();
    for one in now.iter().chain(baseline) {
        let name = one.run.scenario.name.as_str();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let of = |side: &[Recorded], name: &str| -> Vec<Recorded> {
        side.iter().filter(|one| one.run.scenario.name == name).cloned().collect()
    };
    names.into_iter().map(|name| compare(&of(baseline, name), &of(now, name), margin)).collect()
}

/// A scenario that only one side has is said, and decides nothing unless nothing else was compared.
fn status(comparisons: &[Comparison]) -> Status {
    let of = |one: &Comparison| match one.change {
        Change::Regressed => Status::Regressed,
        Change::NotComparable if !one.baseline.is_empty() && !one.runs.is_empty() => Status::Inconclusive,
        _ => Status::Passed,
    };
    let worst = comparisons.iter().map(of).fold(Status::Passed, Status::worse);
    match comparisons.iter().all(|one| one.change == Change::NotComparable) {
        true => worst.worse(Status::Inconclusive),
        false => worst,
    }
}

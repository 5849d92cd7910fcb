//! `firedrill show`: prints what a scenario would do, without doing it.

use super::args::ShowArgs;
use super::exit::{Failure, Status};
use super::out;
use super::source::{read, source};
use crate::plan::Plan;

/// Prints the settings with all defaults, the operations and the faults.
pub fn run(args: &ShowArgs) -> Result<Status, Failure> {
    let source = source(&args.scenario)?;
    let (scenario, seed) = read(&source, &args.changes)?;
    let plan = Plan::of(scenario, seed).map_err(|error| Failure::Usage(format!("{}: {error}", source.name)))?;
    out::print(&plan);
    out::line(format_args!("\n# Operations (the first {} of each load)", args.operations));
    out::print(plan.load.summary(args.operations));
    Ok(Status::Passed)
}

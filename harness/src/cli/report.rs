//! `firedrill report RUN`: renders a saved run again.

use super::args::ReportArgs;
use super::exit::{Failure, Status};
use super::history::{file_of, read};
use super::told::print_run;
use crate::drill::{remains, write_report};
use firedrill_reports::{Run, RunError};

/// Writes `report.html` next to `run.json` and prints the verdict.
pub fn run(args: &ReportArgs) -> Result<Status, Failure> {
    let run = match Run::load(&args.run) {
        // A killed drill leaves only its history.
        Err(RunError::NotFound { .. }) if file_of(&args.run).is_file() => remains(&file_of(&args.run)).map_err(read)?,
        loaded => loaded.map_err(|error| Failure::File(error.to_string()))?,
    };
    let dir = match args.run.is_dir() {
        true => args.run.as_path(),
        false => args.run.parent().unwrap_or(std::path::Path::new(".")),
    };
    let report = write_report(&run, dir).map_err(Failure::Drill)?;
    print_run(&run, &report);
    Ok(Status::Passed)
}

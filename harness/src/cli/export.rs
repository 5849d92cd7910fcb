//! `firedrill export HISTORY`: converts a history to the format of another checker, or figures to that of another tool.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use firedrill_reports::Run;
use indexmap::IndexMap;

use super::args::ExportArgs;
use super::exit::{Failure, Status};
use super::history::{file_of, read, unwritable};
use super::out;
use super::recorded::runs;
use crate::history::{History, Tail, Telling, export};

/// Writes the history to stdout or to the given file.
pub fn run(args: &ExportArgs) -> Result<Status, Failure> {
    let Some(notation) = args.format.notation() else { return benchmark(args) };
    let path = file_of(&args.history);
    let (history, tail) = History::load(&path).map_err(read)?;
    if tail != Tail::Complete {
        out::tell_line("warning: the history is not complete: operations at its end are missing");
    }
    let telling = Telling::from(args.telling);
    match &args.out {
        Some(file) => {
            let failed = |error| unwritten(file, &error);
            let mut out = BufWriter::new(File::create(file).map_err(failed)?);
            export(&history, telling, notation, &mut out).and_then(|()| out.flush()).map_err(failed)?;
        }
        None => out::stream(|mut out| export(&history, telling, notation, &mut out)).map_err(unwritable)?,
    }
    Ok(Status::Passed)
}

fn unwritten(file: &Path, error: &std::io::Error) -> Failure {
    Failure::File(format!("cannot write {}: {error}", file.display()))
}

/// Writes the figures of the newest run of each scenario: the action takes a name once.
fn benchmark(args: &ExportArgs) -> Result<Status, Failure> {
    let mut newest: IndexMap<String, Run> = IndexMap::new();
    for one in runs(&args.history)? {
        newest.insert(one.run.scenario.name.clone(), one.run);
    }
    let json = firedrill_reports::compare::benchmark::render(newest.values())
        .map_err(|error| Failure::File(format!("cannot write the figures as JSON: {error}")))?;
    match &args.out {
        Some(file) => std::fs::write(file, json).map_err(|error| unwritten(file, &error))?,
        None => out::print(json),
    }
    Ok(Status::Passed)
}

//! `firedrill export HISTORY`: converts a history to the format of another checker.

use std::fs::File;
use std::io::{BufWriter, Write};

use super::args::ExportArgs;
use super::exit::{Failure, Status};
use super::history::{file_of, read, unwritable};
use super::out;
use crate::history::{History, Notation, Tail, Telling, export};

/// Writes the history to stdout or to the given file.
pub fn run(args: &ExportArgs) -> Result<Status, Failure> {
    let path = file_of(&args.history);
    let (history, tail) = History::load(&path).map_err(read)?;
    if tail != Tail::Complete {
        out::tell_line("warning: the history is not complete: operations at its end are missing");
    }
    let (notation, telling) = (Notation::from(args.format), Telling::from(args.telling));
    match &args.out {
        Some(file) => {
            let failed = |error: std::io::Error| Failure::File(format!("cannot write {}: {error}", file.display()));
            let mut out = BufWriter::new(File::create(file).map_err(failed)?);
            export(&history, telling, notation, &mut out).and_then(|()| out.flush()).map_err(failed)?;
        }
        None => out::stream(|mut out| export(&history, telling, notation, &mut out)).map_err(unwritable)?,
    }
    Ok(Status::Passed)
}

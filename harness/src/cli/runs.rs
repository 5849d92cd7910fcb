//! `firedrill runs`: lists the saved runs, and deletes those that are beyond a limit.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use firedrill_reports::library::{Entry, Kept, Library, Limits, delete, surplus};
use firedrill_reports::{terminal, text};
use serde::Serialize;
use serde_json::json;

use super::args::RunsArgs;
use super::exit::{Failure, Status};
use super::out;
use super::told::style;

/// Lists the runs, or prunes them.
pub fn run(args: &RunsArgs) -> Result<Status, Failure> {
    if args.prune && args.limits() == Limits::default() {
        return Err(Failure::Usage("--prune needs --older-than AGE or --keep N: what is to be kept".to_owned()));
    }
    let library = Library::of(&args.dir).map_err(|error| {
        let path = args.dir.display();
        Failure::File(format!("cannot list {path}: {error}; `firedrill run` makes runs/, and --out another folder"))
    })?;
    let chosen: Vec<&Entry> = library.runs.iter().filter(|run| is_chosen(args, run)).collect();
    if args.prune {
        return prune(args, &library, &surplus(&chosen, args.limits(), SystemTime::now()), chosen.len());
    }
    if args.json {
        chosen.iter().for_each(print_json);
        library.unreadable.iter().for_each(print_json);
    } else {
        out::print(terminal::runs(&chosen, &library, style()));
    }
    Ok(Status::Passed)
}

fn is_chosen(args: &RunsArgs, run: &Entry) -> bool {
    (args.scenarios.is_empty() || args.scenarios.contains(&run.scenario))
        && (args.verdicts.is_empty() || args.verdicts.contains(&run.verdict))
}

/// Deletes `surplus`, or says what would be deleted, and says what could not be read.
fn prune(args: &RunsArgs, library: &Library, surplus: &[&Entry], chosen: usize) -> Result<Status, Failure> {
    let (mut status, mut gone, mut freed) = (Status::Passed, 0, 0);
    for run in surplus {
        let done = match () {
            () if run.path == args.dir => Err("DIR is the run itself: name the folder above it".to_owned()),
            () if args.dry_run => Ok(0),
            () => delete(&run.path).map_err(|kept| {
                if matches!(kept, Kept::Io { .. }) {
                    status = Status::Environment;
                }
                kept.to_string()
            }),
        };
        if let Ok(bytes) = &done {
            gone += 1;
            freed += bytes;
            drop_empty_parents(&run.path, &args.dir, args.dry_run);
        }
        tell(args, run, done.map(|_| ()));
    }
    if args.json {
        library.unreadable.iter().for_each(print_json);
        return Ok(status);
    }
    for folder in &library.unreadable {
        out::line(format_args!("not readable  {}: {}", folder.path.display(), folder.reason));
    }
    let done = match args.dry_run {
        true => format!("would delete {}", text::counted(gone, "run")),
        false => format!("deleted {}, {}", text::counted(gone, "run"), text::bytes(freed as f64)),
    };
    out::line(format_args!("{done}; {} of these runs stay", text::count(chosen as u64 - gone)));
    Ok(status)
}

/// Says what became of a run, or would become of it.
fn tell(args: &RunsArgs, run: &Entry, done: Result<(), String>) {
    let (path, action) = (
        run.path.display(),
        match (&done, args.dry_run) {
            (Err(_), _) => "kept",
            (Ok(()), true) => "would delete",
            (Ok(()), false) => "deleted",
        },
    );
    if args.json {
        return print_json(&json!({
            "path": run.path, "scenario": run.scenario, "verdict": run.verdict, "started_at": run.started_at,
            "action": action, "kept_because": done.err(),
        }));
    }
    match done {
        Ok(()) => out::line(format_args!("{action}  {path}  ({}, {})", run.verdict.name(), run.started_at)),
        Err(reason) => out::line(format_args!("{action}  {path}: {reason}")),
    }
}

/// Removes the folders between `path` and `root` that nothing is left in. The system refuses to remove any other.
fn drop_empty_parents(path: &Path, root: &Path, dry_run: bool) {
    for folder in path.ancestors().skip(1).take_while(|folder| *folder != root && folder.starts_with(root)) {
        if dry_run || fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

fn print_json(line: &impl Serialize) {
    match serde_json::to_string(line) {
        Ok(line) => out::line(line),
        Err(error) => out::tell_line(format_args!("error: cannot write a line as JSON: {error}")),
    }
}

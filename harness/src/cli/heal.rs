//! `firedrill heal`: undoes what killed drills have left.

use std::path::PathBuf;

use super::args::HealArgs;
use super::exit::{Failure, Status};
use super::out;
use super::redis::external;
use crate::heal::{Healed, Left, heal};
use crate::lab::journal::place;
use crate::lab::{LabError, remove_orphans};

/// Heals from every journal that is meant. Exit status 4 where something is left.
pub fn run(args: &HealArgs) -> Result<Status, Failure> {
    let url = match args.redis.as_deref() {
        None | Some("" | "managed") => None,
        Some(text) => Some(external(text, &args.trust)?),
    };
    let journals = match &args.journal {
        Some(path) if path.exists() => vec![path.clone()],
        Some(path) => return Err(Failure::File(format!("there is no journal {}", path.display()))),
        None => all()?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Environment(format!("cannot start a runtime: {error}")))?;
    let mut status = Status::Passed;
    let containers = if args.journal.is_none() { runtime.block_on(orphans()) } else { Vec::new() };
    for container in &containers {
        out::line(format_args!("container {container} of a killed drill removed"));
    }
    for path in &journals {
        match runtime.block_on(heal(path, url.as_ref())) {
            Ok(healed) => status = status.worse(told(&healed)),
            Err(error @ LabError::NoJournal { .. }) => return Err(Failure::File(error.to_string())),
            Err(error) => return Err(Failure::Environment(error.to_string())),
        }
    }
    if journals.is_empty() && containers.is_empty() {
        out::line("nothing to heal: no drill has left a journal");
    }
    Ok(status)
}

/// Removes the containers of killed drills. Where there is no engine there are none.
async fn orphans() -> Vec<String> {
    match remove_orphans().await {
        Ok(removed) => removed,
        Err(LabError::NoDocker { .. }) => Vec::new(),
        Err(error) => {
            out::tell_line(format_args!("warning: containers of killed drills may be left: {error}"));
            Vec::new()
        }
    }
}

fn all() -> Result<Vec<PathBuf>, Failure> {
    let found = place::folder().and_then(|folder| place::journals(&folder));
    found.map_err(|error| Failure::Environment(error.to_string()))
}

fn told(healed: &Healed) -> Status {
    let Healed { journal, drill, undone, left } = healed;
    out::line(format_args!("{drill} ({})", journal.display()));
    for line in undone {
        out::line(format_args!("  undone  {line}"));
    }
    match left {
        Left::Nothing => {
            out::line("  healed");
            return Status::Passed;
        }
        Left::Alive { pid: Some(pid) } => {
            out::line(format_args!("  left    its drill still runs (pid {pid}): end it first"))
        }
        Left::Alive { pid: None } => out::line("  left    its drill still runs: end it first"),
        Left::OtherRedis => out::line("  left    it is of another Redis"),
        Left::Undone(reasons) => reasons.iter().for_each(|reason| out::line(format_args!("  left    {reason}"))),
    }
    Status::Environment
}

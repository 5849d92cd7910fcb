//! `firedrill heal`: undoes the changes of killed drills.

use std::path::{Path, PathBuf};

use tokio::runtime::Runtime;

use super::args::HealArgs;
use super::exit::{Failure, Status};
use super::out;
use super::redis::external;
use crate::heal::{Healed, Left, heal, heal_redis, list, trusting};
use crate::lab::journal::{place, set_aside};
use crate::lab::{JournalError, LabError, Missing, RedisUrl, default_parent, remove_orphan_folders, remove_orphans};

/// Heals from every selected journal, from the records on the given Redis, and on this machine. Exit status 4 if
/// something could not be healed.
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
    let named = args.journal.is_some();
    // Read the journals' CAs now, before healing removes the journals.
    let url = url.map(|url| trusting(&url, &journals));
    let mut heal = Healing { args, url, runtime, status: Status::Passed, found: false };
    if !named {
        heal.this_machine();
    }
    for path in &journals {
        heal.journal(path, named)?;
    }
    if !named {
        heal.redis();
    }
    if !heal.found {
        out::line("nothing to heal: no drill has left a journal");
    }
    Ok(heal.status)
}

/// One run of the command.
struct Healing<'a> {
    args: &'a HealArgs,
    url: Option<RedisUrl>,
    runtime: Runtime,
    status: Status,
    /// Whether any journal or record was found.
    found: bool,
}

impl Healing<'_> {
    /// Whether to leave everything unchanged.
    fn dry(&self) -> bool {
        self.args.dry_run || self.args.list
    }

    /// Removes containers and folders of killed drills.
    fn this_machine(&mut self) {
        let dry = self.dry();
        let verb = if dry { "to remove" } else { "removed" };
        let folders = remove_orphan_folders(&default_parent(), dry);
        let containers = self.runtime.block_on(containers(dry));
        let folders = folders.iter().map(|folder| format!("folder {}", folder.display()));
        for what in containers.into_iter().map(|container| format!("container {container}")).chain(folders) {
            out::line(format_args!("{what} of a killed drill {verb}"));
        }
    }

    /// Heals one journal. An unreadable one is set aside, so that it does not block the next run; if it was `named`, it
    /// is the user's error.
    fn journal(&mut self, path: &Path, named: bool) -> Result<(), Failure> {
        self.found = true;
        let done = match self.args.list {
            true => list(path).map(|lines| {
                out::line(path.display());
                lines.iter().for_each(|line| out::line(format_args!("  {line}")));
                Status::Passed
            }),
            false => self
                .runtime
                .block_on(heal(path, self.url.as_ref(), self.dry()))
                .map(|healed| print_healed(&healed, self.dry())),
        };
        let status = match done {
            Ok(status) => status,
            Err(error @ LabError::Journal(JournalError::NotAJournal { .. })) if named => {
                return Err(Failure::File(error.to_string()));
            }
            Err(error @ LabError::Journal(JournalError::NotAJournal { .. })) => self.damaged(path, &error),
            Err(error) => {
                out::line(format_args!("{}\n  left    {error}", path.display()));
                Status::Environment
            }
        };
        self.status = self.status.worse(status);
        Ok(())
    }

    fn damaged(&self, path: &Path, error: &LabError) -> Status {
        out::line(format_args!("{}\n  left    {error}", path.display()));
        if !self.dry() {
            match set_aside(path) {
                Ok(aside) => out::line(format_args!(
                    "  kept    as {}. If its drill ran with --redis URL: firedrill heal --redis URL undoes what is recorded there",
                    aside.display()
                )),
                Err(error) => out::line(format_args!("  left    {error}")),
            }
        }
        Status::Environment
    }

    /// Heals what drills on any machine have left on the given Redis.
    fn redis(&mut self) {
        let Some(url) = &self.url else { return };
        let status = match self.runtime.block_on(heal_redis(url, self.dry())) {
            Ok(None) => return,
            Ok(Some(healed)) => print_healed(&healed, self.dry()),
            Err(error) => {
                out::line(format_args!("{url}\n  left    {error}"));
                Status::Environment
            }
        };
        self.found = true;
        self.status = self.status.worse(status);
    }
}

/// Removes the containers of killed drills. Without an engine there are none.
async fn containers(dry: bool) -> Vec<String> {
    match remove_orphans(dry).await {
        Ok(removed) => removed,
        Err(LabError::Missing(Missing::NoDocker { .. })) => Vec::new(),
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

fn print_healed(healed: &Healed, dry: bool) -> Status {
    let Healed { journal, drill, undone, kept, doubtful, left } = healed;
    match journal {
        Some(journal) => out::line(format_args!("{drill} ({})", journal.display())),
        None => out::line(format_args!("{drill}, from its record on the Redis")),
    }
    let verb = if dry { "to undo" } else { "undone " };
    undone.iter().for_each(|line| out::line(format_args!("  {verb} {line}")));
    kept.iter().for_each(|line| out::line(format_args!("  kept    {line}")));
    doubtful.iter().for_each(|line| out::line(format_args!("  look at {line}")));
    match left {
        Left::Nothing if !doubtful.is_empty() => {}
        Left::Nothing => {
            out::line(if dry { "  can be healed" } else { "  healed" });
            return Status::Passed;
        }
        Left::Alive { who: Some(who) } => {
            out::line(format_args!("  left    its drill still runs ({who}): end it first"))
        }
        Left::Alive { who: None } => out::line("  left    its drill still runs: end it first"),
        Left::OtherRedis => out::line("  left    it belongs to another Redis"),
        Left::Undone(reasons) => reasons.iter().for_each(|reason| out::line(format_args!("  left    {reason}"))),
    }
    Status::Environment
}

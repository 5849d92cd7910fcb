//! `firedrill run`: drills one after the other, each with its report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use firedrill_reports::Run;
use firedrill_reports::run::Verdict;
use firedrill_reports::terminal;

use super::args::{Changes, RunArgs};
use super::exit::{Failure, Status, colour_on};
use super::out;
use super::progress::Progress;
use super::redis::external;
use super::signals;
use super::source::{read, source, tagged};
use crate::drill::{self, Observer, Options, RedisChoice};
use crate::load::StopToken;
use crate::plan::Plan;
use crate::proxy::RemoteOptions;
use crate::scenario::{Source, shipped};

/// Runs every scenario that the command line names. All are read before the first one starts: a typing error in the
/// last must not show after minutes.
pub fn run(args: &RunArgs) -> Result<Status, Failure> {
    let mut sources: Vec<Source> = args.scenarios.iter().map(|name| source(name)).collect::<Result<_, _>>()?;
    if !args.tags.is_empty() {
        sources.extend(tagged(&args.tags)?);
    }
    let (redis, toxiproxy, changes) = (redis(args)?, toxiproxy(args)?, args.changes()?);
    let mut plans: Vec<Arc<Plan>> = Vec::new();
    for source in &sources {
        let (scenario, seed) = read(source, &changes)?;
        if plans.iter().any(|plan| plan.scenario.name == scenario.name) {
            let name = &scenario.name;
            return Err(Failure::Usage(format!("two scenarios are called `{name}`: their runs would share a folder")));
        }
        let plan = Plan::of(scenario, seed).map_err(|error| Failure::Usage(format!("{}: {error}", source.name)))?;
        if let RedisChoice::External(url) = &redis {
            drill::fits_external(&plan, url).map_err(Failure::Drill)?;
        }
        plans.push(Arc::new(plan));
    }
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(folder_name(SystemTime::now())));
    let stop = StopToken::default();
    signals::watch(stop.clone(), "healing and writing the report")?;

    let mut status = Status::Passed;
    let mut runs: Vec<Run> = Vec::new();
    for (plan, source) in plans.iter().zip(&sources) {
        let dir = out.join(&plan.scenario.name);
        make_room(&dir)?;
        let options = Options {
            redis: redis.clone(),
            session_server: args.session_server.clone(),
            toxiproxy: toxiproxy.clone(),
            workers: args.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get())),
            replay: replay(source, plan.seed, &changes, args.redis != "managed"),
        };
        let progress = Arc::new(Progress::start(&plan.scenario.name));
        let observer: Arc<dyn Observer> = progress.clone();
        let done = drill::run(plan, &options, &dir, &observer, &stop);
        progress.finish();
        match done {
            Ok(run) => {
                let report = dir.join("report.html");
                print_run(&run, &report);
                status = status.worse(status_of(run.verdict));
                runs.push(run);
            }
            Err(error) => {
                let failure = Failure::Drill(error);
                status = status.worse(failure.status());
                failure.print();
                // Without a Redis, or with a wrong one, the next drill fares no better.
                break;
            }
        }
        if stop.is_stopped() {
            status = status.worse(Status::Interrupted);
            break;
        }
    }
    if runs.len() > 1 {
        out::print(format_args!("\n{}", terminal::summary(&runs, style())));
    }
    Ok(status)
}

/// Prints the verdict table of a run and where its report lies.
pub fn print_run(run: &Run, report: &Path) {
    out::print(terminal::drill(run, style()));
    out::line(format_args!("report  {}", report.display()));
}

fn style() -> terminal::Style {
    let width = console::Term::stdout().size_checked().map_or(100, |(_, columns)| columns);
    terminal::Style { colour: colour_on(&std::io::stdout()), width }
}

fn status_of(verdict: Verdict) -> Status {
    match verdict {
        Verdict::Passed => Status::Passed,
        Verdict::Failed => Status::Failed,
        Verdict::Inconclusive => Status::Inconclusive,
        Verdict::Interrupted => Status::Interrupted,
    }
}

fn redis(args: &RunArgs) -> Result<RedisChoice, Failure> {
    match args.redis.as_str() {
        "managed" => Ok(RedisChoice::Managed(args.redis_server.clone())),
        _ if args.lab.is_some() => Err(Failure::Usage(
            "--lab says where the drill's own Redis runs, --redis that it is another's: leave one out \
                 (FIREDRILL_REDIS counts as --redis)"
                .to_owned(),
        )),
        url => external(url, &args.trust).map(RedisChoice::External),
    }
}

fn toxiproxy(args: &RunArgs) -> Result<Option<RemoteOptions>, Failure> {
    let Some(text) = &args.toxiproxy else { return Ok(None) };
    let url = text.parse().map_err(|error| Failure::Usage(format!("--toxiproxy: {error}")))?;
    let (listen, upstream) = (args.toxiproxy_listen.clone(), args.toxiproxy_upstream.clone());
    Ok(Some(RemoteOptions { url, listen, upstream }))
}

/// `2026-11-20T19-04-05Z`: sorts by time, and is a file name everywhere.
fn folder_name(now: SystemTime) -> String {
    let text = firedrill_reports::text::rfc3339(now);
    format!("{}Z", text.split('.').next().unwrap_or(&text)).replace(':', "-")
}

/// Makes the folder of a run. A run that lies there already is kept beside it, under the next free number.
fn make_room(dir: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::File(format!("cannot write {}: {error}; choose another folder with --out", dir.display()))
    };
    if dir.exists() {
        let kept = (1u32..).map(|n| dir.with_extension(n.to_string())).find(|path| !path.exists());
        if let Some(kept) = kept {
            std::fs::rename(dir, kept).map_err(failed)?;
        }
    }
    std::fs::create_dir_all(dir).map_err(failed)
}

/// The command line that runs the same drill again. A URL may hold a password: it is left to the environment, and asked
/// for where it is not there, so that nobody drills another Redis unawares.
fn replay(source: &Source, seed: u64, changes: &Changes, external: bool) -> String {
    // A file may bear the name of a shipped scenario and say something else.
    let shipped = shipped().iter().map(|shipped| (shipped.name, shipped.source()));
    let name = shipped.into_iter().find(|(_, known)| known.name == source.name && known.text == source.text);
    let scenario = name.map_or(source.name.as_str(), |(name, _)| name);
    let mut words = vec!["firedrill run".to_owned(), quoted(scenario), format!("--seed {seed}")];
    words.extend(changes.sets.iter().map(|change| format!("--set {}", quoted(change.text()))));
    if external {
        words.insert(0, "FIREDRILL_REDIS=\"${FIREDRILL_REDIS:?the URL of the Redis}\"".to_owned());
    }
    words.join(" ")
}

/// As a POSIX shell must have it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replay_line_is_quoted_for_a_shell() {
        assert_eq!(quoted("store.policy=degrade"), "store.policy=degrade");
        assert_eq!(quoted("gates.\"recovery\"=<= 1s"), "'gates.\"recovery\"=<= 1s'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn the_replay_line_names_the_very_scenario_and_never_a_url() {
        let none = Changes { seed: None, sets: Vec::new() };
        let shipped = shipped()[0].source();
        assert_eq!(replay(&shipped, 7, &none, false), "firedrill run redis-outage --seed 7");
        let own = Source { text: format!("{}# mine\n", shipped.text), ..shipped };
        let changed = Changes { seed: None, sets: vec!["store.ttl=2s".parse().unwrap()] };
        assert_eq!(
            replay(&own, 7, &changed, true),
            "FIREDRILL_REDIS=\"${FIREDRILL_REDIS:?the URL of the Redis}\" \
             firedrill run redis-outage.toml --seed 7 --set store.ttl=2s"
        );
    }

    #[test]
    fn a_run_that_lies_there_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("redis-outage");
        make_room(&dir).unwrap();
        std::fs::write(dir.join("run.json"), "first").unwrap();
        make_room(&dir).unwrap();
        assert!(!dir.join("run.json").exists());
        assert_eq!(std::fs::read_to_string(folder.path().join("redis-outage.1/run.json")).unwrap(), "first");
    }

    #[test]
    fn folders_sort_by_time() {
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        assert_eq!(folder_name(at), "2001-09-09T01-46-40Z");
    }
}

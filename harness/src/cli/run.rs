//! `firedrill run`: runs drills, side by side if they allow it, each with its own report.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firedrill_reports::Run;
use firedrill_reports::run::Verdict;
use firedrill_reports::terminal;
use tokio_util::sync::CancellationToken;

use super::args::RunArgs;
use super::exit::{Failure, Status, colour_on};
use super::jobs::{Room, side_by_side};
use super::out;
use super::panics::Panics;
use super::progress::{Progress, Screen};
use super::redis::external;
use super::signals;
use super::source::{source, tagged};
use crate::drill::{self, Allowance, Drill, DrillReport, Planned, RedisChoice};
use crate::proxy::RemoteOptions;
use crate::scenario::Source;

/// Runs every scenario on the command line. All are parsed before the first one starts: a typo in the last one must not
/// surface only after minutes.
pub fn run(args: &RunArgs) -> Result<Status, Failure> {
    let mut sources: Vec<Source> = args.scenarios.iter().map(|name| source(name)).collect::<Result<_, _>>()?;
    if !args.tags.is_empty() {
        sources.extend(tagged(&args.tags)?);
    }
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(drill::folder_name()));
    let (redis, toxiproxy, changes, stop) = (redis(args)?, toxiproxy(args)?, args.changes()?, CancellationToken::new());
    let mut drills: Vec<Planned> = Vec::new();
    for source in sources {
        let drill = Drill::from_source(source)
            .redis_choice(redis.clone())
            .allowance(Allowance { server_faults: args.allow_server_faults.clone(), memory_share: args.memory_share })
            .session_server(args.session_server.clone())
            .toxiproxy(toxiproxy.clone())
            .workers(args.workers)
            .out(&out)
            .stop(stop.clone());
        let drill = changes.apply(drill).plan()?;
        let name = &drill.plan().scenario.name;
        if drills.iter().any(|other| other.plan().scenario.name == *name) {
            return Err(Failure::Usage(format!("two scenarios are called `{name}`: their runs would share a folder")));
        }
        drills.push(drill);
    }
    let panics = Panics::watch(stop.clone());
    signals::watch(stop.clone(), "healing and writing the report")?;

    let jobs = if args.redis == "managed" && toxiproxy.is_none() { args.jobs() } else { 1 };
    let mut drills: Vec<(usize, Planned)> = drills.into_iter().enumerate().collect();
    if jobs > 1 {
        // Longest first, so that the short ones fill the gaps.
        drills.sort_by_key(|(_, drill)| std::cmp::Reverse(drill.plan().load_length()));
    }
    let screen = Screen::default();
    let task = |(number, drill): (usize, Planned)| {
        let (room, screen) = (Room::of(drill.plan()), &screen);
        (room, move || (number, watched(drill, screen)))
    };

    let mut status = Status::Passed;
    let mut runs: Vec<(usize, Run)> = Vec::new();
    let begun = side_by_side(drills.into_iter().map(task).collect(), jobs, |(number, done)| {
        match done {
            Ok(done) => {
                screen.above(|| print_run(&done.run, &done.html()));
                status = status.worse(status_of(done.verdict()));
                runs.push((number, done.run));
            }
            Err(failure) => {
                status = status.worse(failure.status());
                screen.above(|| failure.print());
                // Without a usable Redis, the next drill would fare no better.
                return ControlFlow::Break(());
            }
        }
        if stop.is_cancelled() {
            status = status.worse(Status::Interrupted);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    if let Err(error) = begun {
        let failure = Failure::Environment(format!("cannot start a thread for a drill: {error}; raise ulimit -u"));
        status = status.worse(failure.status());
        failure.print();
    }
    if runs.len() > 1 {
        runs.sort_by_key(|(number, _)| *number);
        let runs: Vec<Run> = runs.into_iter().map(|(_, run)| run).collect();
        out::print(format_args!("\n{}", terminal::summary(&runs, style())));
    }
    // The panic says more than the early end it caused.
    panics.failure().map_or(Ok(status), Err)
}

/// Runs a drill, with a progress line on the screen.
fn watched(mut drill: Planned, screen: &Screen) -> Result<DrillReport, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Failure::Environment(format!("cannot start a runtime: {error}")))?;
    let progress = Arc::new(Progress::start(screen, &drill.plan().scenario.name));
    drill.observe(progress.clone());
    let done = runtime.block_on(drill.run());
    progress.finish();
    done.map_err(Failure::from)
}

/// Prints a run's verdict table and the path of its report.
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
            "--lab is for a Redis of the drill's own, --redis for a running one: leave one out (FIREDRILL_REDIS \
             counts as --redis)"
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

//! `firedrill run`: runs drills, side by side if they allow it, each with its own report.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firedrill_reports::Run;
use firedrill_reports::ci::{Drilled, Ended, Invocation};
use firedrill_reports::run::Verdict;
use tokio_util::sync::CancellationToken;

use super::args::RunArgs;
use super::baseline::Earlier;
use super::ci::{Outputs, Pipeline, Unwritten};
use super::exit::{Failure, Status};
use super::given::Given;
use super::jobs::{Room, side_by_side};
use super::panics::Panics;
use super::progress::Screen;
use super::redis::external;
use super::signals;
use super::source::{source, tagged};
use super::told::Told;
use super::watching::Watching;
use crate::drill::{self, Allowance, Drill, DrillReport, Observer, Planned, RedisChoice, Several};
use crate::proxy::RemoteOptions;
use crate::scenario::{Source, shipped_named};

/// Runs every scenario on the command line. All are parsed before the first one starts: a typo in the last one must not
/// surface only after minutes.
pub fn run(args: &RunArgs) -> Result<Status, Failure> {
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(drill::folder_name()));
    let (told, pipeline, stop) = (Told::of(&args.ci), Pipeline::here(), CancellationToken::new());
    let (given, mut drills) = plan(args, &pipeline, &out, &stop)?;
    let baseline = Earlier::read(&args.baseline)?;
    let outputs = Outputs::new(&args.ci, pipeline);
    let panics = Panics::watch(stop.clone());
    signals::watch(stop.clone(), "healing and writing the report")?;

    let watching = Watching::start(&args.watch, &mut drills, &out, &stop)?;
    let jobs = if args.redis == "managed" && args.toxiproxy.is_none() { args.jobs() } else { 1 };
    let mut drills: Vec<(usize, Planned)> = drills.into_iter().enumerate().collect();
    if jobs > 1 {
        // Longest first, so that the short ones fill the gaps.
        drills.sort_by_key(|(_, drill)| std::cmp::Reverse(drill.plan().load_length()));
    }
    let screen = Screen::default();
    let task = |(number, drill): (usize, Planned)| {
        let (room, screen, watching) = (Room::of(drill.plan()), &screen, &watching);
        (room, move || (number, watched(drill, told, screen, watching.observers(number))))
    };

    let mut status = Status::Passed;
    let mut ended: Vec<Option<Drilled>> = vec![None; given.len()];
    let begun = side_by_side(drills.into_iter().map(task).collect(), jobs, |(number, done)| {
        let failed = done.is_err();
        let (one, drilled) = match done {
            Ok(done) => {
                let (mut one, mut drilled) = (status_of(done.verdict()), judged(&given[number], done, &out));
                if let Some(baseline) = &baseline {
                    one = baseline.judge(&mut drilled, one, &out).unwrap_or_else(|failure| {
                        screen.above(|| failure.print());
                        one.worse(failure.status())
                    });
                }
                (one, drilled)
            }
            Err(failure) => {
                screen.above(|| failure.print());
                watching.not_run(number, &failure.text());
                (failure.status(), not_run(&given[number], failure.text(), failure.status()))
            }
        };
        status = status.worse(one);
        screen.above(|| told.ended(&drilled, &out));
        ended[number] = Some(drilled);
        if stop.is_cancelled() {
            status = status.worse(Status::Interrupted);
        }
        // Without a usable Redis, the next drill would fare no better.
        if failed || stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if let Err(error) = begun {
        let failure = Failure::Environment(format!("cannot start a thread for a drill: {error}; raise ulimit -u"));
        status = status.worse(failure.status());
        failure.print();
    }
    watching.finish();
    let invocation = Invocation {
        firedrill_version: env!("CARGO_PKG_VERSION").to_owned(),
        drills: given
            .iter()
            .zip(ended)
            .map(|(given, ended)| ended.unwrap_or_else(|| left_out(given, told, status, &out)))
            .collect(),
        exit_status: i32::from(status.code()),
        out,
    };
    let runs: Vec<_> = invocation.drills.iter().filter_map(Drilled::run).collect();
    told.all(runs.into_iter());
    told.compared(invocation.drills.iter());
    let (written, unwritten) = outputs.write(&invocation);
    told.outputs(&written, &outputs.annotations(&invocation, &given));
    for Unwritten { text, asked } in unwritten {
        let failure = Failure::Environment(text);
        failure.print();
        if asked {
            status = status.worse(failure.status());
        }
    }
    // The panic says more than the early end it caused.
    panics.failure().map_or(Ok(status), Err)
}

/// The scenarios of the command line, and a drill of each, ready to run.
fn plan(
    args: &RunArgs,
    pipeline: &Pipeline,
    out: &Path,
    stop: &CancellationToken,
) -> Result<(Vec<Given>, Vec<Planned>), Failure> {
    let here = std::env::current_dir().unwrap_or_default();
    let own = |name: &String| shipped_named(name).is_err().then(|| pipeline.in_repository(name, &here));
    let named = args.scenarios.iter().map(|name| Ok((source(name)?, own(name))));
    let mut sources: Vec<(Source, Option<String>)> = named.collect::<Result<_, Failure>>()?;
    if !args.tags.is_empty() {
        sources.extend(tagged(&args.tags)?.into_iter().map(|source| (source, None)));
    }
    let (redis, toxiproxy, changes) = (redis(args)?, toxiproxy(args)?, args.changes()?);
    let earlier = repeated(args, sources.len())?;
    let (mut given, mut drills): (Vec<Given>, Vec<Planned>) = (Vec::new(), Vec::new());
    for (source, file) in sources {
        let drill = Drill::from_source(source.clone())
            .redis_choice(redis.clone())
            .allowance(Allowance { server_faults: args.allow_server_faults.clone(), memory_share: args.memory_share })
            .session_server(args.session_server.clone())
            .toxiproxy(toxiproxy.clone())
            .workers(args.workers)
            .out(out)
            .stop(stop.clone());
        let drill = match &earlier {
            None => drill,
            Some((run, place)) => drill.repeat(run, place),
        };
        let mut drill = changes.apply(drill).plan()?;
        drill.started_by(std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()));
        let name = &drill.plan().scenario.name;
        if given.iter().any(|other| other.scenario == *name) {
            return Err(Failure::Usage(format!("two scenarios are called `{name}`: their runs would share a folder")));
        }
        given.push(Given { scenario: name.clone(), source, file });
        drills.push(drill);
    }
    Ok((given, drills))
}

/// The run whose faults are to come again, and where it is.
fn repeated(args: &RunArgs, scenarios: usize) -> Result<Option<(Run, &Path)>, Failure> {
    let Some(place) = args.watch.inject_as.as_deref() else { return Ok(None) };
    if scenarios != 1 {
        return Err(Failure::Usage("--inject-as is for one scenario: the run that it names is one of that".to_owned()));
    }
    let run = Run::load(place).map_err(|error| Failure::File(format!("--inject-as: {error}")))?;
    Ok(Some((run, place)))
}

/// Runs a drill and tells of it, to `others` too.
fn watched(
    mut drill: Planned,
    told: Told,
    screen: &Screen,
    others: Vec<Arc<dyn Observer>>,
) -> Result<DrillReport, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Failure::Environment(format!("cannot start a runtime: {error}")))?;
    let watch = told.begin(screen, drill.plan());
    drill.observe(Arc::new(Several(std::iter::once(watch.observer.clone()).chain(others).collect())));
    let done = runtime.block_on(drill.run());
    watch.finish();
    done.map_err(Failure::from)
}

fn judged(given: &Given, done: DrillReport, out: &Path) -> Drilled {
    let folder = done.dir.strip_prefix(out).map_or_else(|_| done.dir.clone(), Path::to_owned);
    let ended = Ended::Judged { run: Box::new(done.run), folder };
    Drilled { scenario: given.scenario.clone(), file: given.file.clone(), ended, baseline: None }
}

fn not_run(given: &Given, reason: String, status: Status) -> Drilled {
    let ended = Ended::NotRun { reason, exit_status: i32::from(status.code()) };
    Drilled { scenario: given.scenario.clone(), file: given.file.clone(), ended, baseline: None }
}

/// A scenario that did not start because the invocation ended early with `status`.
fn left_out(given: &Given, told: Told, status: Status, out: &Path) -> Drilled {
    let (reason, status) = match status {
        Status::Interrupted => ("a signal ended the command before this scenario started", Status::Interrupted),
        _ => ("another scenario could not run, so this one did not start", Status::Environment),
    };
    let drilled = not_run(given, reason.to_owned(), status);
    told.ended(&drilled, out);
    drilled
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

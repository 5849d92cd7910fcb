//! `firedrill selftest`: every planted defect in the drills that must catch it, and the sound store in the same drills.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::args::{SelftestArgs, jobs};
use super::exit::{Failure, Status};
use super::jobs::{Room, side_by_side};
use super::out;
use super::panics::Panics;
use super::signals;
use crate::drill::{self, Drill, DrillError, RedisChoice};
use crate::nearest::did_you_mean;
use crate::selftest::{Attempt, Ended, Judged, Matrix, Pairing, Record, RecordError, pairings};
use crate::targets::Defect;

/// How often an inconclusive drill is run again: what held it up is mostly gone by then.
const REPEATS: usize = 2;

/// Runs what is left to run, and prints the matrix.
pub fn run(args: &SelftestArgs) -> Result<Status, Failure> {
    let defects = defects(&args.defects)?;
    let (dir, mut record) = begin(args)?;
    let todo = left(&pairings(&defects, args.all_sound), &record);
    out::tell_line(format_args!("seeds   {}", seeds(&record)));
    out::tell_line(format_args!(
        "{} drills to run, {} done; record in {}",
        todo.len(),
        record.attempts.len(),
        dir.display()
    ));
    let stop = CancellationToken::new();
    let panics = Panics::watch(stop.clone());
    signals::watch(stop.clone(), "healing; --resume goes on with the self-test")?;

    let mut tasks = Vec::new();
    for (pairing, seed) in todo {
        let drills = Drills { pairing, seed, dir: dir.clone(), args, stop: stop.clone() };
        tasks.push((drills.room()?, move || drills.run()));
    }
    let (all, mut ended, mut status) = (tasks.len(), 0, Status::Passed);
    let begun = side_by_side(tasks, jobs(args.jobs), |done: Result<Option<Attempt>, DrillError>| {
        let added = done.map_err(Failure::from).and_then(|attempt| match attempt {
            Some(attempt) => {
                ended += 1;
                out::tell_line(format_args!("[{ended}/{all}] {}", line(&attempt)));
                record.add(attempt);
                record.save(&dir).map_err(failure)
            }
            None => Ok(()),
        });
        if let Err(failure) = added {
            failure.print();
            status = status.worse(failure.status());
            return ControlFlow::Break(());
        }
        if stop.is_cancelled() {
            status = status.worse(Status::Interrupted);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    if let Err(error) = begun {
        return Err(Failure::Environment(format!("cannot start a thread for a drill: {error}; raise ulimit -u")));
    }
    let matrix = Matrix::of(&record);
    show(&matrix, args.markdown);
    panics.failure().map_or(Ok(status.worse(status_of(&matrix))), Err)
}

/// The defects of these names; all of them without names.
fn defects(names: &[String]) -> Result<Vec<Defect>, Failure> {
    let known = Defect::names();
    let find = |name: &str| {
        let unknown = || {
            let instead = did_you_mean(name, &known).unwrap_or_else(|| format!("there are {}", known.join(", ")));
            Failure::Usage(format!("there is no defect `{name}`: {instead}"))
        };
        Defect::find(name).ok_or_else(unknown)
    };
    match names.is_empty() {
        true => known.iter().map(|name| find(name)).collect(),
        false => names.iter().map(|name| find(name)).collect(),
    }
}

/// The folder of the self-test, and its record: a new one, or the one to go on with.
fn begin(args: &SelftestArgs) -> Result<(PathBuf, Record), Failure> {
    if let Some(path) = &args.resume {
        let record = Record::load(path).map_err(failure)?;
        let dir = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(Path::new(".")) };
        return Ok((dir.to_owned(), record));
    }
    let fresh = std::iter::repeat_with(|| u64::from(rand::random::<u32>()));
    let seeds = std::iter::once(args.seed).chain(fresh).take(usize::from(args.seeds)).collect();
    let dir = args.out.clone();
    let dir = dir.unwrap_or_else(|| PathBuf::from("runs").join(format!("selftest-{}", drill::folder_name())));
    Ok((dir, Record::begin(seeds)))
}

/// What there is no conclusive attempt of yet: all pairings at the first seed, then at the next.
fn left(pairings: &[Pairing], record: &Record) -> Vec<(Pairing, u64)> {
    let at = |seed: &u64| pairings.iter().map(|pairing| (pairing.clone(), *seed)).collect::<Vec<_>>();
    record.seeds.iter().flat_map(at).filter(|(pairing, seed)| !record.has(pairing, *seed)).collect()
}

/// A store in a setting, at a seed.
struct Drills<'a> {
    pairing: Pairing,
    seed: u64,
    dir: PathBuf,
    args: &'a SelftestArgs,
    stop: CancellationToken,
}

impl Drills<'_> {
    fn drill(&self) -> Result<Drill, DrillError> {
        let drill = self.pairing.drill(self.seed, &self.folder())?;
        let redis = RedisChoice::Managed(self.args.redis_server.clone());
        let drill = drill.redis_choice(redis).session_server(self.args.session_server.clone());
        Ok(drill.stop(self.stop.clone()))
    }

    /// Its own: drills of one scenario run side by side.
    fn folder(&self) -> PathBuf {
        let changes = self.pairing.setting.changes.join("-");
        let changes: String = changes.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        self.dir.join(self.pairing.store()).join(format!("{}-{}{changes}", self.seed, self.pairing.setting.scenario))
    }

    fn room(&self) -> Result<Room, Failure> {
        Ok(Room::of(self.drill()?.plan()?.plan()))
    }

    /// Runs it, again while it is inconclusive. Only the reports of drills that did not end as they must are kept.
    fn run(&self) -> Result<Option<Attempt>, DrillError> {
        let begun = Instant::now();
        let mut repeats = 0..REPEATS;
        loop {
            let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(DrillError::Runtime)?;
            let report = runtime.block_on(self.drill()?.run())?;
            let seconds = begun.elapsed().as_secs_f64();
            let attempt = Attempt::of(self.pairing.clone(), self.seed, &report.run, seconds);
            let unclear = attempt.as_ref().is_some_and(|attempt| attempt.ended == Ended::Inconclusive);
            if unclear && repeats.next().is_some() {
                continue;
            }
            if attempt.as_ref().is_some_and(|attempt| matches!(attempt.judged(), Judged::Caught | Judged::Sound)) {
                // What stays there costs space and nothing else.
                let _ = fs::remove_dir_all(self.folder());
            }
            return Ok(attempt);
        }
    }
}

fn line(attempt: &Attempt) -> String {
    let word = match attempt.judged() {
        Judged::Caught => "caught",
        Judged::Missed => "missed",
        Judged::Sound => "passed",
        Judged::Accused => "ACCUSED",
        Judged::Unknown => "inconclusive",
    };
    let why = match attempt.judged() {
        Judged::Unknown => attempt.reasons.join("; "),
        _ => attempt.failed.join(", "),
    };
    let (store, setting, seed) = (attempt.pairing.store(), &attempt.pairing.setting, attempt.seed);
    format!("{word}  {store} in {setting}, seed {seed}, {:.0} s  {why}", attempt.seconds)
}

fn seeds(record: &Record) -> String {
    record.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

fn show(matrix: &Matrix, markdown: bool) {
    match markdown {
        true => out::print(matrix.markdown()),
        false => out::print(matrix),
    }
    if matrix.unknown() > 0 {
        out::tell_line(format_args!("{} drills were inconclusive: --resume runs them again", matrix.unknown()));
    }
}

fn status_of(matrix: &Matrix) -> Status {
    match (matrix.holds(), matrix.unknown()) {
        (false, _) => Status::Failed,
        (true, 0) => Status::Passed,
        (true, _) => Status::Inconclusive,
    }
}

fn failure(error: RecordError) -> Failure {
    Failure::File(error.to_string())
}

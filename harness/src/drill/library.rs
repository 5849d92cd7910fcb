//! Drills from your own test or program.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use firedrill_reports::Run;
use tokio_util::sync::CancellationToken;

use super::done::DrillReport;
use super::error::DrillError;
use super::fitness::{fits_external, has_variables, leave_out};
use super::observer::{Observer, Silent};
use super::order::{Order, RedisChoice};
use super::protection::Allowance;
use super::repeat::Repeat;
use super::replay::{self, Flags};
use super::run;
use super::walk::{Walked, walk};
use crate::fault::{ByHand, Cue};
use crate::plan::Plan;
use crate::proxy::RemoteOptions;
use crate::scenario::{Override, ScenarioError, Source, parse_with, shipped_named};
use crate::target::fact;
use crate::targets::{Factory, IntoTarget, TargetKind};

/// A drill to run: a scenario and how to run it. Every setting has a default.
///
/// ```no_run
/// # use firedrill::{Drill, DrillError};
/// # async fn example() -> Result<(), DrillError> {
/// Drill::shipped("redis-outage").set("store.policy", "drain").run().await?.assert_passed();
/// # Ok(())
/// # }
/// ```
///
/// By default, the drill starts its own Redis (the `redis-server` on the PATH) with a fault proxy in front of it, runs
/// on its own threads, whatever runtime awaits it, and leaves its report in a folder.
#[derive(Clone)]
pub struct Drill {
    source: From,
    changes: Vec<Pending>,
    seed: Option<u64>,
    redis: Redis,
    allowance: Allowance,
    target: Option<(TargetKind, Arc<dyn Factory>)>,
    session_server: Option<PathBuf>,
    toxiproxy: Option<RemoteOptions>,
    workers: Option<usize>,
    out: Option<PathBuf>,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
    repeat: Option<Repeat>,
}

#[derive(Clone)]
enum From {
    Shipped(String),
    File(PathBuf),
    Source(Source),
}

/// A change of the scenario.
#[derive(Clone)]
enum Pending {
    Set(String),
    App(PathBuf),
    Read(Override),
}

impl Pending {
    fn read(&self) -> Result<Override, ScenarioError> {
        match self {
            Pending::Set(text) => text.parse(),
            Pending::App(path) => Override::application(path),
            Pending::Read(change) => Ok(change.clone()),
        }
    }
}

#[derive(Clone)]
enum Redis {
    Url(String),
    Choice(RedisChoice),
}

impl Drill {
    fn from(source: From) -> Self {
        Self {
            source,
            changes: Vec::new(),
            seed: None,
            redis: Redis::Choice(RedisChoice::Managed(None)),
            allowance: Allowance::default(),
            target: None,
            session_server: None,
            toxiproxy: None,
            workers: None,
            out: None,
            observer: Arc::new(Silent),
            stop: CancellationToken::new(),
            repeat: None,
        }
    }

    /// The shipped scenario called `name` (`firedrill list` shows them all).
    pub fn shipped(name: &str) -> Self {
        Self::from(From::Shipped(name.to_owned()))
    }

    /// The scenario in this file.
    pub fn from_file(path: impl AsRef<Path>) -> Self {
        Self::from(From::File(path.as_ref().to_owned()))
    }

    /// The scenario in this TOML text.
    pub fn from_toml(text: &str) -> Self {
        Self::from_source(Source { name: "scenario.toml".to_owned(), text: text.to_owned() })
    }

    /// The scenario in this source; errors show its name.
    pub fn from_source(source: Source) -> Self {
        Self::from(From::Source(source))
    }

    /// Sets the seed of all randomness. Default: the scenario's, else a fresh one, which the report shows.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Changes a key of the scenario: `.set("store.policy", "drain")`, `.set("load.0.rate", "500/s")`.
    pub fn set(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.changes.push(Pending::Set(format!("{key}={value}")));
        self
    }

    /// Drills the application that this file describes in `[app]` and `[op]`, in place of the scenario's own: for the shipped
    /// scenarios for any application, such as `app-outage`.
    pub fn app(mut self, file: impl AsRef<Path>) -> Self {
        self.changes.push(Pending::App(file.as_ref().to_owned()));
        self
    }

    /// Like [`Drill::set`] and [`Drill::app`], with a change that has already been read.
    pub fn change(mut self, change: &Override) -> Self {
        self.changes.push(Pending::Read(change.clone()));
        self
    }

    /// Drives this instead of the scenario's target: a [`Target`](crate::Target), or a function that builds one once
    /// the drill has its Redis:
    ///
    /// ```no_run
    /// # use firedrill::{Drill, DrillError, Target};
    /// # async fn example<T: Target>(connect: fn(String) -> Result<T, std::io::Error>) -> Result<(), DrillError> {
    /// let drill = Drill::shipped("redis-outage").target(move |site: firedrill::Site| async move {
    ///     connect(site.redis_url().to_owned())
    /// });
    /// # drill.run().await?; Ok(()) }
    /// ```
    ///
    /// Only a URL from the site leads through the fault proxy. The function is called again for the final reads, so
    /// that they see what reached Redis and nothing that the first target remembers; a plain value is read through as
    /// it is.
    ///
    /// For a *shipped* scenario, gates and situations on what the target does not report
    /// ([`Target::ABILITIES`](crate::Target::ABILITIES)) are left out, and the report lists them; in your own scenario
    /// they are errors.
    pub fn target<Form>(mut self, target: impl IntoTarget<Form>) -> Self {
        fn both<Form, T: IntoTarget<Form>>(target: T) -> (TargetKind, Arc<dyn Factory>) {
            (T::kind(), target.into_factory())
        }
        self.target = Some(both(target));
        self
    }

    /// Runs on the existing Redis at this URL and touches only keys under the drill's own random prefix. Default: the
    /// drill starts its own `redis-server`.
    pub fn redis(mut self, url: &str) -> Self {
        self.redis = Redis::Url(url.to_owned());
        self
    }

    /// Like [`Drill::redis`], with a choice that has already been made.
    pub fn redis_choice(mut self, choice: RedisChoice) -> Self {
        self.redis = Redis::Choice(choice);
        self
    }

    /// What the drill may do to a shared Redis. Default: nothing that other clients would notice.
    pub fn allowance(mut self, allowance: Allowance) -> Self {
        self.allowance = allowance;
        self
    }

    /// The `session-server` binary, for a scenario that drives the application.
    pub fn session_server(mut self, path: Option<PathBuf>) -> Self {
        self.session_server = path;
        self
    }

    /// Sends network faults through a Toxiproxy server instead of the embedded proxy.
    pub fn toxiproxy(mut self, remote: Option<RemoteOptions>) -> Self {
        self.toxiproxy = remote;
        self
    }

    /// The number of threads that generate load. Default: one per core.
    pub fn workers(mut self, workers: impl Into<Option<usize>>) -> Self {
        self.workers = workers.into();
        self
    }

    /// The parent folder of the run's folder, `dir/<scenario>`. An earlier run there is kept next to it. Default: a
    /// fresh folder under `runs` in the current folder.
    pub fn out(mut self, dir: impl AsRef<Path>) -> Self {
        self.out = Some(dir.as_ref().to_owned());
        self
    }

    /// The observer of the run. Default: none.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// Cancelling it ends the drill early: active faults are healed, and the report says so.
    pub fn stop(mut self, stop: CancellationToken) -> Self {
        self.stop = stop;
        self
    }

    /// Starts and ends the faults when a person did in `run`, which is saved at `place`; no longer when the scenario says.
    pub fn repeat(mut self, run: &Run, place: impl AsRef<Path>) -> Self {
        self.repeat = Some(Repeat::of(run, place.as_ref()));
        self
    }

    /// Reads and validates the scenario and derives the whole plan, without acting on it yet.
    ///
    /// # Errors
    /// The scenario cannot be read, is invalid, or cannot run on this Redis or this target.
    pub fn plan(self) -> Result<Planned, DrillError> {
        let source = self.source()?;
        let sets: Vec<Override> = self.changes.iter().map(Pending::read).collect::<Result<_, _>>()?;
        let redis = match &self.redis {
            Redis::Url(url) => RedisChoice::External(url.parse()?),
            Redis::Choice(choice) => choice.clone(),
        };
        let mut left_out = Vec::new();
        let described = source.is_for_any_application() && sets.iter().any(Override::is_application);
        let scenario = parse_with(&source, &sets, |scenario| {
            if let Some((kind, _)) = &self.target {
                scenario.target.kind = *kind;
            }
            // A shipped scenario asks its own target for more than another one may report.
            if described || (self.target.is_some() && matches!(self.source, From::Shipped(_))) {
                left_out = leave_out(scenario);
            }
        })?;
        // 32 bits are enough to distinguish drills, and short enough to read out loud.
        let seed = self.seed.or(scenario.seed).unwrap_or_else(|| u64::from(rand::random::<u32>()));
        let mut plan = Plan::of(scenario, seed).map_err(|error| DrillError::Plan(source.name.clone(), error))?;
        if let Some(description) = plan.scenario.description() {
            has_variables(&description)?;
        }
        if let Some(repeat) = &self.repeat {
            (plan.timeline, plan.cue) = (repeat.timeline(&plan)?, Cue::Repeated);
        }
        if let RedisChoice::External(url) = &redis {
            fits_external(&plan, url)?;
        }
        let flags = Flags {
            source: &source,
            seed,
            sets: &sets,
            redis: &redis,
            allowance: &self.allowance,
            session_server: self.session_server.as_deref(),
            toxiproxy: self.toxiproxy.as_ref(),
            workers: self.workers,
            inject_as: self.repeat.as_ref().map(Repeat::place),
        };
        let replay = if self.target.is_some() { replay::code(&flags) } else { replay::command(&flags) };
        let remarks = match left_out.is_empty() {
            true => Vec::new(),
            false => vec![fact("left out", format!("{} (the target does not report it)", left_out.join(", ")))],
        };
        let out = self.out.unwrap_or_else(|| Path::new("runs").join(format!("{}-{:06x}", folder_name(), fresh())));
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        Ok(Planned(Order {
            dir: out.join(&plan.scenario.name),
            plan: Arc::new(plan),
            redis,
            allowance: self.allowance,
            target: self.target.map(|(_, factory)| factory),
            session_server: self.session_server,
            toxiproxy: self.toxiproxy,
            workers: self.workers.unwrap_or(cores),
            replay,
            remarks,
            observer: self.observer,
            by_hand: None,
            stop: self.stop,
        }))
    }

    /// Runs the drill and judges it.
    ///
    /// # Errors
    /// [`DrillError`] if there is nothing to judge: no such scenario, no Redis, no disk. A target that fails is a verdict,
    /// not an error.
    pub async fn run(self) -> Result<DrillReport, DrillError> {
        self.plan()?.run().await
    }

    fn source(&self) -> Result<Source, DrillError> {
        match &self.source {
            From::Source(source) => Ok(source.clone()),
            From::File(path) => Ok(Source::read(&path.to_string_lossy())?),
            From::Shipped(name) => Ok(shipped_named(name)?.source()),
        }
    }
}

/// A drill that is ready to run: its scenario is valid and its plan is made.
pub struct Planned(pub(super) Order);

impl Planned {
    /// Everything the drill will do.
    pub fn plan(&self) -> &Plan {
        &self.0.plan
    }

    /// The Redis to use.
    pub fn redis(&self) -> &RedisChoice {
        &self.0.redis
    }

    /// The folder of the run.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Leaves it to the returned switches when the faults begin and end. The run can be repeated, with the same faults at the
    /// same times.
    pub fn by_hand(&mut self) -> ByHand {
        let by_hand = ByHand::of(self.0.plan.faults.len());
        Arc::make_mut(&mut self.0.plan).cue = Cue::Hand;
        self.0.replay.push_str(&replay::inject_as(&self.0.dir));
        self.0.by_hand = Some(by_hand.clone());
        by_hand
    }

    /// Sets the observer of the run.
    pub fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.0.observer = observer;
    }

    /// Runs the drill and judges it.
    ///
    /// # Errors
    /// Same as [`Drill::run`].
    pub async fn run(self) -> Result<DrillReport, DrillError> {
        make_room(&self.0.dir)?;
        let dir = self.0.dir.clone();
        Ok(DrillReport { run: run(self.0).await?, dir })
    }

    /// Walks one session through its operations instead, without load, faults and record; `None` without an `[app]`.
    ///
    /// # Errors
    /// As [`Drill::run`].
    pub async fn walk(self) -> Result<Option<Walked>, DrillError> {
        let failed = |source| DrillError::Write { path: std::env::temp_dir(), source };
        let folder = tempfile::tempdir().map_err(failed)?;
        walk(Order { dir: folder.path().to_owned(), ..self.0 }).await
    }
}

/// Creates the folder of a run. An earlier run there is kept next to it, under the next free number.
pub(super) fn make_room(dir: &Path) -> Result<(), DrillError> {
    let failed = |source: std::io::Error| DrillError::Write { path: dir.to_owned(), source };
    if dir.exists() {
        let kept = (1u32..).map(|n| dir.with_extension(n.to_string())).find(|path| !path.exists());
        if let Some(kept) = kept {
            std::fs::rename(dir, kept).map_err(failed)?;
        }
    }
    std::fs::create_dir_all(dir).map_err(failed)
}

/// The name of a folder for runs that begin now, `2026-11-20T19-04-05Z`: it sorts by time and is a valid file name
/// everywhere.
pub fn folder_name() -> String {
    folder_name_at(SystemTime::now())
}

fn folder_name_at(now: SystemTime) -> String {
    let text = firedrill_reports::text::rfc3339(now);
    format!("{}Z", text.split('.').next().unwrap_or(&text)).replace(':', "-")
}

/// Distinguishes runs that start in the same second.
fn fresh() -> u32 {
    rand::random::<u32>() >> 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_there_is_kept() {
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
        assert_eq!(folder_name_at(at), "2001-09-09T01-46-40Z");
    }

    #[test]
    fn what_cannot_be_run_is_refused_before_anything_starts() {
        let error = |drill: Drill| match drill.plan() {
            Err(error) => (error.is_usage(), error.to_string()),
            Ok(_) => panic!("it was planned"),
        };
        let (usage, message) = error(Drill::shipped("redis-outrage"));
        assert!(usage && message.starts_with("there is no scenario `redis-outrage`"), "{message}");
        let (usage, message) = error(Drill::shipped("redis-outage").set("store.polcy", "drain"));
        assert!(usage && message.contains("unknown field `polcy`"), "{message}");
        let (usage, message) = error(Drill::shipped("redis-stopped").redis("redis://127.0.0.1:1"));
        assert!(usage && message.contains("process.stop"), "{message}");
    }
}

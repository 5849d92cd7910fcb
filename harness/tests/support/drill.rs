//! Runs the `firedrill` command as a user would, and reads what it leaves behind.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use firedrill_reports::Run;
use firedrill_reports::run::Gate;
use tempfile::TempDir;

/// How often a drill is repeated after a busy machine held it up.
const REPEATS: usize = 2;
/// How long the machine may take to calm down before that.
const CALM_WITHIN: Duration = Duration::from_secs(15);

/// How much of the machine a drill needs. Drills mostly wait, and their gates have enough margin for four of the light
/// ones at a time, however many cores there are; suites whose drills wait even more set [`PLACES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Places {
    /// A few hundred operations per second on one server.
    OneServer,
    /// 400 operations per second and more.
    Busy,
    /// A group of servers: up to nine processes.
    Group,
    /// It measures precisely: nothing may run next to it.
    Machine,
}

/// Changes that let a machine bear a shipped scenario besides everything else, where its load is not the point.
pub const LIGHT: [&str; 4] = ["--set", "load.rate=100/s", "--set", "load.payload=5KB"];

/// The variable that has the number of places on the machine for a suite.
const PLACES: &str = "FIREDRILL_TEST_PLACES";

/// The number of places on the machine.
static ALL: LazyLock<usize> = LazyLock::new(|| match std::env::var(PLACES) {
    Ok(number) => number.parse().unwrap_or_else(|error| panic!("{PLACES}={number}: {error}")),
    Err(_) => 12,
});

impl Places {
    fn count(self) -> usize {
        match self {
            Places::OneServer => 3,
            Places::Busy => 4,
            Places::Group => 6,
            Places::Machine => *ALL,
        }
    }
}

struct Machine {
    taken: usize,
    /// The number whose turn it is, and the next number to hand out: nobody overtakes a drill that needs many places.
    turn: usize,
    next: usize,
}

static MACHINE: Mutex<Machine> = Mutex::new(Machine { taken: 0, turn: 0, next: 0 });
static CHANGED: Condvar = Condvar::new();

/// Places on the machine, until dropped.
pub struct Held(usize);

impl Held {
    fn take(places: Places) -> Self {
        let count = places.count();
        let mut machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        let number = machine.next;
        machine.next += 1;
        while machine.turn != number || machine.taken + count > *ALL {
            machine = CHANGED.wait(machine).unwrap_or_else(PoisonError::into_inner);
        }
        machine.turn += 1;
        machine.taken += count;
        CHANGED.notify_all();
        Self(count)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        MACHINE.lock().unwrap_or_else(PoisonError::into_inner).taken -= self.0;
        CHANGED.notify_all();
    }
}

/// A drill that has ended.
pub struct FinishedDrill {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
    pub folder: TempDir,
    scenario: String,
}

impl FinishedDrill {
    /// The folder of the run.
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join(&self.scenario)
    }

    /// Its record.
    pub fn run(&self) -> Run {
        Run::load(&self.dir()).unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.stdout, self.stderr))
    }

    /// One checker's verdict in `run.json`.
    pub fn check(&self, name: &str) -> String {
        let run = self.run();
        let check = run.checks.iter().find(|check| check.name == name);
        check.map_or_else(|| format!("no check {name}"), |check| check.verdict.name().to_owned())
    }

    /// Fails with the drill's whole output unless the exit status is `expected`.
    pub fn expect(self, expected: i32) -> Self {
        self.must_end_with(expected);
        self
    }

    /// Like [`FinishedDrill::expect`], for a drill that is still needed.
    pub fn must_end_with(&self, expected: i32) {
        let held_up = if self.was_held_up() { " (the machine held it up, again and again)" } else { "" };
        assert_eq!(self.status, expected, "exit status{held_up}\n{}\n{}", self.stdout, self.stderr);
    }

    /// From the moment when the target was steady again to the end of the load, in milliseconds.
    fn steady_ms(&self) -> Option<f64> {
        let run = Run::load(&self.dir()).ok()?;
        let end = run.phases.iter().map(|phase| phase.figures.to_ms).reduce(f64::max)?;
        Some(end - run.recovered_at_ms?)
    }

    /// Whether the drill was inconclusive and run.json says that the machine held up the generator or the target. A
    /// failed drill has failed, whatever the machine did.
    fn was_held_up(&self) -> bool {
        const INCONCLUSIVE: i32 = 3;
        let stalled = |gate: &Gate| gate.note.starts_with("the machine stalled");
        let held_up = |run: Run| run.generator.saturated || run.gates.iter().any(stalled);
        self.status == INCONCLUSIVE && Run::load(&self.dir()).is_ok_and(held_up)
    }
}

/// Waits for the whole machine; hold it during precise measurements.
pub fn machine() -> Held {
    Held::take(Places::Machine)
}

/// Waits until there is room for one server and its drill; hold it while they run.
pub fn room_for_one() -> Held {
    Held::take(Places::OneServer)
}

/// Waits until there is room for a group of servers; hold it while they run.
pub fn room_for_a_group() -> Held {
    Held::take(Places::Group)
}

/// The command, without settings from the environment.
pub fn firedrill() -> Command {
    without_settings(Command::new(env!("CARGO_BIN_EXE_firedrill")))
}

/// A program that starts the command, without settings from the environment.
pub fn without_settings(mut command: Command) -> Command {
    // Nor those of a pipeline that runs these tests: its summary is not about their drills.
    let pipeline = ["CI", "CI_PROJECT_DIR", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"];
    for name in ["FIREDRILL_REDIS", "RUST_LOG"].into_iter().chain(pipeline) {
        command.env_remove(name);
    }
    // Leftovers of other runs on a Redis with the same port must not affect these.
    let state = format!("{}/state-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    command.env("FIREDRILL_STATE", state);
    command
}

/// Runs one scenario, shipped or from a file, to its end, once there is room for it.
pub fn run(places: Places, scenario: &str, arguments: &[&str]) -> FinishedDrill {
    let _held = Held::take(places);
    drill_beside(scenario, arguments)
}

/// The same without repeats, for a drill that should be inconclusive.
pub fn run_once(places: Places, scenario: &str, arguments: &[&str]) -> FinishedDrill {
    let _held = Held::take(places);
    drill_once(scenario, arguments)
}

/// Runs one scenario on one server.
pub fn drill(scenario: &str, arguments: &[&str]) -> FinishedDrill {
    run(Places::OneServer, scenario, arguments)
}

/// Writes a scenario to a file and runs it.
pub fn drill_text(text: &str, arguments: &[&str]) -> FinishedDrill {
    let (_folder, file) = written(text);
    drill(&file, arguments)
}

/// Runs one scenario, whatever else this machine is doing, and repeats it if it was inconclusive because the machine
/// held it up.
pub fn drill_beside(scenario: &str, arguments: &[&str]) -> FinishedDrill {
    unless_held_up(scenario, || drill_once(scenario, arguments))
}

/// Runs `drill`, which is one of `scenario`, and repeats it if it was inconclusive because the machine held it up.
pub fn unless_held_up(scenario: &str, drill: impl Fn() -> FinishedDrill) -> FinishedDrill {
    for _ in 0..REPEATS {
        let drilled = drill();
        if !drilled.was_held_up() {
            record("done", &drilled);
            return drilled;
        }
        record("again", &drilled);
        eprintln!("{scenario}: the machine held the drill up, so once more\n{}", drilled.stdout);
        wait_for_calm();
    }
    let drilled = drill();
    record(if drilled.was_held_up() { "saturated" } else { "done" }, &drilled);
    drilled
}

/// Records how a drill ended, if `scripts/test.sh` asks for it, and how many milliseconds its load went on once the target
/// was steady again.
fn record(end: &str, drilled: &FinishedDrill) {
    let Some(path) = std::env::var_os("FIREDRILL_TEST_DRILLS") else { return };
    let after = drilled.steady_ms().map_or_else(String::new, |ms| format!("{ms:.0}"));
    let line = format!("{end}\t{}\t{after}\n", drilled.scenario);
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    std::io::Write::write_all(&mut file.unwrap(), line.as_bytes()).unwrap();
}

/// Waits until this machine keeps time again for a few seconds, but not forever: its neighbours may hold it up for
/// long.
fn wait_for_calm() {
    const NAP: Duration = Duration::from_millis(20);
    let until = Instant::now() + CALM_WITHIN;
    let nap = |_| {
        let begun = Instant::now();
        std::thread::sleep(NAP);
        begun.elapsed()
    };
    while Instant::now() < until && (0..150).map(nap).any(|slept| slept > 5 * NAP) {}
}

fn drill_once(scenario: &str, arguments: &[&str]) -> FinishedDrill {
    drill_by(firedrill(), scenario, arguments)
}

/// Runs one scenario once, by this command.
pub fn drill_by(mut command: Command, scenario: &str, arguments: &[&str]) -> FinishedDrill {
    let folder = tempfile::tempdir().unwrap();
    let output = command.args(["run", scenario, "--out"]).arg(folder.path()).args(arguments).output().unwrap();
    let scenario = Path::new(scenario).file_stem().unwrap().to_str().unwrap().to_owned();
    finished(output, folder, scenario)
}

/// Like [`drill_beside`], for a scenario given as text.
pub fn drill_text_beside(text: &str, arguments: &[&str]) -> FinishedDrill {
    let (_folder, file) = written(text);
    drill_beside(&file, arguments)
}

/// Writes a scenario to a file of its name, which is removed with the folder.
pub fn written(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let table: Option<toml::Table> = text.parse().ok();
    let name = table.as_ref().and_then(|table| table.get("name")?.as_str()).unwrap_or("drilled");
    let file = folder.path().join(format!("{name}.toml"));
    std::fs::write(&file, text).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (folder, name)
}

fn finished(output: Output, folder: TempDir, scenario: String) -> FinishedDrill {
    FinishedDrill {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        folder,
        scenario,
    }
}

/// Starts a drill and leaves it running.
pub fn start(scenario: &str, out: &Path) -> Child {
    firedrill().args(["run", scenario, "--out"]).arg(out).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

//! Runs the `firedrill` command as a user would, and reads what it leaves behind.
#![allow(dead_code)] // each test binary uses its part

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use firedrill_reports::Run;
use tempfile::TempDir;

/// Room for three drills at a time: they mostly wait, and what their gates measure is wide enough for that. One with a group
/// of servers starts up to nine processes, and there is room for two of those.
const PLACES: usize = 6;
/// The places of a drill with one server.
const ONE_SERVER: usize = 2;
/// The places of a drill with a group of servers.
const GROUP: usize = 3;

/// How often a drill is run whose generator a busy machine holds up.
const ATTEMPTS: usize = 10;
/// How long it is waited before, at most.
const CALM_WITHIN: Duration = Duration::from_secs(60);

/// The places that are free.
static MACHINE: Mutex<usize> = Mutex::new(PLACES);
static LEFT: Condvar = Condvar::new();

/// Places on the machine, until dropped.
pub struct Held(usize);

impl Held {
    fn take(places: usize) -> Self {
        let mut free = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        while *free < places {
            free = LEFT.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= places;
        Self(places)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *MACHINE.lock().unwrap_or_else(PoisonError::into_inner) += self.0;
        LEFT.notify_all();
    }
}

/// A drill that was run to its end.
pub struct Drilled {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
    pub folder: TempDir,
    scenario: String,
}

impl Drilled {
    /// The folder of the run.
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join(&self.scenario)
    }

    /// Its record.
    pub fn run(&self) -> Run {
        Run::load(&self.dir()).unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.stdout, self.stderr))
    }

    /// The answer of one checker, as `run.json` has it.
    pub fn check(&self, name: &str) -> String {
        let run = self.run();
        let check = run.checks.iter().find(|check| check.name == name);
        check.map_or_else(|| format!("no check {name}"), |check| check.verdict.name().to_owned())
    }

    /// Fails with everything that was printed unless the exit status is `expected`.
    pub fn expect(self, expected: i32) -> Self {
        assert_eq!(self.status, expected, "exit status\n{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// Waits for the whole machine; hold it as long as something is measured closely.
pub fn machine() -> Held {
    Held::take(PLACES)
}

/// Waits until there is room for a group of servers; hold it as long as they run.
pub fn room_for_a_group() -> Held {
    Held::take(GROUP)
}

/// The command, without the environment's own settings.
pub fn firedrill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    for name in ["FIREDRILL_REDIS", "RUST_LOG"] {
        command.env_remove(name);
    }
    // What other runs have left on a Redis that had the same port is nothing to these.
    let state = format!("{}/state-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    command.env("FIREDRILL_STATE", state);
    command
}

/// Runs one scenario, shipped or a file, to its end.
pub fn drill(scenario: &str, arguments: &[&str]) -> Drilled {
    let _place = Held::take(ONE_SERVER);
    drill_beside(scenario, arguments)
}

/// The same for a scenario with a group of servers.
pub fn drill_group(scenario: &str, arguments: &[&str]) -> Drilled {
    let _place = room_for_a_group();
    drill_beside(scenario, arguments)
}

/// The same, whatever else this machine does. A drill whose generator was held up is repeated: it says so, and what it judged
/// was the machine.
pub fn drill_beside(scenario: &str, arguments: &[&str]) -> Drilled {
    for _ in 1..ATTEMPTS {
        let drilled = drill_once(scenario, arguments);
        if !drilled.stdout.contains("the generator was saturated") {
            return drilled;
        }
        eprintln!("{scenario} was disturbed: again\n{}", drilled.stdout);
        wait_for_calm();
    }
    drill_once(scenario, arguments)
}

/// Waits until this machine keeps time again for some seconds, though not for ever: its neighbours may hold it up for long.
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

fn drill_once(scenario: &str, arguments: &[&str]) -> Drilled {
    let folder = tempfile::tempdir().unwrap();
    let output = firedrill().args(["run", scenario, "--out"]).arg(folder.path()).args(arguments).output().unwrap();
    let scenario = Path::new(scenario).file_stem().unwrap().to_str().unwrap().to_owned();
    drilled(output, folder, scenario)
}

/// Writes a scenario to a file and runs it. Its name must be `drilled`.
pub fn drill_text(text: &str, arguments: &[&str]) -> Drilled {
    let _place = Held::take(ONE_SERVER);
    drill_text_beside(text, arguments)
}

/// The same for a scenario with a group of servers.
pub fn drill_group_text(text: &str, arguments: &[&str]) -> Drilled {
    let _place = room_for_a_group();
    drill_text_beside(text, arguments)
}

fn drill_text_beside(text: &str, arguments: &[&str]) -> Drilled {
    let (_folder, file) = written(text);
    drill_beside(&file, arguments)
}

/// Writes a scenario to a file and runs it once, for one that is to hold its generator up.
pub fn drill_text_once(text: &str) -> Drilled {
    let _place = Held::take(ONE_SERVER);
    let (_folder, file) = written(text);
    drill_once(&file, &[])
}

fn written(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("drilled.toml");
    std::fs::write(&file, text).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (folder, name)
}

fn drilled(output: Output, folder: TempDir, scenario: String) -> Drilled {
    Drilled {
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

/// Waits until `condition` gives something, for at most `deadline`.
pub fn wait_for<T>(what: &str, deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begun.elapsed() < deadline, "waited {deadline:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The redis-servers that `parent` has started, with their start times so that a reused pid is not taken for one.
pub fn redis_children(parent: u32) -> Vec<(u32, u64)> {
    let processes = std::fs::read_dir("/proc").unwrap();
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let (name, ppid, started) = stat(pid)?;
        (name == "redis-server" && ppid == parent).then_some((pid, started))
    })
    .collect()
}

/// Whether the very process is still there (a zombie is not).
pub fn is_alive((pid, started): (u32, u64)) -> bool {
    stat(pid).is_some_and(|(_, _, now)| now == started)
}

/// Name, parent and start time of a live process (`man 5 proc`).
fn stat(pid: u32) -> Option<(String, u32, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, tail) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = tail.split_whitespace().collect();
    (fields.first()? != &"Z").then_some(())?;
    Some((name, fields.get(1)?.parse().ok()?, fields.get(19)?.parse().ok()?))
}

/// Sends a signal to one process that this test started.
pub fn signal(child: &Child, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

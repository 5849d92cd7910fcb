//! Conditions that tests wait for, and the processes started by a drill.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Waits for at most `deadline` until `condition` returns something.
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

/// The redis-servers started by `parent`, with their start times, so that a reused pid is not mistaken for one.
pub fn redis_children(parent: u32) -> Vec<(u32, u64)> {
    let processes = std::fs::read_dir("/proc").unwrap();
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let (name, ppid, started) = stat(pid)?;
        (name == "redis-server" && ppid == parent).then_some((pid, started))
    })
    .collect()
}

/// Whether the same process still exists (a zombie does not count).
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

/// Copies `program` to `at`, executable. A process of its own does it: where this process has a file open for writing, another
/// test's child inherits it, and until that child runs its own program the system refuses to run the file ("text file busy").
pub fn copy_program(program: &Path, at: &Path) {
    let copied = Command::new("install").args(["-m", "755"]).args([program, at]).status().unwrap();
    assert!(copied.success(), "{copied}");
}

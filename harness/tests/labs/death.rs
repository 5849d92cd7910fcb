//! No `redis-server` outlives its harness. Each test runs itself again as the harness process (selected by an
//! environment variable), lets that process own a Redis, and ends it the hard way.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use firedrill::lab::{ManagedConfig, ManagedRedis, ServerProcess as _};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::alone::again;

const ROLE: &str = "FIREDRILL_TEST_OWNS_A_REDIS_IN";
const DEADLINE: Duration = Duration::from_secs(60);

/// A harness process with its own Redis.
struct Owner {
    process: Child,
    redis: Pid,
    folder: PathBuf,
    /// Kept open: a process that prints into a closed pipe ends on its own.
    output: BufReader<ChildStdout>,
}

impl Owner {
    /// Runs test `name` of this file again, in the role of the owner.
    fn start(name: &str, temp: &Path) -> Self {
        let mut process =
            again(module_path!(), name).env(ROLE, temp).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let line = output.by_ref_lines().find(|line| line.starts_with("redis ")).unwrap();
        let mut words = line.split(' ').skip(1);
        let redis = Pid::from_raw(words.next().unwrap().parse().unwrap());
        Self { process, redis, folder: words.next().unwrap().into(), output }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id() as i32)
    }
}

/// Lines of a reader that is still needed afterwards.
trait Lines {
    fn by_ref_lines(&mut self) -> impl Iterator<Item = String>;
}

impl Lines for BufReader<ChildStdout> {
    fn by_ref_lines(&mut self) -> impl Iterator<Item = String> {
        std::io::Read::by_ref(self).lines().map_while(Result::ok)
    }
}

/// In the owner's role: starts a Redis, announces it, and calls `end`, which does not return.
fn if_owner(end: impl FnOnce(ManagedRedis)) {
    let Some(temp) = std::env::var_os(ROLE) else { return };
    let config = ManagedConfig { temp: temp.into(), ..ManagedConfig::default() };
    // Requested by a thread that ends at once: the server must not end with it.
    let starting = std::thread::spawn(move || runtime().block_on(ManagedRedis::start(&config)).unwrap());
    let redis = starting.join().unwrap();
    println!("\nredis {} {}", redis.pid().unwrap(), redis.folder().display());
    end(redis);
    std::process::exit(0);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A zombie (state Z), which its new parent has not reaped yet, counts as gone.
fn is_alive(pid: Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn wait_until_gone(pid: Pid) {
    let until = Instant::now() + DEADLINE;
    while is_alive(pid) {
        assert!(Instant::now() < until, "redis-server {pid} is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn own_for_ever(_redis: ManagedRedis) {
    loop {
        std::thread::park();
    }
}

#[test]
fn a_harness_killed_with_sigkill_leaves_no_server_and_its_folder_is_swept_at_the_next_start() {
    if_owner(own_for_ever);
    let temp = tempfile::tempdir().unwrap();
    let name = "a_harness_killed_with_sigkill_leaves_no_server_and_its_folder_is_swept_at_the_next_start";
    let mut owner = Owner::start(name, temp.path());
    assert!(is_alive(owner.redis));

    kill(owner.pid(), Signal::SIGKILL).unwrap();
    owner.process.wait().unwrap();

    wait_until_gone(owner.redis);
    assert!(owner.folder.exists());
    let config = ManagedConfig { temp: temp.path().to_owned(), ..ManagedConfig::default() };
    let next = runtime().block_on(ManagedRedis::start(&config)).unwrap();
    assert!(!owner.folder.exists());
    assert!(next.folder().exists());
}

#[test]
fn a_harness_killed_while_its_server_is_stopped_leaves_no_server() {
    if_owner(|redis| {
        runtime().block_on(redis.pause()).unwrap();
        println!("\nstopped");
        own_for_ever(redis);
    });
    let temp = tempfile::tempdir().unwrap();
    let mut owner = Owner::start("a_harness_killed_while_its_server_is_stopped_leaves_no_server", temp.path());
    assert!(owner.output.by_ref_lines().any(|line| line == "stopped"));

    kill(owner.pid(), Signal::SIGKILL).unwrap();
    owner.process.wait().unwrap();

    wait_until_gone(owner.redis);
}

#[test]
fn a_harness_that_panics_leaves_neither_server_nor_folder() {
    if_owner(|redis| {
        let _owned = redis;
        panic!("as a defect in a drill would");
    });
    let temp = tempfile::tempdir().unwrap();
    let mut owner = Owner::start("a_harness_that_panics_leaves_neither_server_nor_folder", temp.path());

    assert!(!owner.process.wait().unwrap().success());

    wait_until_gone(owner.redis);
    assert!(!owner.folder.exists());
}

#[test]
fn a_harness_that_exits_without_cleaning_up_leaves_no_server() {
    if_owner(|redis| {
        std::mem::forget(redis);
        std::process::exit(3);
    });
    let temp = tempfile::tempdir().unwrap();
    let mut owner = Owner::start("a_harness_that_exits_without_cleaning_up_leaves_no_server", temp.path());

    assert_eq!(owner.process.wait().unwrap().code(), Some(3));

    wait_until_gone(owner.redis);
}

#[test]
fn an_interrupt_of_the_harness_process_group_does_not_reach_the_server() {
    let redis = runtime().block_on(ManagedRedis::start(&ManagedConfig::default())).unwrap();
    let server = Pid::from_raw(redis.pid().unwrap() as i32);
    assert_eq!(nix::unistd::getpgid(Some(server)), Ok(server));
    assert_ne!(nix::unistd::getpgrp(), server);
}

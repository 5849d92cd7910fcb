//! A drill that is killed leaves a Redis that is not its own as its faults had made it; `firedrill heal` undoes that.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod docker_support;
mod heal_support;
mod proxy_common;
mod support;
mod toxiproxy_support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use docker_support::{image, owners, text};
use heal_support::{MARK, Theirs, marked};
use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use support::{firedrill, machine, signal, wait_for};
use toxiproxy_support::Server;

const SOON: Duration = Duration::from_secs(60);

/// How many drills the loop kills.
const ROUNDS: &str = "FIREDRILL_KILL_ROUNDS";

/// A short drill with these faults.
fn scenario(folder: &Path, faults: &[&str]) -> PathBuf {
    let mut text = "name = \"killed\"\nabout = \"A drill to be killed.\"\n[store]\npolicy = \"drain\"\n\
         [[load]]\nrate = \"150/s\"\nfor = \"4s\"\nsessions = 50\npayload = \"2KB\"\n"
        .to_owned();
    text.extend(faults.iter().map(|fault| format!("[[fault]]\n{fault}\n")));
    if faults.iter().any(|fault| fault.contains("keys.delete")) {
        text += "[checks]\n";
        for check in ["lost-answers", "read-your-writes", "monotonic-reads", "ttl"] {
            text += &format!("{check} = \"report\"\n");
        }
    }
    let file = folder.join("killed.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// A place for one drill: its scenario, its run, its journals.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self) -> Command {
        let mut command = firedrill();
        command.env("FIREDRILL_STATE", self.folder.path().join("state"));
        command
    }

    fn start(&self, faults: &[&str], redis: &str, mark: &str) -> Child {
        self.start_with(faults, redis, mark, &[])
    }

    fn start_with(&self, faults: &[&str], redis: &str, mark: &str, more: &[String]) -> Child {
        let mut command = self.command();
        command.arg("run").arg(scenario(self.folder.path(), faults)).arg("--out").arg(self.folder.path().join("runs"));
        command.args(more);
        command.env("FIREDRILL_REDIS", redis).env(MARK, mark).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    fn journals(&self) -> Vec<PathBuf> {
        firedrill::lab::journal::place::journals(&self.folder.path().join("state/journals")).unwrap()
    }

    fn heal(&self, redis: Option<&str>) -> Output {
        let mut command = self.command();
        if let Some(redis) = redis {
            command.env("FIREDRILL_REDIS", redis);
        }
        command.arg("heal").output().unwrap()
    }
}

#[test]
fn heal_gives_back_what_a_killed_drill_had_changed_once_it_has_the_password() {
    let _machine = machine();
    let (theirs, place) = (Theirs::start(), Place::new());
    let before = theirs.seen();
    let faults = [
        "kind = \"server.oom\"\nat = \"200ms\"\nfor = \"30s\"",
        "kind = \"server.readonly\"\nat = \"300ms\"\nfor = \"30s\"",
        "kind = \"server.auth\"\nat = \"600ms\"\nfor = \"30s\"",
    ];
    let mut drill = place.start(&faults, &theirs.url, "");
    let journal = wait_for("the journal", SOON, || place.journals().pop());
    let said = || std::fs::read_to_string(&journal).unwrap();
    wait_for("the last fault", SOON, || said().contains("\"undo\":\"passwords\"").then_some(()));
    wait_for("the lockout", SOON, || (!theirs.is_well()).then_some(()));

    let early = place.heal(Some(&theirs.url));
    assert_eq!(early.status.code(), Some(4), "{}", text(&early));
    assert!(text(&early).contains(&format!("still runs (pid {})", drill.id())), "{}", text(&early));

    signal(&drill, Signal::SIGKILL);
    drill.wait().unwrap();
    assert!(!theirs.is_well(), "somebody else's password opens it already");
    assert!(!said().contains("s3cret"), "{}", said());

    let refused = place.heal(None);
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    assert!(text(&refused).contains("FIREDRILL_REDIS"), "{}", text(&refused));

    let healed = place.heal(Some(&theirs.url));
    assert_eq!(healed.status.code(), Some(0), "{}", text(&healed));
    for undone in ["REPLICAOF NO ONE", "CONFIG SET maxmemory", "the passwords of user default", "keys under firedrill:"]
    {
        assert!(text(&healed).contains(undone), "{undone}: {}", text(&healed));
    }
    assert!(!text(&healed).contains("s3cret"));
    assert_eq!(theirs.seen(), before);
    assert_eq!(place.journals(), Vec::<PathBuf>::new());

    let again = place.heal(Some(&theirs.url));
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    assert!(text(&again).contains("nothing to heal"), "{}", text(&again));
}

#[test]
fn a_redis_with_the_traces_of_a_killed_drill_is_refused_with_the_cure() {
    let _machine = machine();
    let (theirs, place) = (Theirs::start(), Place::new());
    let before = theirs.seen();
    let mut drill = place.start(&["kind = \"proxy.down\"\nat = \"1s\"\nfor = \"2s\""], &theirs.url, "");
    wait_for("the drill's keys", SOON, || (theirs.ask::<u64>(&["DBSIZE"]) > 100_000).then_some(()));
    signal(&drill, Signal::SIGKILL);
    drill.wait().unwrap();

    let mut next = place.command();
    next.args(["run", "redis-outage", "--out"]).arg(place.folder.path().join("next"));
    let next = next.env("FIREDRILL_REDIS", &theirs.url).output().unwrap();
    assert_eq!(next.status.code(), Some(4), "{}", text(&next));
    assert!(text(&next).contains("firedrill heal --redis redis://"), "{}", text(&next));
    assert!(text(&next).contains(&theirs.address()) && !text(&next).contains("s3cret"), "{}", text(&next));

    // By its file, and of another Redis first.
    let heal =
        |redis: &str| place.command().arg("heal").args(place.journals()).args(["--redis", redis]).output().unwrap();
    let other = heal("redis://127.0.0.1:1/");
    assert_eq!(other.status.code(), Some(4), "{}", text(&other));
    let healed = heal(&theirs.url);
    assert_eq!(healed.status.code(), Some(0), "{}", text(&healed));
    assert_eq!(theirs.seen(), before);
}

#[test]
fn what_is_no_journal_and_a_place_that_cannot_be_written_are_told() {
    let place = Place::new();
    let notes = place.folder.path().join("notes");
    std::fs::write(&notes, "dear diary\n").unwrap();
    let wrong = place.command().arg("heal").arg(&notes).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong));
    assert_eq!(place.command().args(["heal", "/no/such/journal"]).output().unwrap().status.code(), Some(2));

    let theirs = Theirs::start();
    let mut command = firedrill();
    // A file cannot be a folder, not even for root.
    command.env("FIREDRILL_STATE", &notes).env("FIREDRILL_REDIS", &theirs.url);
    let refused =
        command.args(["run", "redis-outage", "--out"]).arg(place.folder.path().join("runs")).output().unwrap();
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    assert!(text(&refused).contains("FIREDRILL_STATE"), "{}", text(&refused));
    assert_eq!(theirs.ask::<u64>(&["DBSIZE"]), 100_000, "nothing was written without a journal");
}

/// What a random drill may hold.
const SERVER_FAULTS: &[&str] = &[
    "kind = \"server.readonly\"",
    "kind = \"server.oom\"",
    "kind = \"server.auth\"",
    "kind = \"server.maxclients\"",
    "kind = \"server.pause\"",
    "kind = \"server.pause\"\nmode = \"write\"",
    "kind = \"server.idle-timeout\"",
    "kind = \"server.noreplicas\"",
    "kind = \"server.script-flush\"",
    "kind = \"server.slow\"\nbusy = \"200ms\"",
    "kind = \"keys.corrupt\"\nshare = \"50%\"",
    "kind = \"keys.delete\"\nshare = \"50%\"",
    "kind = \"proxy.down\"",
    "kind = \"proxy.timeout\"",
    "kind = \"proxy.latency\"\nlatency = \"50ms\"",
    "kind = \"proxy.reset_peer\"",
];

const PROCESS_FAULTS: &[&str] = &["kind = \"process.kill\"", "kind = \"process.stop\""];

/// Where a random drill runs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ground {
    /// On a Redis that is somebody else's.
    Theirs,
    /// On a child process of its own.
    Managed,
    /// On a container of its own.
    Docker,
}

/// Of so many rounds, each in an order of its own. Containers take longest.
const GROUNDS: [Ground; 8] = [
    Ground::Theirs,
    Ground::Theirs,
    Ground::Theirs,
    Ground::Theirs,
    Ground::Managed,
    Ground::Managed,
    Ground::Managed,
    Ground::Docker,
];

/// One drill, and when it is killed.
#[derive(Debug)]
struct Round {
    ground: Ground,
    /// Whether its proxy is on somebody else's Toxiproxy server.
    remote: bool,
    faults: Vec<String>,
    sent: Signal,
    after: Duration,
}

impl Round {
    fn drawn(chance: &mut StdRng, ground: Ground) -> Self {
        let known = match ground {
            Ground::Theirs => SERVER_FAULTS.to_vec(),
            Ground::Managed | Ground::Docker => [SERVER_FAULTS, PROCESS_FAULTS].concat(),
        };
        let faults = (0..chance.random_range(1..=3)).map(|_| {
            let kind = known[chance.random_range(0..known.len())];
            let (at, lasting) = (chance.random_range(0..1_500), chance.random_range(300..2_500));
            format!("{kind}\nat = \"{at}ms\"\nfor = \"{lasting}ms\"")
        });
        let faults = faults.collect();
        let sent = [Signal::SIGKILL, Signal::SIGKILL, Signal::SIGINT, Signal::SIGTERM][chance.random_range(0..4)];
        let latest = if ground == Ground::Docker { 5_000 } else { 3_500 };
        let after = Duration::from_millis(chance.random_range(0..latest));
        Self { ground, remote: chance.random_bool(0.4), faults, sent, after }
    }

    /// What the command line says of it.
    fn arguments(&self, toxiproxy: &Server) -> Vec<String> {
        let mut words: Vec<&str> = Vec::new();
        if self.ground == Ground::Docker {
            words.extend(["--lab", "docker", "--image", image()]);
        }
        let url = toxiproxy.url();
        if self.remote {
            words.extend(["--toxiproxy", &url]);
        }
        words.into_iter().map(str::to_owned).collect()
    }
}

/// `FIREDRILL_KILL_ROUNDS=500 cargo test --test heal random_moments` for a long night.
#[test]
fn a_harness_killed_at_random_moments_leaves_no_orphan_no_setting_and_no_foreign_key_touched() {
    let _machine = machine();
    let rounds: usize = std::env::var(ROUNDS).map_or(GROUNDS.len(), |text| text.parse().unwrap());
    let seed: u64 = rand::random::<u32>().into();
    println!("seed {seed}, {rounds} rounds");
    let mut chance = StdRng::seed_from_u64(seed);
    let (theirs, toxiproxy) = (Theirs::start(), Server::start());
    let (before, proxies) = (theirs.seen(), toxiproxy.seen());
    let mut grounds = Vec::new();
    for round in 0..rounds {
        if grounds.is_empty() {
            grounds = GROUNDS.to_vec();
        }
        let ground = grounds.swap_remove(chance.random_range(0..grounds.len()));
        let drawn = Round::drawn(&mut chance, ground);
        let what = format!("seed {seed}, round {round}: {drawn:?}");
        println!("{what}");

        let place = Place::new();
        let mark = format!("{seed}-{round}");
        let redis = if ground == Ground::Theirs { &theirs.url } else { "managed" };
        let faults: Vec<&str> = drawn.faults.iter().map(String::as_str).collect();
        let mut drill = place.start_with(&faults, redis, &mark, &drawn.arguments(&toxiproxy));
        // The moment is the point: nothing is waited for.
        std::thread::sleep(drawn.after);
        if drill.try_wait().unwrap().is_none() {
            signal(&drill, drawn.sent);
        }
        let status = wait_for(&format!("the harness's end: {what}"), SOON, || drill.try_wait().unwrap());
        wait_for(&format!("the end of its processes: {what}"), SOON, || marked(&mark).is_empty().then_some(()));
        if status.code().is_some() && !place.journals().is_empty() {
            panic!("it ended by itself, with {status}, and left a journal: {what}");
        }
        let healed = place.heal(Some(&theirs.url));
        assert_eq!(healed.status.code(), Some(0), "{what}\n{}", text(&healed));
        assert_eq!(place.journals(), Vec::<PathBuf>::new(), "{what}");
        assert_eq!(theirs.seen(), before, "{what}\n{}", text(&healed));
        assert_eq!(toxiproxy.seen(), proxies, "{what}\n{}", text(&healed));
        if ground == Ground::Docker {
            let left: Vec<_> = owners().into_iter().filter(|owner| owner.pid == drill.id()).collect();
            assert!(left.is_empty(), "{what}\n{left:?}\n{}", text(&healed));
        }
    }
}

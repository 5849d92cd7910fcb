//! A killed drill leaves its faults in place on an external Redis; `firedrill heal` undoes them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::docker::text;
use crate::support::foreign::{ForeignRedis, MARK};
use crate::support::{firedrill, room_for_one, signal, wait_for};

const SOON: Duration = Duration::from_secs(60);

/// A short drill with these faults.
pub fn scenario(folder: &Path, faults: &[&str]) -> PathBuf {
    let mut text = "name = \"killed\"\nabout = \"A drill to be killed.\"\n[store]\npolicy = \"drain\"\n\
         [[load]]\nrate = \"150/s\"\nfor = \"4s\"\nsessions = 50\npayload = \"2KB\"\n"
        .to_owned();
    text.extend(faults.iter().map(|fault| format!("[[fault]]\n{fault}\n")));
    if faults.iter().any(|fault| fault.contains("keys.delete")) {
        text += "[checks]\n";
        for check in ["lost-writes", "read-your-writes", "monotonic-reads", "stale-reads", "ttl"] {
            text += &format!("{check} = \"report\"\n");
        }
    }
    let file = folder.join("killed.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// The place of one drill: its scenario, its run, its journals.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(place.temp()).unwrap();
        place
    }

    pub fn command(&self) -> Command {
        let mut command = firedrill();
        command.env("FIREDRILL_STATE", self.folder.path().join("state")).env("TMPDIR", self.temp());
        command
    }

    /// The parent of its labs' folders, which no other drill on this machine sweeps.
    pub fn temp(&self) -> PathBuf {
        self.folder.path().join("temp")
    }

    pub fn start(&self, faults: &[&str], redis: &str, mark: &str) -> Child {
        self.start_with(faults, redis, mark, &[])
    }

    pub fn start_with(&self, faults: &[&str], redis: &str, mark: &str, more: &[String]) -> Child {
        let mut command = self.command();
        command.arg("run").arg(scenario(self.folder.path(), faults)).arg("--out").arg(self.folder.path().join("runs"));
        command.args(more);
        if let Ok(url) = redis.parse::<firedrill::lab::RedisUrl>() {
            command.args(["--allow-server-faults", &url.address()]);
        }
        command.env("FIREDRILL_REDIS", redis).env(MARK, mark).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    pub fn journals(&self) -> Vec<PathBuf> {
        firedrill::lab::journal::place::journals(&self.folder.path().join("state/journals")).unwrap()
    }

    pub fn heal(&self, redis: Option<&str>) -> Output {
        let mut command = self.command();
        if let Some(redis) = redis {
            command.env("FIREDRILL_REDIS", redis);
        }
        command.arg("heal").output().unwrap()
    }
}

#[test]
fn heal_restores_what_a_killed_drill_had_changed_once_it_has_the_password() {
    let _room = room_for_one();
    let (foreign, place) = (ForeignRedis::start(), Place::new());
    let before = foreign.snapshot();
    let faults = [
        "kind = \"server.oom\"\nat = \"200ms\"\nfor = \"30s\"",
        "kind = \"server.readonly\"\nat = \"300ms\"\nfor = \"30s\"",
        "kind = \"server.auth\"\nat = \"600ms\"\nfor = \"30s\"",
    ];
    let mut drill = place.start(&faults, &foreign.url, "");
    let journal = wait_for("the journal", SOON, || place.journals().pop());
    let said = || std::fs::read_to_string(&journal).unwrap();
    wait_for("the last fault", SOON, || said().contains("\"undo\":\"passwords\"").then_some(()));
    wait_for("the lockout", SOON, || (!foreign.is_well()).then_some(()));

    let early = place.heal(Some(&foreign.url));
    assert_eq!(early.status.code(), Some(4), "{}", text(&early));
    assert!(text(&early).contains(&format!("still runs (pid {})", drill.id())), "{}", text(&early));

    signal(&drill, Signal::SIGKILL);
    drill.wait().unwrap();
    assert!(!foreign.is_well(), "somebody else's password opens it already");
    assert!(!said().contains("s3cret"), "{}", said());

    let refused = place.heal(None);
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    assert!(text(&refused).contains("FIREDRILL_REDIS"), "{}", text(&refused));

    let healed = place.heal(Some(&foreign.url));
    assert_eq!(healed.status.code(), Some(0), "{}", text(&healed));
    for undone in ["REPLICAOF NO ONE", "CONFIG SET maxmemory", "the passwords of user default", "keys under firedrill:"]
    {
        assert!(text(&healed).contains(undone), "{undone}: {}", text(&healed));
    }
    assert!(!text(&healed).contains("s3cret"));
    assert_eq!(foreign.snapshot(), before);
    assert_eq!(place.journals(), Vec::<PathBuf>::new());

    let again = place.heal(Some(&foreign.url));
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    assert!(text(&again).contains("nothing to heal"), "{}", text(&again));
}

#[test]
fn a_redis_with_the_traces_of_a_killed_drill_is_refused_with_the_cure() {
    let _room = room_for_one();
    let (foreign, place) = (ForeignRedis::start(), Place::new());
    let before = foreign.snapshot();
    let mut drill = place.start(&["kind = \"proxy.down\"\nat = \"1s\"\nfor = \"2s\""], &foreign.url, "");
    wait_for("the drill's keys", SOON, || (foreign.ask::<u64>(&["DBSIZE"]) > 100_000).then_some(()));
    signal(&drill, Signal::SIGKILL);
    drill.wait().unwrap();

    let mut next = place.command();
    next.args(["run", "redis-outage", "--out"]).arg(place.folder.path().join("next"));
    let next = next.env("FIREDRILL_REDIS", &foreign.url).output().unwrap();
    assert_eq!(next.status.code(), Some(4), "{}", text(&next));
    assert!(text(&next).contains("firedrill heal --redis redis://"), "{}", text(&next));
    assert!(text(&next).contains(&foreign.address()) && !text(&next).contains("s3cret"), "{}", text(&next));

    // Heal from the journal's file, with the URL of another Redis first.
    let heal =
        |redis: &str| place.command().arg("heal").args(place.journals()).args(["--redis", redis]).output().unwrap();
    let other = heal("redis://127.0.0.1:1/");
    assert_eq!(other.status.code(), Some(4), "{}", text(&other));
    let healed = heal(&foreign.url);
    assert_eq!(healed.status.code(), Some(0), "{}", text(&healed));
    assert_eq!(foreign.snapshot(), before);
}

#[test]
fn a_file_that_is_no_journal_and_an_unwritable_place_are_reported() {
    let place = Place::new();
    let notes = place.folder.path().join("notes");
    std::fs::write(&notes, "dear diary\n").unwrap();
    let wrong = place.command().arg("heal").arg(&notes).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong));
    assert_eq!(place.command().args(["heal", "/no/such/journal"]).output().unwrap().status.code(), Some(2));

    let foreign = ForeignRedis::start();
    let mut command = firedrill();
    // A file cannot be a folder, not even for root.
    command.env("FIREDRILL_STATE", &notes).env("FIREDRILL_REDIS", &foreign.url);
    let refused =
        command.args(["run", "redis-outage", "--out"]).arg(place.folder.path().join("runs")).output().unwrap();
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    assert!(text(&refused).contains("FIREDRILL_STATE"), "{}", text(&refused));
    assert_eq!(foreign.ask::<u64>(&["DBSIZE"]), 100_000, "nothing was written without a journal");
}

//! What a drill checks and refuses before it touches a Redis that others use.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::heal::{Place, scenario};
use crate::support::docker::text;
use crate::support::foreign::ForeignRedis;
use crate::support::{firedrill, room_for_one, signal, wait_for};

const SOON: Duration = Duration::from_secs(60);

const OOM: &str = "kind = \"server.oom\"\nat = \"200ms\"\nfor = \"30s\"";
const READONLY: &str = "kind = \"server.readonly\"\nat = \"400ms\"\nfor = \"30s\"";
const AUTH: &str = "kind = \"server.auth\"\nat = \"700ms\"\nfor = \"30s\"";

/// Starts a drill with these faults, and kills it once all of them hold.
fn killed(foreign: &ForeignRedis, place: &Place, faults: &[&str], last: &str) {
    let mut drill = place.start(faults, &foreign.url, "");
    let journal = wait_for("the journal", SOON, || place.journals().pop());
    let said = || std::fs::read_to_string(&journal).unwrap();
    wait_for("the last fault", SOON, || said().contains(last).then_some(()));
    wait_for("its effect", SOON, || (!foreign.is_well()).then_some(()));
    signal(&drill, Signal::SIGKILL);
    drill.wait().unwrap();
}

/// Runs `firedrill heal` with additional arguments.
fn heal(place: &Place, foreign: &ForeignRedis, more: &[&str]) -> Output {
    place.command().arg("heal").args(more).env("FIREDRILL_REDIS", &foreign.url).output().unwrap()
}

/// Runs a scenario on `foreign` with additional arguments.
fn run(foreign: &ForeignRedis, scenario: &str, more: &[&str]) -> Output {
    let out = tempfile::tempdir().unwrap();
    let mut command = firedrill();
    command.args(["run", scenario, "--out"]).arg(out.path()).args(more).env("FIREDRILL_REDIS", &foreign.url);
    command.output().unwrap()
}

#[test]
fn a_load_that_could_evict_keys_of_others_is_refused_with_the_figures() {
    let foreign = ForeignRedis::start_with("maxmemory 40mb\nmaxmemory-policy allkeys-lru\n");
    let before = foreign.snapshot();
    let refused = run(&foreign, "redis-outage", &[]);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    for figure in ["may write up to", "MiB of memory free", "of 40.0 MiB in use", "allkeys-lru", "leave out --redis"] {
        assert!(said.contains(figure), "{figure}: {said}");
    }
    assert_eq!(foreign.snapshot(), before);
}

#[test]
fn a_fault_that_changes_the_server_for_others_is_refused_until_the_server_is_named() {
    let foreign = ForeignRedis::start();
    let (before, address) = (foreign.snapshot(), foreign.address());
    let refused = run(&foreign, "out-of-memory", &[]);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("--allow-server-faults {address}")) && said.contains("100000 keys"), "{said}");
    let other = run(&foreign, "out-of-memory", &["--allow-server-faults", "127.0.0.1:1"]);
    assert_eq!(other.status.code(), Some(2), "{}", text(&other));
    assert_eq!(foreign.snapshot(), before);
}

#[test]
fn a_replica_is_refused_before_anything_is_written() {
    let (primary, replica) = (ForeignRedis::start(), ForeignRedis::start());
    let port = primary.address().rsplit_once(':').unwrap().1.to_owned();
    replica.ask::<String>(&["REPLICAOF", "127.0.0.1", &port]);
    let refused = run(&replica, "redis-outage", &[]);
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    assert!(text(&refused).contains("is a replica: writes are refused (READONLY)"), "{}", text(&refused));
    assert!(doctor_refuses(&replica.url).contains("a replica: writes are refused (READONLY)"));
}

/// What the doctor says about a Redis that it must refuse.
fn doctor_refuses(url: &str) -> String {
    let refused = firedrill().arg("doctor").env("FIREDRILL_REDIS", url).output().unwrap();
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(4), "{said}");
    said
}

#[test]
fn a_refusal_by_redis_is_found_before_the_load_and_quoted() {
    let foreign = ForeignRedis::start();
    let forbidden = ["ACL", "SETUSER", "app", "on", ">s3cret", "~*", "&*", "+@all", "-getex"];
    foreign.ask::<String>(&forbidden);
    let before = foreign.snapshot();
    let user = format!("redis://app:s3cret@{}/", foreign.address());
    let out = tempfile::tempdir().unwrap();
    let mut run = firedrill();
    run.args(["run", "redis-outage", "--out"]).arg(out.path()).env("FIREDRILL_REDIS", &user);
    let refused = run.output().unwrap();
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    for said in [text(&refused), doctor_refuses(&user)] {
        assert!(said.contains("refuses GETEX") && said.contains("no permissions to run the 'getex' command"), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
    assert_eq!(foreign.snapshot(), before);

    foreign.ask::<String>(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(doctor_refuses(&foreign.url).contains("command not allowed when used memory"));
}

/// Runs a drill with these gates on a Redis whose memory limit another client lowers during the load, so that it
/// evicts.
fn evicting_in_mid_drill(gates: &str) -> Output {
    let (foreign, place) =
        (ForeignRedis::start_with("maxmemory 400mb\nmaxmemory-policy allkeys-random\n"), Place::new());
    let file = place.folder.path().join("large.toml");
    let load = "rate = \"200/s\"\nfor = \"3s\"\nsessions = 200\npayload = \"20KB\"\nmix = { create = 1, read = 4 }";
    let text = format!("name = \"large\"\nabout = \"x\"\n[store]\npolicy = \"fail-fast\"\n[[load]]\n{load}\n{gates}");
    std::fs::write(&file, text).unwrap();
    let mut command = place.command();
    command
        .arg("run")
        .arg(&file)
        .arg("--out")
        .arg(place.folder.path().join("runs"))
        .env("FIREDRILL_REDIS", &foreign.url);
    let drill = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let before = foreign.ask::<u64>(&["DBSIZE"]);
    wait_for("the drill's sessions", SOON, || (foreign.ask::<u64>(&["DBSIZE"]) > before + 200).then_some(()));
    foreign.ask::<String>(&["CONFIG", "SET", "maxmemory", "4mb"]);
    drill.wait_with_output().unwrap()
}

#[test]
fn a_redis_that_evicts_on_its_own_accuses_no_store() {
    let run = evicting_in_mid_drill("");
    let said = text(&run);
    assert_eq!(run.status.code(), Some(3), "{said}");
    assert!(said.contains("Redis evicted") && said.contains("no fault asked for it"), "{said}");
}

#[test]
fn a_gate_that_names_evictions_decides_though_no_fault_asked_for_them() {
    let run = evicting_in_mid_drill("[gates]\n\"redis.evicted\" = \"= 0\"\n");
    assert_eq!(run.status.code(), Some(1), "{}", text(&run));
    assert!(text(&run).contains("redis.evicted"), "{}", text(&run));
}

/// Two state folders stand for two machines: neither sees the other's journals.
#[test]
fn of_two_drills_on_two_machines_the_second_is_refused() {
    let _room = room_for_one();
    let (foreign, first, second) = (ForeignRedis::start(), Place::new(), Place::new());
    let before = foreign.snapshot();
    let mut drill = first.start(&[OOM], &foreign.url, "");
    wait_for("its fault", SOON, || (!foreign.is_well()).then_some(()));
    let mut command = second.command();
    command.arg("run").arg(scenario(second.folder.path(), &[OOM])).arg("--out").arg(second.folder.path().join("runs"));
    command.args(["--allow-server-faults", &foreign.address()]).env("FIREDRILL_REDIS", &foreign.url);
    let refused = command.output().unwrap();
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(said.contains(&format!("pid {}", drill.id())) && said.contains("is running on"), "{said}");
    assert_eq!(second.journals(), Vec::<PathBuf>::new());
    signal(&drill, Signal::SIGINT);
    drill.wait().unwrap();
    assert_eq!(foreign.snapshot(), before, "neither has taken the other's fault for the original");
}

#[test]
fn what_a_drill_has_left_is_found_and_undone_from_another_machine() {
    let _room = room_for_one();
    let (foreign, first, second) = (ForeignRedis::start(), Place::new(), Place::new());
    let before = foreign.snapshot();
    let mut drill = first.start(&[OOM, READONLY, AUTH], &foreign.url, "");
    wait_for("the lockout", SOON, || foreign.is_locked().then_some(()));
    signal(&drill, Signal::SIGKILL);
    drill.wait().unwrap();

    let dry = heal(&second, &foreign, &["--dry-run"]);
    assert!(text(&dry).contains("to undo") && text(&dry).contains("REPLICAOF NO ONE"), "{}", text(&dry));
    assert!(!foreign.is_well(), "nothing was changed");

    let healed = heal(&second, &foreign, &[]);
    assert_eq!(healed.status.code(), Some(0), "{}", text(&healed));
    for undone in ["REPLICAOF NO ONE", "CONFIG SET maxmemory", "the passwords of user default", "keys under firedrill:"]
    {
        assert!(text(&healed).contains(undone), "{undone}: {}", text(&healed));
    }
    assert!(!text(&healed).contains("s3cret"));
    assert_eq!(foreign.snapshot(), before);

    let late = heal(&first, &foreign, &[]);
    assert_eq!(late.status.code(), Some(0), "{}", text(&late));
    assert!(text(&late).contains("is not needed"), "{}", text(&late));
    assert_eq!((foreign.snapshot(), first.journals()), (before, Vec::new()));
}

#[test]
fn a_new_drill_on_another_machine_finds_what_was_left() {
    let _room = room_for_one();
    let (foreign, first, second) = (ForeignRedis::start(), Place::new(), Place::new());
    killed(&foreign, &first, &[OOM], "\"undo\":\"config\"");
    let ttl = |key: &str| foreign.ask::<i64>(&["PTTL", key]);
    assert!(ttl("firedrill:lease") > 0, "it expires by itself");
    assert_eq!(ttl("firedrill:drill"), -1, "it has no expiry");
    let users: Vec<String> = foreign.ask(&["ACL", "LIST"]);
    let written = [foreign.ask::<String>(&["GET", "firedrill:drill"]), users.join("\n")].concat();
    assert!(written.contains("firedrill-change-") && !written.contains("s3cret"), "{written}");
    let mut command = second.command();
    command.args(["run", "redis-outage", "--out"]).arg(second.folder.path().join("runs"));
    let refused = command.env("FIREDRILL_REDIS", &foreign.url).output().unwrap();
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    assert!(text(&refused).contains("firedrill heal --redis redis://"), "{}", text(&refused));
}

#[test]
fn what_an_operator_has_mended_since_is_left_as_it_is() {
    let _room = room_for_one();
    let (foreign, place) = (ForeignRedis::start(), Place::new());
    killed(&foreign, &place, &[OOM], "\"undo\":\"config\"");
    wait_for("the limit", SOON, || (foreign.config("maxmemory") == "1").then_some(()));
    foreign.ask::<String>(&["CONFIG", "SET", "maxmemory", "500mb"]);
    let healed = heal(&place, &foreign, &[]);
    let said = text(&healed);
    assert_eq!(healed.status.code(), Some(0), "{said}");
    assert!(
        said.contains("maxmemory is \"524288000\", which the drill had not set; before the drill it was \"0\""),
        "{said}"
    );
    assert_eq!(foreign.config("maxmemory"), "524288000");
    assert_eq!(place.journals(), Vec::<PathBuf>::new());
}

#[test]
fn a_server_that_was_replaced_between_kill_and_heal_stays_as_it_is() {
    let _room = room_for_one();
    let (primary, foreign, place) = (ForeignRedis::start(), ForeignRedis::start(), Place::new());
    killed(&foreign, &place, &[READONLY], "\"undo\":\"primary\"");
    foreign.restart();
    // The other server at this address happens to get the setting that the fault gave the first one.
    foreign.ask::<String>(&["REPLICAOF", "192.0.2.1", "1"]);
    let before = foreign.snapshot();
    let healed = heal(&place, &foreign, &[]);
    assert_eq!(healed.status.code(), Some(4), "{}", text(&healed));
    assert!(text(&healed).contains("restarted or replaced"), "{}", text(&healed));
    assert_eq!(foreign.snapshot(), before);
    drop(primary);
}

#[test]
fn damaged_journals_are_kept_aside_and_the_good_ones_are_healed() {
    let _room = room_for_one();
    let (foreign, place) = (ForeignRedis::start(), Place::new());
    let before = foreign.snapshot();
    killed(&foreign, &place, &[OOM], "\"undo\":\"config\"");
    let folder = place.journals()[0].parent().unwrap().to_owned();
    std::fs::write(folder.join("0-garbage.journal"), "dear diary\n").unwrap();
    std::fs::write(folder.join("0-cut.journal"), "{\"journal\":1,\"namesp").unwrap();

    let listed = heal(&place, &foreign, &["--list"]);
    assert!(text(&listed).contains("to undo  CONFIG SET maxmemory"), "{}", text(&listed));
    assert_eq!(place.journals().len(), 3);

    let healed = heal(&place, &foreign, &[]);
    assert_eq!(healed.status.code(), Some(4), "{}", text(&healed));
    assert_eq!(foreign.snapshot(), before, "{}", text(&healed));
    for kept in ["0-garbage.damaged", "0-cut.damaged"] {
        assert!(folder.join(kept).exists() && text(&healed).contains(kept), "{kept}: {}", text(&healed));
    }
    assert_eq!(place.journals(), Vec::<PathBuf>::new());
    assert_eq!(heal(&place, &foreign, &[]).status.code(), Some(0));
}

/// However often it is interrupted, by any signal.
#[test]
fn signals_end_a_drill_in_order_however_many_there_are() {
    let _room = room_for_one();
    let foreign = ForeignRedis::start();
    let before = foreign.snapshot();
    for sent in [
        &[Signal::SIGHUP][..],
        &[Signal::SIGQUIT],
        &[Signal::SIGTERM],
        &[Signal::SIGINT, Signal::SIGINT, Signal::SIGINT],
    ] {
        let place = Place::new();
        let mut drill = place.start(&[OOM, READONLY], &foreign.url, "");
        let journal = wait_for("the journal", SOON, || place.journals().pop());
        let said = || std::fs::read_to_string(&journal).unwrap();
        wait_for("the last fault", SOON, || said().contains("\"undo\":\"primary\"").then_some(()));
        for sent in sent {
            signal(&drill, *sent);
        }
        let status = wait_for("the end", SOON, || drill.try_wait().unwrap());
        assert_eq!(status.code(), Some(130), "{sent:?}: {status}");
        assert_eq!((foreign.snapshot(), place.journals()), (before.clone(), Vec::new()), "{sent:?}");
        assert!(place.folder.path().join("runs/killed/history.fdh").exists(), "{sent:?}");
    }
}

/// The lease is taken again after it expired or was deleted, and a drill that loses its lease to another one ends
/// healed.
#[test]
fn a_lease_is_renewed_as_long_as_the_drill_lasts_and_a_drill_that_loses_it_ends_healed() {
    let _room = room_for_one();
    let (foreign, place) = (ForeignRedis::start(), Place::new());
    let before = foreign.snapshot();
    let file = scenario(place.folder.path(), &["kind = \"proxy.down\"\nat = \"1s\"\nfor = \"50s\""]);
    let long = std::fs::read_to_string(&file).unwrap().replace("for = \"4s\"", "for = \"60s\"");
    std::fs::write(&file, long).unwrap();
    let mut command = place.command();
    command.arg("run").arg(&file).arg("--out").arg(place.folder.path().join("runs"));
    command.env("FIREDRILL_REDIS", &foreign.url).stdout(Stdio::null()).stderr(Stdio::piped());
    let drill = command.spawn().unwrap();
    let lease = || foreign.ask::<Option<String>>(&["GET", "firedrill:lease"]);
    let ours = wait_for("the lease", SOON, lease);
    // As if its 30 seconds were nearly over: only a renewal raises the time.
    foreign.ask::<u64>(&["PEXPIRE", "firedrill:lease", "9000"]);
    let left = || foreign.ask::<i64>(&["PTTL", "firedrill:lease"]);
    wait_for("the renewal", SOON, || (left() > 9_000).then_some(()));
    assert_eq!(lease().as_ref(), Some(&ours));
    // As if it had expired without renewal: the drill survives that too.
    foreign.ask::<u64>(&["DEL", "firedrill:lease"]);
    wait_for("the lease, taken again", SOON, || lease().filter(|again| *again == ours));
    // Another drill takes it.
    foreign.ask::<String>(&["SET", "firedrill:lease", "another", "PX", "60000"]);
    let ended = drill.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", text(&ended));
    assert!(text(&ended).contains("another drill has taken the lease"), "{}", text(&ended));
    assert_eq!(lease().as_deref(), Some("another"), "it is the other's, and stays");
    foreign.ask::<u64>(&["DEL", "firedrill:lease"]);
    assert_eq!((foreign.snapshot(), place.journals()), (before, Vec::new()));
}

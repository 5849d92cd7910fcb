//! However a drill ends, its faults are healed, its records are kept, and its status says why: a machine without
//! threads, descriptors or disk space, a panic, SIGKILL.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use firedrill::drill::{Allowance, Happening, Observer};
use firedrill::{Drill, DrillError};
use firedrill_reports::Run;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;

use crate::heal::{Place, scenario};
use crate::support::docker::text;
use crate::support::foreign::{ForeignRedis, MARK, marked};
use crate::support::{copy_program, room_for_one, signal, wait_for};

const SOON: Duration = Duration::from_secs(60);

const DOWN: &str = "kind = \"proxy.down\"\nat = \"1s\"\nfor = \"1s\"";
const OOM: &str = "kind = \"server.oom\"\nat = \"200ms\"\nfor = \"30s\"";

/// A drill on its own Redis, run by a dedicated user: root has no thread limit, and other users share theirs with
/// everything they run.
fn unprivileged(place: &Place, fault: &str) -> Command {
    let user = std::fs::metadata("/proc/self").unwrap().uid();
    assert_eq!(user, 0, "limits of another user's processes need root: run the tests as root, as CI does");
    let user = 40_000 + std::process::id() % 20_000;
    std::fs::set_permissions(place.folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    // This user cannot run a binary that it cannot reach.
    let firedrill = place.folder.path().join("firedrill");
    if !firedrill.exists() {
        copy_program(Path::new(env!("CARGO_BIN_EXE_firedrill")), &firedrill);
    }
    let mut command = Command::new(&firedrill);
    command.arg("run").arg(scenario(place.folder.path(), &[fault])).arg("--out").arg(place.folder.path().join("runs"));
    command.env("FIREDRILL_STATE", place.folder.path().join("state")).env("TMPDIR", place.folder.path());
    command.env_remove("FIREDRILL_REDIS").env_remove("CI").env_remove("GITHUB_STEP_SUMMARY").uid(user).gid(user);
    command
}

#[test]
fn a_machine_without_threads_or_descriptors_is_reported_before_anything_starts() {
    let _room = room_for_one();
    let place = Place::new();
    for (resource, limits, words) in
        [(Resource::RLIMIT_NPROC, &[2, 12][..], "thread"), (Resource::RLIMIT_NOFILE, &[30, 100], "file descriptors")]
    {
        for limit in limits {
            let (mut command, limit) = (unprivileged(&place, DOWN), *limit);
            // SAFETY: one system call between fork and exec.
            unsafe {
                command.pre_exec(move || Ok(setrlimit(resource, limit, limit)?));
            }
            let ended = command.output().unwrap();
            let said = text(&ended);
            assert_eq!(ended.status.code(), Some(4), "{words} {limit}: {said}");
            assert!(said.contains(words) && !said.contains("panicked"), "{words} {limit}: {said}");
        }
    }
}

/// A file system of this many bytes, which ends with this value.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path, size: &str) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={size}"), "firedrill-test"]).arg(at);
        let done = command.output().unwrap();
        assert!(
            done.status.success(),
            "a file system must be mounted; run the tests as root, as CI does: {}",
            text(&done)
        );
        Self(at.to_owned())
    }

    /// Uses up all remaining space.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        let block = vec![1; 64 << 10];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_is_too_small_for_the_run_or_the_lab_is_reported_before_anything_starts() {
    let _room = room_for_one();
    let place = Place::new();
    let small = Small::mount(&place.folder.path().join("small"), "1m");
    let file = scenario(place.folder.path(), &[DOWN]);
    let run = |out: &Path, lab: &Path| {
        let mut command = place.command();
        command.arg("run").arg(&file).arg("--out").arg(out).env("TMPDIR", lab).env_remove("FIREDRILL_REDIS");
        command.output().unwrap()
    };
    let elsewhere = place.folder.path().join("runs");
    for (out, lab, cure) in [(&small.0, place.folder.path(), "--out"), (&elsewhere, &*small.0, "TMPDIR")] {
        let ended = run(out, lab);
        assert_eq!(ended.status.code(), Some(4), "{}", text(&ended));
        assert!(text(&ended).contains(" left; ") && text(&ended).contains(cure), "{}", text(&ended));
        assert!(text(&ended).contains("1.0 MiB"), "{}", text(&ended));
    }
}

#[test]
fn a_disk_that_is_full_in_mid_drill_ends_it_healed_and_keeps_what_was_recorded() {
    let _room = room_for_one();
    let (foreign, place) = (ForeignRedis::start(), Place::new());
    let before = foreign.snapshot();
    let small = Small::mount(&place.folder.path().join("runs"), "8m");
    let mut drill = place.start(&[OOM], &foreign.url, "");
    wait_for("the fault", SOON, || (!foreign.is_well()).then_some(()));
    let run = small.0.join("killed");
    let history = run.join("history.fdh");
    wait_for("operations on disk", SOON, || std::fs::metadata(&history).ok().filter(|file| file.len() > 4096));
    small.fill();
    let status = wait_for("the end", SOON, || drill.try_wait().unwrap());
    assert_eq!(status.code(), Some(4));
    assert_eq!((foreign.snapshot(), place.journals()), (before, Vec::new()));
    let checked = place.command().arg("check").arg(&run).output().unwrap();
    assert_eq!(checked.status.code(), Some(3), "{}", text(&checked));
    assert!(text(&checked).contains("not complete"), "{}", text(&checked));
}

#[test]
fn what_a_killed_drill_left_is_reported_and_checked_and_proves_nothing() {
    let _room = room_for_one();
    let place = Place::new();
    let mark = format!("ends-{}", std::process::id());
    let temp = place.temp();
    let mut command = place.command();
    command.arg("run").arg(scenario(place.folder.path(), &[DOWN])).arg("--out").arg(place.folder.path().join("runs"));
    command.env("TMPDIR", &temp).env(MARK, &mark).env_remove("FIREDRILL_REDIS");
    let mut drill = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let run = place.folder.path().join("runs/killed");
    let history = run.join("history.fdh");
    wait_for("operations on disk", SOON, || std::fs::metadata(&history).ok().filter(|file| file.len() > 12_000));
    signal(&drill, Signal::SIGKILL);
    drill.wait().unwrap();
    wait_for("the end of its processes", SOON, || marked(&mark).is_empty().then_some(()));
    assert!(!run.join("run.json").exists());
    let labs = || std::fs::read_dir(&temp).unwrap().count();
    assert_eq!(labs(), 1, "the lab's folder");
    let healed = place.command().arg("heal").env("TMPDIR", &temp).output().unwrap();
    assert_eq!((healed.status.code(), labs()), (Some(0), 0), "{}", text(&healed));

    let checked = place.command().arg("check").arg(&run).output().unwrap();
    assert_eq!(checked.status.code(), Some(3), "{}", text(&checked));
    assert!(text(&checked).contains("not complete: the drill died"), "{}", text(&checked));

    let reported = place.command().arg("report").arg(&run).output().unwrap();
    let said = text(&reported);
    assert_eq!(reported.status.code(), Some(0), "{said}");
    assert!(said.contains("INCONCLUSIVE") && said.contains("the drill was killed before it was judged"), "{said}");
    assert!(std::fs::read_to_string(run.join("report.html")).unwrap().contains("the drill was killed"));
    assert!(!run.join("run.json").exists(), "a run that was never judged has no record");

    let nothing = place.command().arg("report").arg(place.folder.path()).output().unwrap();
    assert_eq!(nothing.status.code(), Some(2), "{}", text(&nothing));
}

#[test]
fn a_disk_that_fills_up_under_redis_is_not_the_stores_failure() {
    let _room = room_for_one();
    let place = Place::new();
    let small = Small::mount(&place.folder.path().join("small"), "64m");
    let file = scenario(place.folder.path(), &[]);
    let mut command = place.command();
    command.arg("run").arg(&file).arg("--out").arg(place.folder.path().join("runs")).env("TMPDIR", &small.0);
    command.env_remove("FIREDRILL_REDIS").stdout(Stdio::piped()).stderr(Stdio::piped());
    let drill = command.spawn().unwrap();
    let history = place.folder.path().join("runs/killed/history.fdh");
    wait_for("operations on disk", SOON, || std::fs::metadata(&history).ok().filter(|file| file.len() > 4096));
    small.fill();
    let ended = drill.wait_with_output().unwrap();
    let said = text(&ended);
    assert_eq!(ended.status.code(), Some(3), "{said}");
    assert!(said.contains("MISCONF") && said.contains("No space left on device"), "{said}");
}

/// An observer that panics at a step.
struct Failing(&'static str);

impl Observer for Failing {
    fn see(&self, happening: &Happening<'_>) {
        match happening {
            Happening::Step { text, .. } => assert!(*text != self.0, "as a defect of the drill's own would"),
            Happening::Tick(_) => assert!(self.0 != "tick", "as a defect in the recorder would"),
            Happening::Fault(_) => assert!(self.0 != "fault", "as a defect in the nemesis would"),
            _ => {}
        }
    }
}

#[test]
fn a_panic_in_any_thread_of_the_drill_ends_it_healed() {
    let _room = room_for_one();
    let foreign = ForeignRedis::start();
    let before = foreign.snapshot();
    for at in ["preloading", "tick", "fault", "checking the history"] {
        let folder = tempfile::tempdir().unwrap();
        let file = scenario(folder.path(), &[OOM]);
        let allowance = Allowance { server_faults: Some(foreign.address()), ..Allowance::default() };
        let drill = Drill::from_file(&file).redis(&foreign.url).allowance(allowance).out(folder.path().join("runs"));
        let ended = tokio::runtime::Runtime::new().unwrap().block_on(drill.observer(Arc::new(Failing(at))).run());
        match ended {
            Err(DrillError::Panicked(said)) => assert!(said.contains("as a defect"), "{at}: {said}"),
            // A fault whose code panics is a result.
            Ok(report) if at == "fault" => assert!(!report.run.faults.iter().any(|fault| fault.bit), "{at}"),
            other => panic!("{at}: {:?}", other.map(|report| report.run.verdict)),
        }
        let left: Vec<String> = foreign.ask(&["KEYS", "firedrill:*"]);
        assert_eq!(foreign.snapshot(), before, "{at}: {left:?}");
        assert_eq!(foreign.ask::<Option<String>>(&["GET", "firedrill:drill"]), None, "{at}");
    }
}

/// Limits `resource`, a word of prlimit(1), of a running drill; what it already has, it keeps.
fn limit(drill: &Child, resource: &str, limit: &str) {
    let mut command = Command::new("prlimit");
    // Keep the hard limit, so that the soft one can be raised again.
    command.args(["--pid", &drill.id().to_string(), &format!("--{resource}={limit}:")]);
    // A user may limit their own processes; other users' need a capability that root may lack in a container.
    let owner = std::fs::metadata(format!("/proc/{}", drill.id())).unwrap();
    let done = command.uid(owner.uid()).gid(owner.gid()).output().unwrap();
    assert!(done.status.success(), "{}", text(&done));
}

/// The soft limit of a running drill, by its name in /proc/<pid>/limits.
fn soft_limit(drill: &Child, name: &str) -> String {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", drill.id())).unwrap();
    let values = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    values.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn threads_that_run_out_in_mid_drill_accuse_no_store_and_are_reported_in_the_systems_words() {
    let _room = room_for_one();
    let place = Place::new();
    let told = place.folder.path().join("stderr");
    // Redis cannot be restarted without a process.
    let mut command = unprivileged(&place, "kind = \"process.kill\"\nat = \"2s\"\nfor = \"1s\"");
    command.stdout(Stdio::piped()).stderr(std::fs::File::create(&told).unwrap());
    let drill = command.spawn().unwrap();
    let said = |words: &str| std::fs::read_to_string(&told).unwrap().contains(words).then_some(());
    wait_for("the fault", SOON, || said("process.kill on"));
    let soft = soft_limit(&drill, "Max processes");
    limit(&drill, "nproc", "1");
    wait_for("the last try to undo it", SOON, || said("the fault could not be undone"));
    limit(&drill, "nproc", &soft);
    let ended = drill.wait_with_output().unwrap();
    let said = text(&ended) + &std::fs::read_to_string(&told).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{said}");
    assert!(said.contains("Resource temporarily unavailable"), "{said}");
    let run = Run::load(&place.folder.path().join("runs/killed")).unwrap();
    // A fault that was never undone leaves no steady state, and fallbacks during it are provoked by it.
    assert_eq!(run.phases.iter().map(|phase| phase.name.name()).collect::<Vec<_>>(), ["before", "during"], "{said}");
    assert!(!run.fallback.activations[0].unprovoked, "{:?}", run.fallback);
}

#[test]
fn descriptors_that_run_out_during_a_drill_accuse_no_store_and_are_reported_in_the_systems_words() {
    let _room = room_for_one();
    let place = Place::new();
    // The store is cut off and finds no descriptor to reconnect. The proxy has one in reserve to reopen its port.
    let file = scenario(place.folder.path(), &["kind = \"proxy.down\"\nat = \"2s\"\nfor = \"300ms\""]);
    let gates = "[gates]\n\"during.errors\" = \"<= 100%\"\n\"after.errors\" = \"<= 1%\"\n";
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + gates).unwrap();
    let told = place.folder.path().join("stderr");
    let mut command = place.command();
    command.arg("run").arg(&file).arg("--out").arg(place.folder.path().join("runs")).env_remove("FIREDRILL_REDIS");
    let drill = command.stdout(Stdio::piped()).stderr(std::fs::File::create(&told).unwrap()).spawn().unwrap();
    let said = |words: &str| std::fs::read_to_string(&told).unwrap().contains(words).then_some(());
    wait_for("the fault", SOON, || said("proxy.down on"));
    let soft = soft_limit(&drill, "Max open files");
    // Lower than any descriptor of the drill, so that the descriptors of closed connections are not available either.
    limit(&drill, "nofile", "3");
    wait_for("the fault's end", SOON, || said("proxy.down off"));
    // The record is written after the shortage has ended, which would otherwise end the drill with 4.
    wait_for("the load's end", SOON, || said("waiting for recovery"));
    limit(&drill, "nofile", &soft);
    let ended = drill.wait_with_output().unwrap();
    let said = text(&ended) + &std::fs::read_to_string(&told).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{said}");
    assert!(said.contains("no file descriptor left") && said.contains("Too many open files"), "{said}");
}

#[test]
fn a_panic_in_the_proxys_thread_or_that_of_the_signals_ends_the_drill_healed() {
    let _room = room_for_one();
    let foreign = ForeignRedis::start();
    let before = foreign.snapshot();
    for planted in ["proxy", "signals"] {
        let place = Place::new();
        let mut command = place.command();
        command
            .arg("run")
            .arg(scenario(place.folder.path(), &[OOM]))
            .arg("--out")
            .arg(place.folder.path().join("runs"));
        command.args(["--allow-server-faults", &foreign.address()]).env("FIREDRILL_REDIS", &foreign.url);
        command.env("FIREDRILL_PLANTED_PANIC", planted).stdout(Stdio::piped()).stderr(Stdio::piped());
        let drill = command.spawn().unwrap();
        if planted == "signals" {
            wait_for("the fault", SOON, || (!foreign.is_well()).then_some(()));
            signal(&drill, Signal::SIGINT);
        }
        let ended = drill.wait_with_output().unwrap();
        let said = text(&ended);
        assert_eq!(ended.status.code(), Some(4), "{planted}: {said}");
        assert!(said.contains("panicked: planted"), "{planted}: {said}");
        assert_eq!((foreign.snapshot(), place.journals()), (before.clone(), Vec::new()), "{planted}");
    }
}

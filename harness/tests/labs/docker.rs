//! A Redis in a container: the same scenario has the same verdict as on a child process, and no container is left
//! behind. These tests fail on a machine without a Docker engine; `scripts/need.sh docker docker-compose` installs one.

use std::process::{Command, Stdio};
use std::time::Duration;

use firedrill::lab::{DockerConfig, DockerRedis, ProcessState, Server as _, ServerProcess as _};
use nix::sys::signal::Signal;

use crate::support::docker::{Compose, IMAGE, image, leftovers, text};
use crate::support::{FinishedDrill, LIGHT, drill, drill_text, firedrill, machine, signal, wait_for};

const SOON: Duration = Duration::from_secs(60);

fn docker_drill(scenario: &str, changes: &[&str]) -> FinishedDrill {
    let mut arguments = vec!["--lab", "docker", "--image", image()];
    arguments.extend(LIGHT);
    arguments.extend(changes.iter().flat_map(|change| ["--set", change]));
    drill(scenario, &arguments)
}

#[test]
fn an_outage_in_docker_comes_to_the_verdict_of_a_managed_redis() {
    let done = docker_drill("redis-outage", &["load.for=8s", "fault.at=2s", "fault.for=2s"]).expect(0);
    let run = done.run();
    assert!(run.fallback.drained.written > 0);
    assert!(run.environment.iter().any(|fact| fact.value == IMAGE), "{:?}", run.environment);
    assert_eq!(leftovers(), Vec::<String>::new());
}

#[test]
fn a_container_that_is_killed_and_restarted_keeps_its_aof_and_loses_what_only_a_snapshot_would_have_had() {
    // A busy engine has taken four seconds to kill a container.
    let changes = ["load.for=10s", "fault.at=1s", "fault.for=1s"];
    // Not everysec: the data is on the engine's disk, and while that is busy with an fsync, Redis holds back
    // acknowledged writes (docs/how-it-works.md). Others' fsyncs hold up writes to the same disk for half a second.
    let on_disk = ["lab.redis.persistence=aof-no", "store.timeout=1s"];
    let kept = docker_drill("restart-persistence", &[&changes[..], &on_disk].concat()).expect(0);
    let killed = &kept.run().faults[0];
    assert!(killed.bit && killed.evidence.contains("gone"), "{}", killed.evidence);
    let lost = docker_drill("restart-persistence", &[&changes[..], &["lab.redis.persistence=rdb"]].concat()).expect(1);
    assert_eq!(lost.check("lost-writes"), "invalid");
    assert_eq!(leftovers(), Vec::<String>::new());
}

#[test]
fn the_scenario_may_name_lab_and_image_and_standing_still_is_a_pause_of_the_container() {
    let text = format!(
        "name = \"drilled\"\nabout = \"A container is stopped.\"\n[lab]\nkind = \"docker\"\nimage = \"{}\"\n\
         [[load]]\nrate = \"100/s\"\nfor = \"5s\"\nsessions = 50\npayload = \"2KB\"\n\
         [[fault]]\nkind = \"process.stop\"\nat = \"1s\"\nfor = \"1s\"\n\
         [gates]\n\"during.errors\" = \"<= 1%\"\n\"recovery\" = \"<= 3s\"\n",
        image()
    );
    let done = drill_text(&text, &[]).expect(0);
    assert!(done.run().faults[0].evidence.contains("is stopped"), "{}", done.run().faults[0].evidence);
    assert_eq!(leftovers(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn port_and_data_survive_kill_and_restart() {
    let config = DockerConfig { image: image().to_owned(), ..DockerConfig::default() };
    let redis = DockerRedis::start(&config).await.unwrap();
    let url = redis.url().expose().to_owned();
    redis.admin().query::<()>(redis::cmd("SET").arg("kept").arg("1")).await.unwrap();
    redis.kill().await.unwrap();
    assert_eq!((redis.state(), redis.pid()), (ProcessState::Dead, None));
    redis.ensure_running().await.unwrap();
    assert_eq!(redis.url().expose(), url);
    assert_eq!(redis.admin().query::<String>(redis::cmd("GET").arg("kept")).await.unwrap(), "1");
    redis.remove().await.unwrap();
    assert!(redis.kill().await.is_err(), "what is removed cannot be killed");
}

#[test]
fn without_an_engine_it_exits_4_with_the_reason_and_doctor_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = format!("unix://{}/no.sock", folder.path().display());
    let mut command = firedrill();
    command.args(["run", "redis-outage", "--lab", "docker", "--out"]).arg(folder.path().join("runs"));
    let refused = command.env("DOCKER_HOST", &nowhere).output().unwrap();
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    assert!(text(&refused).contains("no Docker engine"), "{}", text(&refused));

    let doctor = firedrill().arg("doctor").env("DOCKER_HOST", &nowhere).output().unwrap();
    assert!(text(&doctor).contains("absent   docker"), "{}", text(&doctor));
    let doctor = firedrill().arg("doctor").output().unwrap();
    assert!(text(&doctor).contains("ok       docker"), "{}", text(&doctor));
}

#[test]
fn an_unavailable_image_exits_4_and_an_image_without_a_container_2() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = firedrill();
        command.args(["run", "redis-outage", "--out"]).arg(folder.path()).args(arguments);
        command.output().unwrap()
    };
    // A registry on this machine, where nothing listens.
    let absent = run(&["--lab", "docker", "--image", "127.0.0.1:1/no/such:image"]);
    assert_eq!(absent.status.code(), Some(4), "{}", text(&absent));
    assert!(text(&absent).contains("scripts/redis-image.sh"), "{}", text(&absent));
    assert_eq!(run(&["--image", IMAGE]).status.code(), Some(2));
    assert_eq!(run(&["--lab", "docker", "--redis", "redis://127.0.0.1:1"]).status.code(), Some(2));
}

#[test]
fn the_container_of_a_killed_drill_is_removed_by_heal() {
    let _machine = machine();
    let folder = tempfile::tempdir().unwrap();
    let mut command = firedrill();
    command.args(["run", "redis-outage", "--lab", "docker", "--image", image(), "--out"]).arg(folder.path());
    let mut drill = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let history = folder.path().join("redis-outage/history.fdh");
    wait_for("the load", SOON, || std::fs::metadata(&history).ok().filter(|file| file.len() > 10_000));
    signal(&drill, Signal::SIGKILL);
    drill.wait().unwrap();
    assert_eq!(leftovers().len(), 1);

    let healed = firedrill().arg("heal").output().unwrap();
    assert_eq!(healed.status.code(), Some(0), "{}", text(&healed));
    assert!(text(&healed).contains(IMAGE), "{}", text(&healed));
    assert_eq!(leftovers(), Vec::<String>::new());
}

#[test]
fn a_drill_runs_against_the_redis_of_the_compose_file() {
    let compose = Compose::up("drill");
    let url = compose.url();
    let client = redis::Client::open(url.as_str()).unwrap();

    let mut arguments = vec!["--redis", &url];
    // Nothing tells the drill whether a container of somebody else's got a processor: half a second without one is no outage here.
    let short = ["load.for=6s", "fault.at=2s", "fault.for=1s", "store.timeout=2s"];
    arguments.extend(LIGHT);
    arguments.extend(short.iter().flat_map(|change| ["--set", change]));
    let done = drill("redis-outage", &arguments).expect(0);
    assert!(done.run().fallback.drained.written > 0);
    let left: u64 = redis::cmd("DBSIZE").query(&mut client.get_connection().unwrap()).unwrap();
    assert_eq!(left, 0, "the drill's keys are gone");

    let project = format!("label=com.docker.compose.project={}", compose.project());
    drop(compose);
    let listed = Command::new("docker").args(["ps", "--all", "--quiet", "--filter", &project]).output().unwrap();
    assert_eq!(text(&listed), "");
}

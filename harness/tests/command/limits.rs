//! Limits that are planted: `firedrill capacity` has to name each.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use firedrill::lab::{ManagedConfig, ManagedRedis, ServerProcess as _};
use firedrill::proxy::toxic::{Bandwidth, Latency};
use firedrill::proxy::{Direction, ProxyServer, Toxic, ToxicSpec};
use firedrill_reports::capacity::{Capacity, Limit, LimitName};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{firedrill, machine};

/// Enough for a knee to be found, if not for a narrow interval.
const SHORT: [&str; 6] = ["--for", "16s", "--width", "30%", "--seed", "5"];

/// Plain commands: `size`, on so many connections.
fn plain(connections: u32, size: &str, mix: &str) -> String {
    format!(
        "name = \"plain\"\nabout = \"Plain commands.\"\ntarget = {{ kind = \"redis\", connections = {connections} }}\n\
         [[load]]\nrate = \"100/s\"\nfor = \"1s\"\nsessions = 100\npayload = \"{size}\"\nmix = {{ {mix} }}\n"
    )
}

/// What a search finds as the first limit of the scenario in the file.
fn first_limit(scenario: &Path, out: &Path, more: &[&str]) -> Limit {
    let mut command = firedrill();
    command.arg("capacity").arg(scenario).arg("--out").arg(out).args(SHORT).args(more);
    let output = command.output().unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
    let folder = std::fs::read_dir(out).unwrap().next().unwrap().unwrap().path();
    let limit = Capacity::load(&folder).unwrap().limit;
    eprintln!("{}: {}\n{said}", serde_json::to_string(&limit.name).unwrap(), limit.evidence);
    limit
}

fn of_text(text: &str, more: &[&str]) -> Limit {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("scenario.toml");
    std::fs::write(&scenario, text).unwrap();
    first_limit(&scenario, &folder.path().join("out"), more)
}

/// The first limit that `search` finds on the Redis of a URL, behind a proxy with this toxic.
async fn behind(toxic: impl Into<Toxic>, search: impl FnOnce(&str) -> Limit + Send + 'static) -> Limit {
    let redis = ManagedRedis::start(&ManagedConfig::default()).await.unwrap();
    let server = ProxyServer::start(1).unwrap();
    let proxy = server.create("slow", "127.0.0.1:0".parse().unwrap(), redis.address().to_string(), true).await.unwrap();
    proxy.add_toxic(ToxicSpec::new(Direction::Downstream, toxic)).await.unwrap();
    let url = format!("redis://{}", proxy.listen_addr());
    tokio::task::spawn_blocking(move || search(&url)).await.unwrap()
}

#[tokio::test]
#[ignore = "half a minute of the machine: `make test-all` runs it"]
async fn a_long_way_to_redis_is_named() {
    let latency = Latency { latency: 15, jitter: 0 };
    let limit = behind(latency, |url| {
        let _machine = machine();
        let asked = ["--redis", url, "--slo", "p95 <= 200ms", "--start", "100/s"];
        of_text(&plain(16, "1KB", "read = 9, put = 1"), &asked)
    });
    let limit = limit.await;
    assert_eq!(limit.name, LimitName::Network, "{}", limit.evidence);
}

#[tokio::test]
#[ignore = "half a minute of the machine: `make test-all` runs it"]
async fn a_narrow_line_to_redis_is_named() {
    let bandwidth = Bandwidth { rate: 1_000 };
    let limit = behind(bandwidth, |url| {
        let _machine = machine();
        let asked = ["--redis", url, "--slo", "p95 <= 400ms", "--start", "100/s"];
        of_text(&plain(8, "20KB", "read = 9, put = 1"), &asked)
    });
    let limit = limit.await;
    assert_eq!(limit.name, LimitName::Network, "{}", limit.evidence);
}

#[tokio::test]
#[ignore = "half a minute of the machine: `make test-all` runs it"]
async fn a_redis_that_gets_a_fifth_of_the_time_is_named() {
    let redis = ManagedRedis::start(&ManagedConfig::default()).await.unwrap();
    let pid = Pid::from_raw(redis.pid().unwrap().try_into().unwrap());
    let url = format!("redis://{}", redis.address());
    let ends = Arc::new(AtomicBool::new(false));
    let ended = ends.clone();
    let turns = std::thread::spawn(move || {
        while !ended.load(Relaxed) {
            kill(pid, Signal::SIGSTOP).unwrap();
            std::thread::sleep(Duration::from_millis(8));
            kill(pid, Signal::SIGCONT).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let limit = tokio::task::spawn_blocking(move || {
        let _machine = machine();
        let asked = ["--redis", &url, "--slo", "p95 <= 200ms", "--start", "1000/s"];
        of_text(&plain(64, "1KB", "read = 9, put = 1"), &asked)
    });
    let limit = limit.await.unwrap();
    ends.store(true, Relaxed);
    turns.join().unwrap();
    assert_eq!(limit.name, LimitName::RedisMainThread, "{}", limit.evidence);
}

#[test]
#[ignore = "half a minute of the machine: `make test-all` runs it"]
fn a_slow_disk_is_named() {
    let _machine = machine();
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("slow.c"), folder.path().join("slow.so"));
    std::fs::write(&source, "#include <unistd.h>\nint fdatasync(int file) { (void)file; return usleep(5000); }\n")
        .unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status().unwrap();
    assert!(built.success());
    let server = folder.path().join("redis-server");
    let found = Command::new("sh").args(["-c", "command -v redis-server"]).output().unwrap();
    let real = String::from_utf8(found.stdout).unwrap();
    let script = format!("#!/bin/sh\nLD_PRELOAD={} exec {} \"$@\"\n", library.display(), real.trim());
    std::fs::write(&server, script).unwrap();
    std::fs::set_permissions(&server, std::fs::Permissions::from_mode(0o755)).unwrap();
    let server = server.to_string_lossy();
    let mut asked = vec!["--redis-server", &server, "--slo", "p95 <= 200ms", "--start", "100/s"];
    asked.extend(["--set", "lab.redis.persistence=aof-always"]);
    let limit = of_text(&plain(8, "1KB", "put = 1"), &asked);
    assert_eq!(limit.name, LimitName::Disk, "{}", limit.evidence);
}

#[test]
#[ignore = "half a minute of the machine: `make test-all` runs it"]
fn a_full_memory_is_named() {
    let _machine = machine();
    let asked = ["--slo", "errors <= 0.1%", "--start", "200/s", "--set", "lab.redis.maxmemory=8MiB"];
    let limit = of_text(&plain(32, "4KB", "read = 1, create = 1"), &asked);
    assert_eq!(limit.name, LimitName::Memory, "{}", limit.evidence);
}

fn of_the_shop(more: &[&str]) -> Limit {
    let _machine = machine();
    let folder = tempfile::tempdir().unwrap();
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command/own_app/shop.toml");
    let asked = ["--slo", "p90 <= 500ms", "--start", "40/s", "--set", "target.connections=64"];
    // Of two values of a setting, the later counts.
    first_limit(&shop, folder.path(), &[&asked, more].concat())
}

#[tokio::test]
#[ignore = "half a minute of the machine: `make test-all` runs it"]
async fn an_applications_pool_of_four_connections_is_named() {
    let latency = Latency { latency: 15, jitter: 0 };
    let changes = ["--set", r#"app.env.POOL="4""#, "--set", r#"app.env.PREFIX="{{prefix}}""#];
    let limit = behind(latency, move |url| of_the_shop(&[&["--redis", url], &changes[..]].concat())).await;
    assert_eq!(limit.name, LimitName::Pool, "{}", limit.evidence);
}

#[test]
#[ignore = "a minute of the machine: `make test-all` runs it"]
fn connections_are_confirmed_as_the_limit_by_half_of_them() {
    // An append takes 20 ms, in which the application does nothing.
    let slow = ["--set", r#"app.env.UPDATE="whole""#, "--set", "target.connections=4", "--confirm"];
    let limit = of_the_shop(&slow);
    assert_eq!((limit.name, limit.confirmed), (LimitName::Connections, Some(true)), "{}", limit.evidence);
}

#[test]
#[ignore = "a minute of the machine: `make test-all` runs it"]
fn an_application_is_confirmed_as_the_limit_by_stopping_it_half_of_the_time() {
    let limit = of_the_shop(&["--confirm"]);
    assert_eq!((limit.name, limit.confirmed), (LimitName::Application, Some(true)), "{}", limit.evidence);
}

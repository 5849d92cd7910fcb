//! An application in a container of a Compose file: session-server in an image that is built from nothing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::docker::text;
use crate::support::{app, drill_text, firedrill, machine, signal, wait_for};

const SOON: Duration = Duration::from_secs(60);

/// As it is shipped.
const DESCRIPTION: &str = include_str!("../../scenarios/apps/session-server.toml");

/// Users of the file have networks and other services, and publish ports: none of it may matter.
const COMPOSE: &str = "version: \"3\"
services:
  web:
    build: .
    ports: [\"127.0.0.1:0:3000\"]
    depends_on: [redis]
    volumes: [\"uploads:/uploads\", \"kept:/kept\"]
  redis:
    image: firedrill.invalid/no-such-image
volumes:
  uploads:
  kept:
    name: KEPT
";

/// A load that waits for nothing but the service.
const SHORT: &str = r#"
name  = "drilled"
about = "A container."
[target]
kind = "http"
[[load]]
rate     = "50/s"
for      = "13s"
sessions = 20
payload  = "2KB"
mix      = { create = 1, read = 5, append = 4 }
[checks]
lost-writes = "valid"
"#;

/// A folder with the Compose file, and the description of its service in `web.toml`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let server = app::session_server();
    let listed = Command::new("ldd").arg(server).output().unwrap();
    let libraries = String::from_utf8_lossy(&listed.stdout).into_owned();
    let libraries = libraries.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    let root = folder.path().join("root");
    for file in libraries {
        let at = root.join(file.trim_start_matches('/'));
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::copy(file, at).unwrap();
    }
    std::fs::copy(server, root.join("session-server")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("Dockerfile", "FROM scratch\nCOPY root/ /\nCMD [\"/session-server\"]\n");
    write("compose.yaml", &COMPOSE.replace("KEPT", &kept(folder.path())));
    let service = "compose   = { file = \"compose.yaml\", service = \"web\" }";
    let described = DESCRIPTION.replace("command   = [\"session-server\"]", service);
    assert!(described.contains(service));
    write("web.toml", &described);
    write("short.toml", SHORT);
    folder
}

/// A volume of a fixed name, which the file's user has had before.
fn kept(folder: &Path) -> String {
    format!("kept-{}", folder.file_name().unwrap().to_string_lossy().trim_start_matches('.'))
}

fn docker(arguments: &[&str]) -> String {
    text(&Command::new("docker").args(arguments).output().unwrap())
}

fn at(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// What is left of the project of a drill in this process: containers, networks, volumes and images.
fn left(process: u32) -> String {
    let (project, name) = (format!("firedrill-{process}-"), format!("name=firedrill-{process}-"));
    let images = docker(&["images", "--format", "{{.Repository}}"]);
    let images: Vec<&str> = images.lines().filter(|line| line.starts_with(&project)).collect();
    let containers = docker(&["ps", "--all", "--format", "{{.Names}}", "--filter", &name]);
    let networks = docker(&["network", "ls", "--format", "{{.Name}}", "--filter", &name]);
    let volumes = docker(&["volume", "ls", "--format", "{{.Name}}", "--filter", &name]);
    format!("{containers}{networks}{volumes}{}", images.concat())
}

#[test]
fn the_service_of_a_compose_file_is_stopped_killed_and_redeployed_and_leaves_nothing() {
    let folder = folder();
    let faults =
        r#"fault=[{ kind = "app.stop", at = "1s", for = "500ms" }, { kind = "app.kill", at = "3s", for = "500ms" }]"#;
    let deploy = r#"deploy=[{ at = "7s", env = { SESSION_SLIDING = "false" } }]"#;
    let web = at(folder.path(), "web.toml");
    let gate = r#"gates={ "after.errors" = "= 0%" }"#;
    let done = drill_text(SHORT, &["--app", &web, "--set", faults, "--set", deploy, "--set", gate]).expect(0);
    let run = done.run();
    assert!(run.faults.iter().all(|fault| fault.bit), "{:?}", run.faults);
    assert!(run.faults[2].evidence.contains("1 of 1 restarted"), "{:?}", run.faults[2]);
    let log = std::fs::read_to_string(done.dir().join("app.out")).unwrap();
    assert!(log.matches("listening on http://").count() >= 3, "{log}");
    assert!(run.resources.iter().any(|sample| sample.process_rss_bytes.is_some_and(|bytes| bytes > 1 << 20)));
    let target = run.environment.iter().find(|fact| fact.key == "target").unwrap();
    assert_eq!(target.value, "http (the service web of compose.yaml)");
}

#[test]
fn a_container_ends_with_the_harness_however_that_ends() {
    let folder = folder();
    let kept = kept(folder.path());
    docker(&["volume", "create", &kept]);
    let _machine = machine();
    let mut command = firedrill();
    command.args(["run", &at(folder.path(), "short.toml"), "--app", &at(folder.path(), "web.toml"), "--out"]);
    let mut drill = command.arg(folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the container", SOON, || left(drill.id()).contains("-1\n").then_some(()));
    signal(&drill, Signal::SIGKILL);
    drill.wait().unwrap();
    wait_for("the end of the container", SOON, || left(drill.id()).is_empty().then_some(()));
    assert_eq!(docker(&["volume", "rm", &kept]).trim(), kept, "it was there before, and is nobody else's to remove");
}

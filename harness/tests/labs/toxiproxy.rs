//! A Toxiproxy server replaces the embedded proxy. The server here is `firedrill proxy`, a separate process that
//! implements Toxiproxy's API.

use std::process::Stdio;
use std::time::Duration;

use firedrill::lab::{ManagedConfig, ManagedRedis};
use nix::sys::signal::Signal;

use crate::support::docker::{root, text};
use crate::support::toxiproxy::Server;
use crate::support::{LIGHT, drill, drill_beside, drill_text, firedrill, machine, signal, wait_for};
use crate::support::{python, validator};

const SOON: Duration = Duration::from_secs(60);

const SHORT: [&str; 6] = ["--set", "load.for=6s", "--set", "fault.at=2s", "--set", "fault.for=1s"];

#[test]
fn an_outage_through_toxiproxy_comes_to_the_verdict_of_the_embedded_proxy() {
    let server = Server::start();
    let done = drill("redis-outage", &[&["--toxiproxy", &server.url()], &LIGHT[..], &SHORT[..]].concat()).expect(0);
    let run = done.run();
    assert!(run.fallback.drained.written > 0 && run.faults[0].bit, "{:?}", run.faults);
    assert_eq!(server.proxies(), ["theirs"], "its own proxy is gone, and no other");
}

#[test]
fn toxics_of_a_toxiproxy_server_are_felt_and_taken_off_again() {
    let server = Server::start();
    let text = "name = \"drilled\"\nabout = \"Toxics elsewhere.\"\n\
        [[load]]\nrate = \"100/s\"\nfor = \"8s\"\nsessions = 30\npayload = \"2KB\"\n\
        [[fault]]\nkind = \"proxy.latency\"\nlatency = \"60ms\"\nat = \"1s\"\nfor = \"700ms\"\n\
        [[fault]]\nkind = \"proxy.timeout\"\nat = \"2s\"\nfor = \"500ms\"\n\
        [[fault]]\nkind = \"proxy.limit_data\"\nbytes = \"20KB\"\nat = \"3s\"\nfor = \"500ms\"\n\
        [[fault]]\nkind = \"proxy.reset_peer\"\nat = \"4s\"\nfor = \"500ms\"\n\
        [gates]\n\"during.errors\" = \"<= 1%\"\n";
    let done = drill_text(text, &["--toxiproxy", &server.url()]);
    let run = done.expect(0).run();
    for fault in &run.faults {
        assert!(
            fault.bit && fault.evidence.contains("not counted by this proxy"),
            "{}: {}",
            fault.kind,
            fault.evidence
        );
    }
    assert_eq!(server.proxies(), ["theirs"]);
}

#[test]
fn a_toxiproxy_leads_to_an_impostor_and_back() {
    let server = Server::start();
    let run = drill("tls-impostor", &["--toxiproxy", &server.url()]).expect(0).run();
    assert!(run.faults[0].bit && run.faults[0].evidence.ends_with("none trusted it"), "{:?}", run.faults);
    assert_eq!(server.proxies(), ["theirs"]);
}

#[tokio::test]
async fn a_client_that_somebody_else_wrote_drives_the_server() {
    let (server, redis) = (Server::start(), ManagedRedis::start(&ManagedConfig::default()).await.unwrap());
    let script = root().join("harness/tests/support/toxiproxy_client.py");
    let mut client = python();
    client.arg(script).arg(server.api.port().to_string()).arg(redis.address().port().to_string());
    let done = client.env("PYTHONPATH", validator("")).output().unwrap();
    assert!(done.status.success(), "{}", text(&done));
    assert_eq!(server.proxies(), ["theirs"]);
}

#[test]
fn what_a_killed_drill_left_on_a_toxiproxy_server_is_deleted_by_heal() {
    let _machine = machine();
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let state = folder.path().join("state");
    let mut command = firedrill();
    command.args(["run", "redis-outage", "--toxiproxy", &server.url(), "--out"]).arg(folder.path().join("runs"));
    let quiet = command.env("FIREDRILL_STATE", &state).stdout(Stdio::null()).stderr(Stdio::null());
    let mut drill = quiet.spawn().unwrap();
    wait_for("the drill's proxy", SOON, || (server.proxies().len() == 2).then_some(()));
    signal(&drill, Signal::SIGKILL);
    drill.wait().unwrap();
    assert_eq!(server.proxies().len(), 2);

    let healed = firedrill().arg("heal").env("FIREDRILL_STATE", &state).output().unwrap();
    let said = String::from_utf8_lossy(&healed.stdout);
    assert_eq!(healed.status.code(), Some(0), "{said}");
    assert!(said.contains("DELETE proxy firedrill-"), "{said}");
    assert_eq!(server.proxies(), ["theirs"]);
}

#[test]
fn a_toxiproxy_that_is_not_there_exits_4_and_what_is_no_url_2() {
    // Runs alone: otherwise it would find the journal of another test's drill below.
    let _machine = machine();
    let absent = drill_beside("redis-outage", &["--toxiproxy", "http://127.0.0.1:1"]).expect(4);
    assert!(absent.stderr.contains("Toxiproxy at http://127.0.0.1:1 cannot be reached"), "{}", absent.stderr);
    assert_eq!(drill_beside("redis-outage", &["--toxiproxy", "127.0.0.1:8474"]).status, 2);
    // Nothing was created, so nothing is left to heal.
    let healed = firedrill().arg("heal").output().unwrap();
    assert_eq!(healed.status.code(), Some(0), "{}", String::from_utf8_lossy(&healed.stdout));
}

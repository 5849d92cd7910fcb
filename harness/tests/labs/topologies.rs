//! Drills on several servers, and on one behind TLS.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill::fault::{Down, FaultContext, FaultSpec, ServerProxies};
use firedrill::lab::{Lab, LabError, ManagedConfig, Topology};
use firedrill::units::Span;

use crate::support::drill::{Places, run, written};
use crate::support::{firedrill, room_for_a_group};

#[test]
fn the_proxies_of_a_topology_are_the_drills_own() {
    let toxiproxy = ["run", "sentinel-partition", "--toxiproxy", "http://127.0.0.1:1"];
    let output = firedrill().args(toxiproxy).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("needs the embedded proxy in front of each server: leave out --toxiproxy"), "{said}");
}

/// Sentinels watch a server that calls itself a primary for 8 s before they correct it, and they ask it every 10 s.
const DEADLINE: Duration = Duration::from_secs(120);

/// Polls until the condition holds.
async fn wait_until(what: &str, mut is_so: impl AsyncFnMut() -> Result<bool, LabError>) {
    let until = Instant::now() + DEADLINE;
    while !is_so().await.is_ok_and(|so| so) {
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Makes the sentinels patient: on a machine busy with other tests, they would soon go back to the server they left.
async fn no_more_failovers(lab: &Lab) {
    let firedrill_storage::Deployment::Sentinel { sentinels, master, .. } = lab.access().deployment else {
        panic!("there are no sentinels")
    };
    for sentinel in sentinels {
        let client = redis::Client::open(format!("redis://{sentinel}/")).unwrap();
        let mut line = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd("SENTINEL");
        command.arg("SET").arg(&master).arg("down-after-milliseconds").arg(30_000);
        command.query_async::<()>(&mut line).await.unwrap();
    }
}

/// Split brain: a client on the old primary's side of the network (here the lab's own connection, which bypasses the
/// proxy) gets OK.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_cut_off_believes_in_itself_and_drops_what_it_alone_has() {
    let _room = room_for_a_group();
    let proxies = Arc::new(ServerProxies::new(1).unwrap());
    let config = ManagedConfig { proxies: Some(proxies.clone()), ..ManagedConfig::default() };
    let lab = Arc::new(Lab::in_topology(Topology::Sentinel, &config).await.unwrap());
    let down = FaultSpec::once(Down {}, Span::default(), Span::secs(60));
    let fault = FaultContext::behind(lab.clone(), proxies).unwrap().build(&[down]).unwrap().remove(0);
    let (key, old) = (format!("{}session:1", lab.prefix()), lab.admin());

    fault.inject().await.unwrap();
    wait_until("nobody took over", async || Ok(!std::ptr::eq(lab.leaders().await?[0], old))).await;
    no_more_failovers(&lab).await;
    assert_eq!(old.info().await.unwrap().role, "master");
    old.query::<()>(redis::cmd("SET").arg(&key).arg("acknowledged")).await.unwrap();
    fault.heal().await.unwrap();

    wait_until("the old primary did not become a replica", async || Ok(old.info().await?.role == "slave")).await;
    let read = redis::cmd("GET").arg(&key).clone();
    wait_until("it kept what it alone had", async || Ok(old.query::<Option<String>>(&read).await?.is_none())).await;
    let new = lab.leaders().await.unwrap()[0];
    assert_eq!(new.query::<Option<String>>(&read).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_replicas_have_every_write_also_after_their_server_was_killed() {
    let _room = room_for_a_group();
    let lab = Lab::in_topology(Topology::Replicas, &ManagedConfig::default()).await.unwrap();
    let (admin, server) = (lab.admin(), lab.aim().await.unwrap());
    let process = server.process_for("process.kill").unwrap();
    for write in ["before", "after"] {
        admin.query::<()>(redis::cmd("SET").arg(format!("{}session:{write}", lab.prefix())).arg("kept")).await.unwrap();
        let wait = redis::cmd("WAIT").arg(2).arg(1_000).clone();
        wait_until("a replica lacks a write", async || Ok(admin.query::<u64>(&wait).await? == 2)).await;
        process.kill().await.unwrap();
        process.ensure_running().await.unwrap();
    }
    assert_eq!(lab.session_keys().await.unwrap().len(), 2);
}

#[test]
fn a_server_with_two_replicas_is_drilled_like_one_alone() {
    let text = r#"
name  = "drilled"
about = "A server with two replicas dies, and later refuses writes."
[lab]
topology = "replicas"
[[load]]
rate     = "100/s"
for      = "7s"
sessions = 30
payload  = "1KB"
mix      = { read = 6, append = 3 }
[[fault]]
kind = "process.kill"
at   = "1s"
for  = "500ms"
[[fault]]
kind = "server.oom"
at   = "3s"
for  = "1s"
[checks]
lost-writes = "valid"
[gates]
"after.errors"  = "= 0%"
"fallback.lost" = "= 0"
"#;
    let (_folder, file) = written(text);
    let run = run(Places::Group, &file, &[]).expect(0).run();
    assert!(run.faults.iter().all(|fault| fault.bit), "{:?}", run.faults);
}

#[test]
fn slots_are_moved_in_a_cluster_only() {
    let output = firedrill().args(["show", "cluster-migration", "--set", "lab.topology=sentinel"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("only a cluster has slots to move"), "{said}");
}

#[test]
fn time_jumps_on_every_primary_of_a_cluster() {
    let run = run(Places::Group, "ttl-jump", &["--set", "lab.topology=cluster"]).expect(0).run();
    assert!(run.faults.iter().all(|fault| fault.bit), "{:?}", run.faults);
}

#[test]
fn what_needs_tls_is_refused_without_it_and_the_other_way_round() {
    let impostor = r#"fault=[{ kind = "proxy.impostor", at = "1s", for = "1s" }]"#;
    for (scenario, set, complaint) in [
        ("redis-outage", impostor, "without TLS there is no certificate to forge"),
        ("redis-outage", "store.defect=tls-unverified", "without TLS there is no certificate that could go unverified"),
        ("tls-acl", "gates.\"impostor.trusted\"== 0", "there is no impostor of Redis"),
        ("tls-acl", "store.defect=count-by-keys", "which leads to one server without TLS"),
        ("sentinel-failover", impostor, "without TLS there is no certificate to forge"),
    ] {
        let output = firedrill().args(["run", scenario, "--set", set]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).replace("\n", " ");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ").replace("│ ", "");
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(complaint), "{said}");
    }
}

#[test]
fn a_stopped_primary_is_taken_for_lost() {
    let text = r#"
name  = "drilled"
about = "The primary is stopped; the store writes to its successor and stays there."
[lab]
topology = "sentinel"
[[load]]
rate     = "100/s"
for      = "9s"
sessions = 30
payload  = "1KB"
mix      = { read = 6, append = 3 }
[[fault]]
kind = "process.stop"
at   = "1s"
for  = "5s"
[checks]
lost-writes     = "report"
read-your-writes = "report"
monotonic-reads  = "report"
stale-reads      = "report"
resurrection     = "report"
double-award     = "report"
ttl              = "report"
isolation        = "valid"
[gates]
"during.degraded" = "<= 90%"
"after.errors"    = "= 0%"
"#;
    let (_folder, file) = written(text);
    let run = run(Places::Group, &file, &[]).expect(0).run();
    assert!(run.faults[0].bit, "{:?}", run.faults);
}

#[test]
fn what_needs_servers_of_the_drills_own_is_refused_on_a_redis_that_is_there_already() {
    for (scenario, why) in [
        ("sentinel-failover", "process.kill needs a Redis that the drill owns"),
        ("sentinels-lost", "sentinel.kill needs a redis-server that the drill runs itself"),
        ("cluster-migration", "cluster.migrate-slots needs a redis-server that the drill runs itself"),
        ("replica-promoted", "lab.topology = \"replica\" needs servers that the drill starts itself"),
    ] {
        let output = firedrill().args(["run", scenario, "--redis", "redis://127.0.0.1:1"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

/// Whichever side is lost in the middle of the move, the slot ends up whole, with its key, and where the keys were
/// meant to go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_is_not_left_half_moved_when_its_primary_is_lost() {
    let _room = room_for_a_group();
    let lab = Lab::in_topology(Topology::Cluster, &ManagedConfig::default()).await.unwrap();
    let slots = lab.slots().unwrap();
    let way = slots.way().await.unwrap();
    let server = lab.aim().await.unwrap();
    let process = server.process_for("process.kill").unwrap();
    let (key, admin) = (format!("{}session:{{7}}", lab.prefix()), server.admin());
    let slot: u16 = admin.query(redis::cmd("CLUSTER").arg("KEYSLOT").arg(&key)).await.unwrap();
    assert!(slot < 5461, "the key is to be the first primary's, and is in slot {slot}");
    admin.query::<()>(redis::cmd("SET").arg(&key).arg("kept")).await.unwrap();
    let replicas: u64 = admin.query(redis::cmd("WAIT").arg(1).arg(5000)).await.unwrap();
    assert_eq!((replicas, slots.used(way, lab.prefix()).await.unwrap()), (1, vec![slot]));

    slots.open(slot, way).await.unwrap();
    process.kill().await.unwrap();
    assert_eq!(slots.settle().await.unwrap(), 1);

    let to = lab.leaders().await.unwrap();
    let mut found = 0;
    for admin in to {
        let there: Result<String, _> = admin.query(redis::cmd("GET").arg(&key)).await;
        let nodes: String = admin.query(redis::cmd("CLUSTER").arg("NODES")).await.unwrap();
        assert!(!nodes.contains('['), "{nodes}");
        found += u32::from(there.is_ok_and(|value| value == "kept"));
    }
    assert_eq!(found, 1);
    process.ensure_running().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_found_and_removed_on_every_primary() {
    let _room = room_for_a_group();
    let lab = Lab::in_topology(Topology::Cluster, &ManagedConfig::default()).await.unwrap();
    let access = lab.access();
    let prefix = lab.prefix().as_str().to_owned();
    let builder = firedrill_storage::StoreBuilder {
        prefix: format!("{prefix}session:"),
        deployment: access.deployment,
        ..firedrill_storage::StoreBuilder::new(access.url.expose())
    };
    let store = builder.build::<firedrill_storage::TriviaSession>().unwrap().store;
    let hour = std::time::Duration::from_secs(3600);
    for number in 0..60 {
        let id = firedrill_storage::SessionId::new(&format!("s{number}")).unwrap();
        let user = firedrill_storage::UserId::Number(number);
        let data = firedrill_storage::TriviaSession::sized(id.clone(), user, 500, firedrill_storage::Timestamp(0));
        store.create(&id, data, hour).await.unwrap();
    }
    let scan = lab.scan_keys().await.unwrap();
    assert_eq!((scan.keys, scan.immortal_count), (120, 0), "60 sessions and their users' indexes");
    assert_eq!(lab.session_keys().await.unwrap().len(), 60);
    assert_eq!(lab.remove_keys().await.unwrap(), 120);
    assert_eq!(lab.scan_keys().await.unwrap().keys, 0);
}

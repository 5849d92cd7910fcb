//! Drills on more than one server, and on one behind TLS.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use firedrill::lab::{Lab, ManagedConfig, Topology};
use support::{drill, drill_text, firedrill};

#[test]
fn the_store_follows_a_failover_under_sentinel() {
    let run = drill("sentinel-failover", &[]).expect(0).run();
    assert!(run.faults[0].bit, "{:?}", run.faults);
    assert!(run.fallback.drained.written > 0, "{:?}", run.fallback);
}

#[test]
fn the_store_follows_a_failover_in_a_cluster() {
    let run = drill("cluster-failover", &[]).expect(0).run();
    assert!(run.faults[0].bit, "{:?}", run.faults);
    assert!(run.fallback.drained.written > 0, "{:?}", run.fallback);
}

#[test]
fn without_sentinels_nobody_takes_over() {
    let shorter = ["--set", "lab.topology=replica", "--set", "load.for=6s", "--set", "fault.for=3s"];
    let done = drill("sentinel-failover", &shorter).expect(1);
    assert!(done.stdout.contains("gate during.degraded"), "{}", done.stdout);
}

#[test]
fn the_store_works_behind_tls_as_a_user_with_few_rights() {
    drill("tls-acl", &[]).expect(0);
}

#[test]
fn a_primary_that_stands_still_is_taken_for_lost() {
    let text = r#"
name  = "drilled"
about = "The primary stands still; the store writes to the one that takes over, and follows no one back."
[lab]
topology = "sentinel"
[[load]]
rate     = "100/s"
for      = "8s"
sessions = 30
payload  = "1KB"
mix      = { read = 6, append = 3 }
[[fault]]
kind = "process.stop"
at   = "1s"
for  = "5s"
[checks]
lost-answers     = "report"
read-your-writes = "report"
monotonic-reads  = "report"
resurrection     = "report"
double-award     = "report"
ttl              = "report"
isolation        = "valid"
[gates]
"during.degraded" = "<= 90%"
"after.errors"    = "= 0%"
"#;
    let run = drill_text(text, &[]).expect(0).run();
    assert!(run.faults[0].bit, "{:?}", run.faults);
}

#[test]
fn a_topology_is_refused_on_a_redis_that_is_there_already() {
    let output = firedrill().args(["run", "sentinel-failover", "--redis", "redis://127.0.0.1:1"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("lab.topology = \"sentinel\" is of servers that the drill starts"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_found_and_removed_on_every_primary() {
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

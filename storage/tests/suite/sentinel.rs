//! A primary, its replica and three sentinels: the store follows the current primary.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use firedrill_storage::{
    AppendStore, Credentials, Deployment, Policy, RedisStore, SessionStore, StoreBuilder, StoreError, TriviaSession,
};
use nix::sys::signal::Signal;

use crate::support::{HOUR, RedisServer, answer, eventually, free_port, id, questions, session};

pub const DATA: &str = "data-secret";
/// How long a primary must be silent before the sentinels consider it down.
pub const DOWN_AFTER: Duration = Duration::from_millis(500);
pub const WATCH: &str = "watch-secret";

/// A sentinel process, ended with the test.
struct Sentinel {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Sentinel {
    fn start(primary: u16, down_after: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..20 {
            let port = free_port();
            let file = folder.path().join("sentinel.conf");
            let config = format!(
                "port {port}\nbind 127.0.0.1\ndir {}\nrequirepass {WATCH}\nsentinel sentinel-pass {WATCH}\n\
                 sentinel monitor drill 127.0.0.1 {primary} 2\nsentinel auth-pass drill {DATA}\n\
                 sentinel down-after-milliseconds drill {}\nsentinel failover-timeout drill 5000\n",
                folder.path().display(),
                down_after.as_millis()
            );
            std::fs::write(&file, config).unwrap();
            let mut command = Command::new("redis-server");
            command.arg(&file).arg("--sentinel").stdout(Stdio::null()).stderr(Stdio::null());
            // SAFETY: prctl is a plain system call; nothing is allocated between fork and exec.
            unsafe {
                command.pre_exec(|| nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(std::io::Error::from));
            }
            let mut child = command.spawn().unwrap();
            if crate::support::answers(port, &mut child) {
                return Self { child, port, _folder: folder };
            }
        }
        panic!("the sentinel does not start");
    }

    fn ask<T: redis::FromRedisValue>(&self, parts: &[&str]) -> redis::RedisResult<T> {
        let client = redis::Client::open(format!("redis://:{WATCH}@127.0.0.1:{}", self.port))?;
        redis::cmd("SENTINEL").arg(parts).query(&mut client.get_connection()?)
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct SentinelLab {
    primary: RedisServer,
    replica: RedisServer,
    sentinels: Vec<Sentinel>,
}

impl SentinelLab {
    pub async fn start(down_after: Duration) -> Self {
        let server = || {
            RedisServer::start_with(&["--requirepass", DATA, "--masterauth", DATA, "--repl-diskless-sync-delay", "0"])
        };
        let (primary, replica) = (server(), server());
        ask::<()>(&replica, &["REPLICAOF", "127.0.0.1", &primary.port().to_string()]).unwrap();
        eventually("the replica follows", async || info(&replica).contains("master_link_status:up").then_some(()))
            .await;
        let sentinels: Vec<Sentinel> = (0..3).map(|_| Sentinel::start(primary.port(), down_after)).collect();
        let lab = Self { primary, replica, sentinels };
        // A failover requires sentinels that know each other and the replica.
        eventually("the sentinels know each other", async || {
            let ready = |sentinel: &Sentinel| {
                let quorum = sentinel.ask::<String>(&["CKQUORUM", "drill"]).is_ok_and(|ok| ok.starts_with("OK 3"));
                let replicas: Vec<redis::Value> = sentinel.ask(&["REPLICAS", "drill"]).unwrap_or_default();
                quorum && replicas.len() == 1
            };
            lab.sentinels.iter().all(ready).then_some(())
        })
        .await;
        lab
    }

    /// The deployment, with a dead sentinel listed first.
    pub fn deployment(&self) -> Deployment {
        let mut sentinels = vec![format!("127.0.0.1:{}", free_port())];
        sentinels.extend(self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)));
        let credentials = Some(Credentials { user: None, password: WATCH.into() });
        Deployment::Sentinel { master: "drill".into(), sentinels, credentials }
    }

    pub fn kill_primary(&mut self) {
        self.primary.kill();
    }

    /// Only its password matters.
    pub fn url(&self) -> String {
        format!("redis://:{DATA}@unused.invalid")
    }

    fn store(&self) -> RedisStore<TriviaSession> {
        RedisStore::builder(&self.url())
            .deployment(self.deployment())
            .command_timeout(Duration::from_secs(1))
            .reconnect(Duration::from_millis(10), Duration::from_millis(100))
            .build()
            .unwrap()
    }
}

/// Asks a data node. Any error counts as no answer: a demoted primary closes its connections.
fn ask<T: redis::FromRedisValue>(server: &RedisServer, parts: &[&str]) -> redis::RedisResult<T> {
    let client = redis::Client::open(server.url().replace("redis://", &format!("redis://:{DATA}@")))?;
    redis::cmd(parts[0]).arg(&parts[1..]).query(&mut client.get_connection()?)
}

fn info(server: &RedisServer) -> String {
    ask(server, &["INFO", "replication"]).unwrap_or_default()
}

async fn replicated(server: &RedisServer, keys: usize) {
    eventually("the replica has every session", async || {
        let held: Vec<String> = ask(server, &["KEYS", "session:s*"]).unwrap_or_default();
        (held.len() == keys).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_is_followed_to_its_replica_and_nothing_replicated_is_lost() {
    let mut lab = SentinelLab::start(DOWN_AFTER).await;
    let store = lab.store();
    store.connect().await.unwrap();
    for n in 0..50 {
        let id = id(&format!("s{n}"));
        store.create(&id, session(&id, "ada"), HOUR).await.unwrap();
    }
    replicated(&lab.replica, 50).await;
    lab.primary.kill();
    let killed = Instant::now();
    eventually("the store writes again", async || store.append(&id("s0"), answer(1), HOUR).await.ok()).await;
    println!("writable again {:?} after the primary was killed", killed.elapsed());
    for n in 0..50 {
        assert!(store.get(&id(&format!("s{n}")), HOUR).await.unwrap().value.is_some(), "s{n}");
    }
    assert!(info(&lab.replica).contains("role:master"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demoted_primary_is_left_for_the_new_one() {
    let lab = SentinelLab::start(DOWN_AFTER).await;
    let store = lab.store();
    store.create(&id("s0"), session(&id("s0"), "ada"), HOUR).await.unwrap();
    replicated(&lab.replica, 1).await;
    // The sentinel refuses this until it has recently heard from the others.
    eventually("the failover begins", async || lab.sentinels[0].ask::<()>(&["FAILOVER", "drill"]).ok()).await;
    eventually("the primary is demoted", async || info(&lab.primary).contains("role:slave").then_some(())).await;
    eventually("the store writes again", async || {
        let written = store.append(&id("s0"), answer(1), HOUR).await;
        // A demoted primary must acknowledge nothing, because the write would be lost.
        written.ok()
    })
    .await;
    assert!(
        ask::<bool>(&lab.replica, &["EXISTS", "session:s0"]).unwrap() && info(&lab.replica).contains("role:master")
    );
    assert_eq!(questions(&store.get(&id("s0"), HOUR).await.unwrap().value.unwrap().data), [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_drain_a_failover_is_one_outage_and_what_was_written_in_it_reaches_the_new_primary() {
    let mut lab = SentinelLab::start(DOWN_AFTER).await;
    let builder = StoreBuilder {
        policy: Policy::Drain,
        deployment: lab.deployment(),
        command_timeout: Duration::from_secs(1),
        ..StoreBuilder::new(lab.url())
    };
    let built = builder.build::<TriviaSession>().unwrap();
    built.store.create(&id("s0"), session(&id("s0"), "ada"), HOUR).await.unwrap();
    replicated(&lab.replica, 1).await;
    lab.primary.kill();
    for question in 0..20 {
        built.store.append(&id("s0"), answer(question), HOUR).await.unwrap();
    }
    eventually("the fallback is over", async || (!built.fallback_stats().active).then_some(())).await;
    assert_eq!(built.fallback_stats().activations, 1);
    let value: String = ask(&lab.replica, &["GET", "session:s0"]).unwrap();
    assert_eq!(value.matches("\"question\":").count(), 20, "{value}");
}

#[tokio::test]
async fn what_the_sentinels_do_not_know_is_said() {
    let lab = RedisServer::start();
    let sentinel = Sentinel::start(lab.port(), DOWN_AFTER);
    let reason = async |master: &str, password: &str, sentinels: Vec<String>| {
        let credentials = Some(Credentials { user: None, password: password.into() });
        let store = RedisStore::<TriviaSession>::builder("redis://unused.invalid")
            .deployment(Deployment::Sentinel { master: master.into(), sentinels, credentials })
            .build()
            .unwrap();
        let error = store.connect().await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }));
        error.to_string().replace("storage unavailable: no sentinel names a primary: ", "")
    };
    let there = vec![format!("127.0.0.1:{}", sentinel.port)];
    assert_eq!(reason("other", WATCH, there.clone()).await, "it watches none by the name `other`");
    assert_eq!(reason("drill", "wrong", there).await, "authentication failed: check user and password");
    assert_eq!(reason("drill", WATCH, vec![format!("127.0.0.1:{}", free_port())]).await, "connection refused");
}

#[tokio::test]
async fn a_deployment_that_cannot_be_is_refused_at_the_start() {
    let refused = |master: &str, sentinels: &[&str]| {
        let sentinels = sentinels.iter().map(|sentinel| (*sentinel).to_owned()).collect();
        let deployment = Deployment::Sentinel { master: master.into(), sentinels, credentials: None };
        RedisStore::<TriviaSession>::builder("redis://h").deployment(deployment).build().err().unwrap().to_string()
    };
    assert_eq!(refused("drill", &[]), "Sentinel: name at least one sentinel as host:port");
    assert_eq!(refused("", &["h:1"]), "Sentinel: the name of the primary is empty");
    assert_eq!(refused("drill", &["h:1", "redis://:secret@h:1"]), "sentinel number 2 is not host:port");
}

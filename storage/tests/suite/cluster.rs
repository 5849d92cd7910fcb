//! A real cluster: the store keeps its promises while slots move and while a primary is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use firedrill_storage::{Deployment, Policy, SessionStore, StoreBuilder, StoreError, Timestamp, TriviaSession, UserId};

use crate::contract_cases::Store;
use crate::support::{HOUR, PATIENCE, RedisServer, answer, eventually, id, questions, session};
use crate::tls;

const PRIMARIES: usize = 3;
const SLOTS: usize = 16_384;
/// How long a node must be silent before the others consider it down, in tests that want this.
pub const NODE_TIMEOUT: Duration = Duration::from_secs(1);
pub const NEVER: Duration = Duration::from_secs(600);

pub struct ClusterLab {
    /// The primaries, then their replicas in the same order.
    nodes: Vec<RedisServer>,
}

impl ClusterLab {
    /// Three primaries, each with this many replicas.
    pub async fn start(replicas: usize, node_timeout: Duration) -> Self {
        let nodes: Vec<_> = (0..PRIMARIES * (1 + replicas)).map(|_| RedisServer::start_node(node_timeout)).collect();
        let lab = Self { nodes };
        for (at, node) in lab.nodes.iter().enumerate() {
            node.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()]).unwrap();
            if at < PRIMARIES {
                let (first, last) = (at * SLOTS / PRIMARIES, (at + 1) * SLOTS / PRIMARIES - 1);
                node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]).unwrap();
            }
            let port = lab.nodes[0].port().to_string();
            node.ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, lab.nodes[0].bus_port()]).unwrap();
        }
        for (at, node) in lab.nodes.iter().enumerate().skip(PRIMARIES) {
            let primary = lab.name(at % PRIMARIES);
            eventually("the replica has met its primary", async || {
                node.ask::<()>(&["CLUSTER", "REPLICATE", &primary]).ok()
            })
            .await;
        }
        eventually("the cluster is whole", async || {
            let whole = |node: &RedisServer| {
                let info: String = node.ask(&["CLUSTER", "INFO"]).unwrap_or_default();
                let replication: String = node.ask(&["INFO", "replication"]).unwrap_or_default();
                let known = format!("cluster_known_nodes:{}\r", lab.nodes.len());
                let followed = format!("connected_slaves:{replicas}\r");
                info.contains("cluster_state:ok")
                    && info.contains("cluster_slots_assigned:16384")
                    && info.contains(&known)
                    && (replication.contains("master_link_status:up") || replication.contains(&followed))
            };
            lab.nodes.iter().all(whole).then_some(())
        })
        .await;
        lab
    }

    pub fn url(&self) -> String {
        self.nodes[1].url()
    }

    pub fn settings(&self) -> StoreBuilder {
        let nodes = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        StoreBuilder {
            deployment: Deployment::Cluster { nodes },
            policy: Policy::FailFast,
            reconnect_max: Duration::from_millis(100),
            ..StoreBuilder::new(self.url())
        }
    }

    fn store(&self) -> Store {
        self.settings().build::<TriviaSession>().unwrap().store
    }

    fn name(&self, node: usize) -> String {
        self.nodes[node].ask(&["CLUSTER", "MYID"]).unwrap()
    }

    fn slot(&self, session: &str) -> usize {
        self.nodes[0].ask(&["CLUSTER", "KEYSLOT", &format!("session:{session}")]).unwrap()
    }

    /// The primary that had this session's slot at the start.
    fn home(&self, session: &str) -> usize {
        let slot = self.slot(session);
        (0..PRIMARIES).find(|at| slot < (at + 1) * SLOTS / PRIMARIES).unwrap()
    }

    /// Kills the primary that holds this session.
    pub fn kill_home_of(&mut self, session: &str) {
        let home = self.home(session);
        self.nodes[home].kill();
    }

    /// The primary that holds this session.
    pub fn home_of(&self, session: &str) -> &RedisServer {
        &self.nodes[self.home(session)]
    }

    /// Waits until each replica has everything that its primary has.
    pub async fn replicated(&self) {
        eventually("the replicas have every session", async || {
            let size = |node: &RedisServer| node.ask::<u64>(&["DBSIZE"]).unwrap_or(u64::MAX);
            let (primaries, replicas) = self.nodes.split_at(PRIMARIES);
            primaries.iter().zip(replicas).all(|(primary, replica)| size(primary) == size(replica)).then_some(())
        })
        .await;
    }

    /// Moves a slot key by key, as in resharding, with a short pause between the keys.
    async fn move_slot(&self, slot: usize, from: usize, to: usize) {
        let slot = slot.to_string();
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        target.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.name(from)]).unwrap();
        source.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.name(to)]).unwrap();
        loop {
            let keys: Vec<String> = source.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "10"]).unwrap();
            if keys.is_empty() {
                break;
            }
            for key in keys {
                let port = target.port().to_string();
                source.ask::<()>(&["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]).unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let name = self.name(to);
        for node in [target, source].into_iter().chain(&self.nodes) {
            node.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &name]).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_under_traffic_lose_nothing_and_fail_no_call() {
    const SESSIONS: usize = 60;
    let lab = ClusterLab::start(0, NEVER).await;
    // With a user that has only the rights named in the guide.
    for node in &lab.nodes {
        let rights = [&["ACL", "SETUSER", "app"], tls::RIGHTS, &["+cluster|slots", "+cluster|info"]].concat();
        node.ask::<()>(&rights).unwrap();
    }
    let redis_url = lab.url().replace("redis://", "redis://app:app-secret@");
    let store = StoreBuilder { redis_url, ..lab.settings() }.build::<TriviaSession>().unwrap().store;
    for n in 0..SESSIONS {
        let id = id(&format!("s{n}"));
        store.create(&id, session(&id, "ada"), HOUR).await.unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let users: Vec<_> = (0..4_usize)
        .map(|user| {
            let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut rounds: u64 = 0;
                while !stop.load(Ordering::SeqCst) {
                    for n in (user..SESSIONS).step_by(4) {
                        let id = id(&format!("s{n}"));
                        store.append(&id, answer(rounds), HOUR).await.unwrap();
                        let read = store.get(&id, HOUR).await.unwrap().value.unwrap();
                        assert_eq!(questions(&read.data), (0..=rounds).collect::<Vec<_>>(), "{id}");
                    }
                    // A large value sent ahead and a tombstone also belong in the slot.
                    let fresh = id(&format!("u{user}-{rounds}"));
                    let large = TriviaSession::sized(fresh.clone(), UserId::Number(7), 20_000, Timestamp(0));
                    store.create(&fresh, large.clone(), HOUR).await.unwrap();
                    store.update(&fresh, 1, large, HOUR).await.unwrap();
                    assert!(store.destroy(&fresh).await.unwrap().value);
                    rounds += 1;
                }
                rounds
            })
        })
        .collect();
    let mut slots: Vec<usize> =
        (0..SESSIONS).map(|n| format!("s{n}")).filter(|s| lab.home(s) == 0).map(|s| lab.slot(&s)).collect();
    slots.sort_unstable();
    slots.dedup();
    assert!(!slots.is_empty());
    for slot in &slots {
        lab.move_slot(*slot, 0, 1).await;
    }
    stop.store(true, Ordering::SeqCst);
    let mut rounds = Vec::new();
    for user in users {
        rounds.push(user.await.unwrap());
    }
    assert_eq!(lab.nodes[0].ask::<usize>(&["CLUSTER", "COUNTKEYSINSLOT", &slots[0].to_string()]).unwrap(), 0);
    for n in 0..SESSIONS {
        let read = store.get(&id(&format!("s{n}")), HOUR).await.unwrap().value.unwrap();
        assert_eq!(questions(&read.data), (0..rounds[n % 4]).collect::<Vec<_>>(), "s{n}");
    }
    assert_eq!(store.count().await.unwrap().value, SESSIONS as u64);
    assert_eq!(store.list_by_user("ada", 100).await.unwrap().value.len(), SESSIONS);
    // The nodes really redirected the store.
    let errors: String = lab.nodes[0].ask(&["INFO", "errorstats"]).unwrap();
    for redirection in ["errorstat_ASK:", "errorstat_MOVED:"] {
        assert!(errors.contains(redirection), "{errors}");
    }
    for node in &lab.nodes {
        assert!(node.ask::<Vec<redis::Value>>(&["ACL", "LOG"]).unwrap().is_empty(), "a right was missing");
    }
    println!("{} slots moved, rounds {rounds:?}", slots.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_costs_its_own_sessions_the_time_of_a_failover_and_others_nothing() {
    let mut lab = ClusterLab::start(1, NODE_TIMEOUT).await;
    let store = lab.store();
    let names: Vec<String> = (0..30).map(|n| format!("s{n}")).collect();
    for name in &names {
        store.create(&id(name), session(&id(name), "ada"), HOUR).await.unwrap();
    }
    let hit = names.iter().find(|name| lab.home(name) == 0).unwrap();
    let spared = names.iter().find(|name| lab.home(name) == 2).unwrap();
    lab.replicated().await;
    lab.nodes[0].kill();
    let killed = Instant::now();
    let error = store.append(&id(hit), answer(1), HOUR).await.unwrap_err();
    assert!(!matches!(error, StoreError::NotFound), "{error:?}");
    store.append(&id(spared), answer(1), HOUR).await.unwrap();
    eventually("the lost primary's sessions are written again", async || {
        store.append(&id(hit), answer(2), HOUR).await.ok()
    })
    .await;
    println!("writable again {:?} after the primary was killed", killed.elapsed());
    for name in &names {
        assert!(store.get(&id(name), HOUR).await.unwrap().value.is_some(), "{name}");
    }
    eventually("the sessions are counted", async || {
        (store.count().await.ok()?.value == names.len() as u64).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_drain_nothing_acknowledged_is_lost_with_a_primary() {
    let mut lab = ClusterLab::start(1, NODE_TIMEOUT).await;
    let settings = StoreBuilder { policy: Policy::Drain, ..lab.settings() };
    let built = settings.build::<TriviaSession>().unwrap();
    let names: Vec<String> = (0..30).map(|n| format!("s{n}")).collect();
    for name in &names {
        built.store.create(&id(name), session(&id(name), "ada"), HOUR).await.unwrap();
    }
    lab.replicated().await;
    lab.nodes[0].kill();
    for question in 0..5 {
        for name in &names {
            built.store.append(&id(name), answer(question), HOUR).await.unwrap();
        }
    }
    assert!(built.fallback_stats().served > 0);
    let began = Instant::now();
    while built.fallback_stats().active {
        assert!(began.elapsed() < PATIENCE, "{:?}", built.fallback_stats());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Read from Redis by a store that remembers nothing.
    let other = lab.store();
    for name in &names {
        let read = other.get(&id(name), HOUR).await.unwrap().value.unwrap();
        assert_eq!(questions(&read.data), [0, 1, 2, 3, 4], "{name}");
    }
}

/// A fallback makes no calls that would meet a new primary, so the store has to look for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallback_that_nobody_calls_ends_about_as_soon_as_a_store_in_use_writes_again() {
    let mut lab = ClusterLab::start(1, NODE_TIMEOUT).await;
    let settings = StoreBuilder { policy: Policy::Drain, ..lab.settings() };
    let quiet = settings.build::<TriviaSession>().unwrap();
    let used = lab.store();
    for name in ["a", "b"] {
        quiet.store.create(&id(name), session(&id(name), "ada"), HOUR).await.unwrap();
    }
    lab.replicated().await;
    lab.kill_home_of("a");
    let killed = Instant::now();
    quiet.store.append(&id("a"), answer(1), HOUR).await.unwrap();
    assert!(quiet.fallback_stats().active);
    let over = async {
        eventually("the fallback is over", async || (!quiet.fallback_stats().active).then_some(())).await;
        killed.elapsed()
    };
    let written = async {
        eventually("written again", async || used.touch(&id("a"), HOUR).await.ok()).await;
        killed.elapsed()
    };
    let (over, written) = tokio::join!(over, written);
    println!("in use: written again after {written:?}; called by nobody: the fallback is over after {over:?}");
    assert!(over <= written * 3, "{over:?} instead of {written:?}");
    assert_eq!(questions(&used.get(&id("a"), HOUR).await.unwrap().value.unwrap().data), [1]);
}

#[tokio::test]
async fn what_cannot_be_a_cluster_is_refused() {
    let server = RedisServer::start();
    let cluster = Deployment::Cluster { nodes: vec![] };
    let settings = StoreBuilder { deployment: cluster.clone(), ..StoreBuilder::new(server.url()) };
    let refused = |settings: StoreBuilder| settings.build::<TriviaSession>().err().unwrap().to_string();
    let database = StoreBuilder { redis_url: format!("{}/3", server.url()), ..settings.clone() };
    assert!(refused(database).contains("take /3 out"), "a database");
    assert!(refused(StoreBuilder { prefix: "a{b:".into(), ..settings.clone() }).contains("hash tag"), "an open brace");
    let nodes = vec!["h:1".to_owned(), "redis://:secret@h:1".to_owned()];
    let wrong = StoreBuilder { deployment: Deployment::Cluster { nodes }, ..settings.clone() };
    assert_eq!(refused(wrong), "cluster node number 2 is not host:port");
    let store =
        firedrill_storage::RedisStore::<TriviaSession>::builder(&server.url()).deployment(cluster).build().unwrap();
    let error = store.get(&id("a"), HOUR).await.unwrap_err();
    assert_eq!(error.to_string(), "storage unavailable: the server is not part of a cluster");
}

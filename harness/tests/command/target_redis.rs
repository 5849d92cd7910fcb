//! The `redis` target on a real `redis-server`: what it observes, and what it reports if the server refuses, stalls or
//! dies.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use firedrill::clock::{Clock, Nanos};
use firedrill::history::{Cause, OpKind, OpRecord, Outcome, Presence, SessionNo, Step};
use firedrill::lab::{ManagedConfig, ManagedRedis, ServerProcess};
use firedrill::load::{ArrivalProcess, Engine, LoadBlock, LoadPlan, Mix, Pacing, SessionRange, Stage};
use firedrill::target::{Client, Observation, Operation, Target};
use firedrill::targets::RedisTargetSpec;
use firedrill::targets::redis::{RedisClient, RedisTarget};

async fn server() -> ManagedRedis {
    ManagedRedis::start(&ManagedConfig::default()).await.unwrap()
}

fn client(url: &str) -> RedisClient {
    target(url, "").client()
}

/// The target with these keys of `[target.redis]`.
fn target(url: &str, keys: &str) -> RedisTarget {
    RedisTarget::new(url, "drill:", &toml::from_str::<RedisTargetSpec>(keys).unwrap()).unwrap()
}

async fn call(client: &mut RedisClient, index: u64, kind: OpKind, session: SessionNo) -> (Outcome, Observation) {
    let mut seen = Observation::default();
    let op = Operation { index, kind, session, process: 0, payload_bytes: 50_000 };
    let outcome = client.execute(&op, &mut seen).await;
    (outcome, seen)
}

/// Calls until the outcome is `wanted`, for at most half a minute.
async fn until(wanted: Outcome, client: &mut RedisClient) -> Observation {
    let calls = async {
        loop {
            let (outcome, seen) = call(client, 0, OpKind::Read, 1).await;
            if outcome == wanted {
                return seen;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), calls).await.unwrap()
}

#[tokio::test]
async fn a_read_tells_whose_data_it_got_and_which_write_it_sees() {
    let redis = server().await;
    let mut client = client(redis.url().expose());
    for (index, kind) in [(4, OpKind::Create), (9, OpKind::Put)] {
        assert_eq!(call(&mut client, index, kind, 7).await.0, Outcome::Ok);
        let (outcome, seen) = call(&mut client, 100, OpKind::Read, 7).await;
        assert_eq!((outcome, seen.presence, seen.owner), (Outcome::Ok, Presence::Present, Some(7)));
        assert_eq!(seen.tokens, [index + 1]);
    }
    let length: u64 = redis.admin().query(redis::cmd("STRLEN").arg("drill:0000000007")).await.unwrap();
    assert_eq!(length, 50_000);
}

#[tokio::test]
async fn a_destroyed_session_is_absent() {
    let redis = server().await;
    let mut client = client(redis.url().expose());
    call(&mut client, 0, OpKind::Create, 7).await;
    for (kind, presence) in [
        (OpKind::Touch, Presence::Present),
        (OpKind::Destroy, Presence::Present),
        (OpKind::Destroy, Presence::Absent),
        (OpKind::Touch, Presence::Absent),
        (OpKind::Read, Presence::Absent),
    ] {
        let (outcome, seen) = call(&mut client, 1, kind, 7).await;
        assert_eq!((outcome, seen.presence, seen.owner), (Outcome::Ok, presence, None), "{kind:?}");
    }
}

#[tokio::test]
async fn an_append_is_refused_and_leaves_nothing() {
    let redis = server().await;
    let (outcome, seen) = call(&mut client(redis.url().expose()), 0, OpKind::Append, 7).await;
    assert_eq!((outcome, seen.cause), (Outcome::Failed, Cause::Refused));
    assert_eq!(redis.admin().query::<u64>(&redis::cmd("DBSIZE")).await.unwrap(), 0);
}

#[tokio::test]
async fn a_key_written_by_another_program_is_corrupt() {
    let redis = server().await;
    redis.admin().query::<()>(redis::cmd("SET").arg("drill:0000000007").arg("{}")).await.unwrap();
    let (outcome, seen) = call(&mut client(redis.url().expose()), 0, OpKind::Read, 7).await;
    assert_eq!((outcome, seen.cause), (Outcome::Failed, Cause::Corrupt));
}

#[tokio::test]
async fn an_operation_given_up_does_not_leak_its_answer_to_the_next_one() {
    let redis = server().await;
    let mut client = client(redis.url().expose());
    for session in [1, 2] {
        call(&mut client, u64::from(session), OpKind::Create, session).await;
    }
    redis.admin().query::<()>(redis::cmd("CLIENT").arg("PAUSE").arg(300).arg("ALL")).await.unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(50), call(&mut client, 9, OpKind::Read, 1)).await;
    assert!(given_up.is_err());
    let (outcome, seen) = call(&mut client, 10, OpKind::Read, 2).await;
    assert_eq!((outcome, seen.owner, seen.tokens), (Outcome::Ok, Some(2), vec![3]));
}

#[tokio::test]
async fn a_server_that_dies_is_unreachable_and_found_again_when_it_is_back() {
    let redis = server().await;
    let mut client = client(redis.url().expose());
    assert_eq!(call(&mut client, 0, OpKind::Create, 1).await.0, Outcome::Ok);
    redis.kill().await.unwrap();
    let (outcome, seen) = call(&mut client, 1, OpKind::Put, 1).await;
    assert_ne!(outcome, Outcome::Ok);
    assert_eq!(seen.cause, Cause::ConnectionLost);
    assert_eq!(until(Outcome::Failed, &mut client).await.cause, Cause::Unreachable);
    redis.ensure_running().await.unwrap();
    let seen = until(Outcome::Ok, &mut client).await;
    assert_eq!((seen.owner, seen.tokens), (Some(1), vec![1]));
}

#[tokio::test]
async fn password_user_and_database_of_the_url_are_used() {
    let redis = server().await;
    let admin = redis.admin();
    admin.query::<()>(redis::cmd("ACL").arg(&["SETUSER", "alice", "on", ">s3cr#t", "~*", "+@all"])).await.unwrap();
    admin.query::<()>(redis::cmd("ACL").arg(&["SETUSER", "default", ">other"])).await.unwrap();
    let at = redis.url().address();
    let answer = async |login: &str| call(&mut client(&format!("redis://{login}{at}/3")), 0, OpKind::Create, 1).await;
    assert_eq!(answer("alice:s3cr%23t@").await.0, Outcome::Ok);
    assert_eq!(answer(":other@").await.0, Outcome::Ok);
    for wrong in ["alice:wrong@", ":wrong@"] {
        let (outcome, seen) = answer(wrong).await;
        assert_eq!((outcome, seen.cause), (Outcome::Failed, Cause::Refused), "{wrong}");
    }
    let keyspace: String = admin.query(redis::cmd("INFO").arg("keyspace")).await.unwrap();
    assert!(keyspace.contains("db3:keys=1"), "{keyspace}");
}

#[tokio::test]
async fn a_refusal_is_certainly_without_effect_and_a_demoted_server_is_left() {
    let redis = server().await;
    let mut client = client(redis.url().expose());
    call(&mut client, 0, OpKind::Create, 1).await;
    let connections = || async {
        let list: String =
            redis.admin().query(redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("normal")).await.unwrap();
        list.lines().count()
    };
    let before = connections().await;
    redis.admin().query::<()>(redis::cmd("REPLICAOF").arg("127.0.0.1").arg(1)).await.unwrap();
    let (outcome, seen) = call(&mut client, 1, OpKind::Put, 1).await;
    assert_eq!((outcome, seen.cause), (Outcome::Failed, Cause::Refused));
    let left = async {
        while connections().await >= before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), left).await.unwrap();
    redis.admin().query::<()>(redis::cmd("REPLICAOF").arg("NO").arg("ONE")).await.unwrap();
    assert_eq!(call(&mut client, 2, OpKind::Put, 1).await.0, Outcome::Ok);
}

/// Every way to speak to a Redis carries out the same operations.
#[tokio::test]
async fn pipelines_resp3_and_a_unix_socket_carry_out_the_same_operations() {
    let redis = ManagedRedis::start(&ManagedConfig { unix_socket: true, ..ManagedConfig::default() }).await.unwrap();
    let socket = redis.folder().join("redis.sock");
    let spoken = [
        "pipeline = 4".to_owned(),
        "protocol = 3".to_owned(),
        format!("unix-socket = \"{}\"", socket.display()),
        format!("pipeline = 4\nprotocol = 3\nunix-socket = \"{}\"\nreconnect-after = 2", socket.display()),
    ];
    let all = async {
        for (number, keys) in spoken.iter().enumerate() {
            let target = target(redis.url().expose(), keys);
            let mut lanes: Vec<RedisClient> = (0..6).map(|_| target.client()).collect();
            let session = number as SessionNo;
            for (lane, kind, index) in [(0, OpKind::Create, 1), (1, OpKind::Put, 2), (4, OpKind::Put, 3)] {
                assert_eq!(call(&mut lanes[lane], index, kind, session).await.0, Outcome::Ok, "{keys}");
            }
            let (outcome, seen) = call(&mut lanes[5], 9, OpKind::Read, session).await;
            assert_eq!((outcome, seen.owner, seen.tokens), (Outcome::Ok, Some(session), vec![4]), "{keys}");
            assert_eq!(call(&mut lanes[0], 10, OpKind::Destroy, session).await.1.presence, Presence::Present);
            assert_eq!(call(&mut lanes[1], 11, OpKind::Read, session).await.1.presence, Presence::Absent);
        }
    };
    tokio::task::LocalSet::new().run_until(all).await;
}

#[tokio::test]
async fn a_connection_is_replaced_after_as_many_operations_as_the_scenario_says() {
    let redis = server().await;
    let accepted = async || -> u64 {
        let stats: String = redis.admin().query(redis::cmd("INFO").arg("stats")).await.unwrap();
        let line = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:")).unwrap();
        line.trim().parse().unwrap()
    };
    let all = async {
        for keys in ["reconnect-after = 10", "reconnect-after = 10\npipeline = 2"] {
            let (target, before) = (target(redis.url().expose(), keys), accepted().await);
            let mut client = target.client();
            for index in 0..100 {
                assert_eq!(call(&mut client, index, OpKind::Put, 1).await.0, Outcome::Ok);
            }
            assert_eq!(accepted().await - before, 10, "{keys}");
        }
    };
    tokio::task::LocalSet::new().run_until(all).await;
}

#[tokio::test]
async fn commands_of_ones_own_are_read_for_whose_data_and_which_writes_they_show() {
    let redis = server().await;
    let lists = r#"
        command = [
            { send = "RPUSH {{key}} {{value}}", as = "create" },
            { send = "RPUSHX {{key}} {{value}}", as = "append" },
            { send = "LRANGE {{key}} 0 -1", as = "read" },
            { send = "LINDEX {{key}} 0" },
        ]"#;
    let mut client = target(redis.url().expose(), lists).client();
    let (outcome, seen) = call(&mut client, 1, OpKind::Append, 7).await;
    assert_eq!((outcome, seen.presence), (Outcome::Ok, Presence::Absent));
    for (index, kind) in [(2, OpKind::Create), (3, OpKind::Append), (4, OpKind::Append)] {
        assert_eq!(call(&mut client, index, kind, 7).await.0, Outcome::Ok);
    }
    let (outcome, seen) = call(&mut client, 5, OpKind::Read, 7).await;
    assert_eq!((outcome, seen.owner, seen.tokens), (Outcome::Ok, Some(7), vec![3, 4, 5]));
    assert_eq!(call(&mut client, 6, OpKind::Command, 7).await.1.owner, Some(7));
    // Somebody else's item among them is seen.
    let other: Vec<u8> = redis.admin().query(redis::cmd("LINDEX").arg("drill:0000000007").arg(0)).await.unwrap();
    let foreign = String::from_utf8(other).unwrap().replacen("0000000007", "0000000008", 1);
    redis
        .admin()
        .query::<()>(
            redis::cmd("LINSERT")
                .arg("drill:0000000007")
                .arg("BEFORE")
                .arg(foreign.replace("0000000008", "0000000007"))
                .arg(&foreign),
        )
        .await
        .unwrap();
    assert_eq!(call(&mut client, 7, OpKind::Read, 7).await.1.owner, Some(8));

    let numbers = r#"
        command = [
            { send = "SET {{key}}:n {{token}} EX 60 NX", as = "create" },
            { send = "GET {{key}}:n", as = "read" },
        ]"#;
    let mut client = target(redis.url().expose(), numbers).client();
    assert_eq!(call(&mut client, 20, OpKind::Create, 1).await.0, Outcome::Ok);
    let (outcome, seen) = call(&mut client, 21, OpKind::Create, 1).await;
    assert_eq!((outcome, seen.cause), (Outcome::Failed, Cause::AlreadyExists));
    assert_eq!(call(&mut client, 22, OpKind::Read, 1).await.1.tokens, [21]);
    let ttl: i64 = redis.admin().query(redis::cmd("TTL").arg("drill:0000000001:n")).await.unwrap();
    assert!((1..=60).contains(&ttl), "{ttl}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_shows_in_the_response_time_of_every_operation_planned_meanwhile() {
    let redis = server().await;
    let clock = Clock::starting_in(Duration::from_millis(200));
    let pacing =
        Pacing::Open { stages: vec![Stage::steady(1000.0, Duration::from_secs(4))], arrivals: ArrivalProcess::Poisson };
    let mut block = LoadBlock::new("steady", pacing, SessionRange { first: 0, count: 100 });
    block.mix = Mix::of(&[(OpKind::Read, 9.0), (OpKind::Put, 1.0)]);
    block.max_in_flight = 16;
    let plan = Arc::new(LoadPlan::new(5, vec![block], 0).unwrap());
    let (sink, batches) = channel();
    let target = Arc::new(target(redis.url().expose(), ""));
    let engine = Engine { workers: 2, ..Engine::new(target, clock, sink) };
    let load = tokio::task::spawn_blocking(move || {
        let preload = engine.run_list(Step::Preload, plan.preload(), 8, Duration::from_secs(10)).unwrap();
        assert_eq!(preload.counts.completed, 100);
        engine.run(&plan).unwrap()
    });
    let at = |t: Nanos| tokio::time::sleep_until(clock.instant(t).into());
    at(1_000_000_000).await;
    redis.pause().await.unwrap();
    let frozen_by = clock.now();
    at(3_000_000_000).await;
    let thawed_from = clock.now();
    redis.resume().await.unwrap();

    let summary = load.await.unwrap();
    let ops: Vec<OpRecord> =
        batches.iter().flat_map(|batch| batch.ops.ops).filter(|op| op.step == Step::Load).collect();
    assert_eq!(ops.len() as u64, summary.counts.planned);
    assert!(ops.iter().all(|op| op.outcome == Outcome::Ok && op.owner == op.session || op.kind == OpKind::Put));
    let meanwhile: Vec<_> = ops.iter().filter(|op| (frozen_by..thawed_from).contains(&op.planned)).collect();
    let expected = (thawed_from - frozen_by) as f64 / 1e6; // at 1000/s
    assert!((meanwhile.len() as f64 - expected).abs() < 5.0 * expected.sqrt(), "{} of {expected}", meanwhile.len());
    assert!(meanwhile.iter().all(|op| op.ended >= thawed_from));
    // The stall caught sixteen connections. Nobody else's wait shows in a service time.
    let stall = thawed_from - frozen_by;
    let felt = |latency: fn(&OpRecord) -> Nanos| ops.iter().filter(|op| latency(op) > stall / 2).count();
    assert!(felt(|op| op.ended - op.started) <= 16);
    assert!(felt(|op| op.ended - op.planned) as f64 > 0.45 * expected);
}

//! Faults of the server's process that touch its data on disk, on a real Redis: they take effect, they take away what
//! they should and nothing else, and healing undoes them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill::fault::{
    DiskFull, Eviction, EvictionPolicy, Fault, FaultContext, FaultError, FaultKind, FaultSpec, Impact, Kill, PowerLoss,
    SlowStart, Stop,
};
use firedrill::lab::{Lab, LabError, ManagedConfig, Persistence, ProcessState, ServerError};
use firedrill::scenario::{ScenarioError, Source, parse};
use firedrill::units::{Share, Span};

use crate::support::ground::{DEADLINE, Ground, Load, Writers};

const LOSE: Kill = Kill::LOSE;
const POWER_LOSS: PowerLoss = PowerLoss {};
const DISK_FULL: DiskFull = DiskFull {};
const SLOW_START: SlowStart = SlowStart {};
const EVICTION: Eviction = Eviction { share: Share(0.5), policy: EvictionPolicy::AllkeysRandom };

async fn ground(persistence: Persistence) -> Ground {
    Ground::with(&ManagedConfig { persistence, ..ManagedConfig::default() }).await
}

fn fault_on(ground: &Ground, kind: impl Into<FaultKind>) -> Arc<dyn Fault> {
    ground.context.build(&[FaultSpec::once(kind, Span::secs(0), Span::secs(60))]).unwrap().remove(0)
}

async fn set(ground: &Ground, key: &str, value: &str) {
    ground.lab.admin().query::<()>(redis::cmd("SET").arg(key).arg(value).arg("PX").arg(600_000)).await.unwrap();
}

async fn get(ground: &Ground, key: &str) -> Option<String> {
    ground.lab.admin().query(redis::cmd("GET").arg(key)).await.unwrap()
}

/// Writes keys that take a while to load.
async fn fill(ground: &Ground, keys: u32) {
    let value = "x".repeat(2_000);
    for n in 0..keys {
        set(ground, &format!("{}session:s{n}", ground.lab.prefix()), &value).await;
    }
}

async fn there(ground: &Ground) -> u64 {
    ground.lab.admin().query(&redis::cmd("DBSIZE")).await.unwrap()
}

async fn config(ground: &Ground, name: &str) -> Vec<String> {
    ground.lab.admin().query(redis::cmd("CONFIG").arg("GET").arg(name)).await.unwrap()
}

/// Waits until the fault has taken effect.
async fn bitten(fault: &dyn Fault) -> String {
    let until = Instant::now() + DEADLINE;
    loop {
        let Impact { bit, evidence } = fault.impact(Duration::from_secs(1)).await;
        if bit {
            return evidence;
        }
        assert!(Instant::now() < until, "{} never bit: {evidence}", fault.kind());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn process_kill_may_take_the_data_along() {
    for persistence in [Persistence::AofEverysec, Persistence::Rdb] {
        let ground = ground(persistence).await;
        let load = Load::on(&ground).await;
        fill(&ground, 5).await;
        if persistence == Persistence::Rdb {
            ground.lab.admin().query::<()>(&redis::cmd("SAVE")).await.unwrap();
        }
        let fault = fault_on(&ground, LOSE);
        assert_eq!(fault.detail(), "its data lost");
        fault.inject().await.unwrap();
        assert!(bitten(&*fault).await.contains("its files deleted"));
        fault.heal().await.unwrap();
        fault.heal().await.unwrap();
        assert_eq!(there(&ground).await, 0, "{persistence}");
        set(&ground, "after", "1").await;
        load.wait_until_served(8).await;
    }
}

#[tokio::test]
async fn process_power_loss_cuts_what_was_written_within_the_last_second_and_nothing_older() {
    let ground = ground(Persistence::AofEverysec).await;
    let _load = Load::on(&ground).await;
    let fault = fault_on(&ground, POWER_LOSS);
    set(&ground, "old", "kept").await;
    // The model guarantees what is older than a second. Writes never stop, so something is always younger.
    let (mut n, written) = (0_u32, Instant::now());
    while written.elapsed() < Duration::from_millis(1_300) {
        n += 1;
        set(&ground, &format!("new:{n}"), "x").await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    fault.inject().await.unwrap();
    let evidence = bitten(&*fault).await;
    assert!(evidence.contains("bytes of its append-only file never synced and lost"), "{evidence}");
    assert!(!evidence.contains(" 0 bytes"), "{evidence}");
    fault.heal().await.unwrap();
    fault.heal().await.unwrap();
    assert_eq!(get(&ground, "old").await.as_deref(), Some("kept"));
    assert_eq!(get(&ground, &format!("new:{n}")).await, None);
    let kept = there(&ground).await - 1;
    assert!(kept < u64::from(n), "{kept} of {n}");
    // What is left is a clean prefix: nothing exists after the first missing key.
    for gone in kept + 1..=u64::from(n) {
        assert_eq!(get(&ground, &format!("new:{gone}")).await, None);
    }
}

#[tokio::test]
async fn process_power_loss_takes_nothing_that_is_synced_before_it_is_acknowledged() {
    let ground = ground(Persistence::AofAlways).await;
    let load = Load::on(&ground).await;
    fill(&ground, 20).await;
    let fault = fault_on(&ground, POWER_LOSS);
    fault.inject().await.unwrap();
    let evidence = bitten(&*fault).await;
    assert!(evidence.contains(", 0 bytes of its append-only file"), "{evidence}");
    fault.heal().await.unwrap();
    assert_eq!(there(&ground).await, 20);
    load.wait_until_served(8).await;
}

#[tokio::test]
async fn process_disk_full_refuses_writes_and_answers_reads_until_there_is_room_again() {
    for persistence in [Persistence::AofEverysec, Persistence::Rdb] {
        let ground = ground(persistence).await;
        set(&ground, "answer", "42").await;
        let writers = Writers::on(&ground.lab, &ground.proxy, Duration::from_millis(5)).await;
        let fault = fault_on(&ground, DISK_FULL);
        fault.heal().await.unwrap();
        fault.inject().await.unwrap();
        let evidence = bitten(&*fault).await;
        assert!(evidence.contains("a probe got \"MISCONF\"") && evidence.contains("of others refused"), "{evidence}");
        assert_eq!(get(&ground, "answer").await.as_deref(), Some("42"));
        fault.heal().await.unwrap();
        fault.heal().await.unwrap();
        set(&ground, "after", "1").await;
        writers.wait_until_served(6).await;
        assert_eq!(ground.lab.server().process_for("test").unwrap().state(), ProcessState::Running, "{persistence}");
    }
}

#[tokio::test]
async fn process_slow_start_is_seen_loading_and_keeps_everything() {
    for persistence in [Persistence::AofEverysec, Persistence::Rdb] {
        let ground = ground(persistence).await;
        fill(&ground, 50).await;
        let writers = Writers::on(&ground.lab, &ground.proxy, Duration::from_millis(5)).await;
        let keys = there(&ground).await;
        let interval = config(&ground, "loading-process-events-interval-bytes").await;
        let run = ground.lab.info().await.unwrap().run_id;
        let fault = fault_on(&ground, SLOW_START);
        fault.heal().await.unwrap();
        fault.inject().await.unwrap();
        let evidence = bitten(&*fault).await;
        assert!(evidence.contains("a probe got \"LOADING\""), "{evidence}");
        assert!(ground.lab.info().await.unwrap().loading, "{persistence}");
        fault.heal().await.unwrap();
        fault.heal().await.unwrap();
        assert_eq!(there(&ground).await, keys, "{persistence}");
        assert_ne!(ground.lab.info().await.unwrap().run_id, run);
        assert_eq!(config(&ground, "key-load-delay").await, ["key-load-delay", "0"]);
        assert_eq!(config(&ground, "loading-process-events-interval-bytes").await, interval);
        writers.wait_until_served(6).await;
    }
}

#[tokio::test]
async fn a_server_without_data_has_no_slow_start_and_is_left_alone() {
    let ground = ground(Persistence::AofEverysec).await;
    let run = ground.lab.info().await.unwrap().run_id;
    let fault = fault_on(&ground, SLOW_START);
    assert!(matches!(fault.inject().await, Err(FaultError::Lab(LabError::Server(ServerError::NothingToLoad)))));
    fault.heal().await.unwrap();
    assert_eq!(ground.lab.info().await.unwrap().run_id, run);
}

#[test]
fn a_fault_that_this_persistence_cannot_show_is_refused_in_its_line() {
    let said = |kind: &str, persistence: &str| {
        let checks = ["lost-writes", "read-your-writes", "monotonic-reads", "stale-reads", "resurrection", "ttl"];
        let checks: String = checks.iter().map(|name| format!("{name} = \"report\"\n")).collect();
        let text = format!(
            "name = \"x\"\nabout = \"y\"\n[lab]\nredis = {{ persistence = \"{persistence}\" }}\n[[load]]\n\
             rate = \"1/s\"\nfor = \"9s\"\n[[fault]]\nkind = \"{kind}\"\nat = \"1s\"\nfor = \"1s\"\n[checks]\n{checks}"
        );
        let place = text.find("[[fault]]").unwrap() + "[[fault]]\nkind = ".len();
        match parse(&Source { name: "x.toml".to_owned(), text }, &[]) {
            Ok(_) => None,
            Err(ScenarioError::Invalid(error)) => {
                assert_eq!(error.span.map(|span| span.offset()), Some(place), "{error}");
                Some(error.message.clone())
            }
            Err(error) => panic!("{error}"),
        }
    };
    for persistence in Persistence::ALL {
        let (word, file) = (persistence.name(), persistence.has_append_file());
        assert_eq!(said("process.power-loss", word).is_none(), file, "{word}");
        let writes_and_lives = !matches!(persistence, Persistence::AofAlways | Persistence::None);
        assert_eq!(said("process.disk-full", word).is_none(), writes_and_lives, "{word}");
        assert_eq!(said("process.slow-start", word).is_none(), persistence != Persistence::None, "{word}");
        assert_eq!(said("process.kill", word), None);
    }
    assert!(said("process.disk-full", "aof-always").unwrap().starts_with("with aof-always Redis exits"));
}

#[tokio::test]
async fn server_eviction_throws_out_keys_and_gives_both_settings_back() {
    let ground = ground(Persistence::None).await;
    let _load = Load::on(&ground).await;
    fill(&ground, 1_000).await;
    let before = (config(&ground, "maxmemory").await, config(&ground, "maxmemory-policy").await);
    let fault = fault_on(&ground, EVICTION);
    assert_eq!(fault.detail(), "50% of the data, allkeys-random");
    fault.heal().await.unwrap();
    fault.inject().await.unwrap();
    let evidence = bitten(&*fault).await;
    assert!(evidence.contains("evicted by the server's own count"), "{evidence}");
    fault.heal().await.unwrap();
    fault.heal().await.unwrap();
    assert!(there(&ground).await < 1_000);
    assert_eq!((config(&ground, "maxmemory").await, config(&ground, "maxmemory-policy").await), before);
}

#[tokio::test]
async fn a_stop_of_a_server_that_another_fault_holds_dead_says_so() {
    let ground = Ground::new().await;
    let specs = [FaultKind::from(LOSE), Stop {}.into()].map(|kind| FaultSpec::once(kind, Span::secs(0), Span::secs(1)));
    let faults = ground.context.build(&specs).unwrap();
    faults[0].inject().await.unwrap();
    let error = faults[1].inject().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "process.stop needs a running server, and another fault (process.kill or process.power-loss) keeps it dead at \
         that time: separate the two"
    );
    faults[1].heal().await.unwrap();
    faults[0].heal().await.unwrap();
    ground.wait_until_well().await;
}

#[tokio::test]
async fn an_external_redis_is_spared_them_all() {
    let theirs = Ground::new().await;
    let external = Lab::external(theirs.lab.url().clone(), DEADLINE).await.unwrap();
    let context = FaultContext::new(external.into(), theirs.proxy.clone()).unwrap();
    for kind in [FaultKind::from(LOSE), POWER_LOSS.into(), DISK_FULL.into(), SLOW_START.into(), EVICTION.into()] {
        let error = context.build(&[FaultSpec::once(kind.clone(), Span::secs(0), Span::secs(1))]).err().unwrap();
        assert!(
            error.to_string().starts_with(&format!("{} needs a Redis that the drill owns", kind.name())),
            "{error}"
        );
    }
}

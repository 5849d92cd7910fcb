//! Time faults on a real Redis, managed and external: whose time they move, and whose they leave alone.

use std::sync::Arc;
use std::time::Duration;

use firedrill::fault::{Fault, FaultContext, FaultKind, FaultSpec, Impact, Jump, Skew};
use firedrill::history::Note;
use firedrill::lab::{Admin, Lab};
use firedrill::units::Span;
use firedrill_storage::Clock as _;

use crate::support::ground::{DEADLINE, Ground, Load};

const HOUR: Duration = Duration::from_secs(3_600);
const JUMP: Jump = Jump { by: Span(HOUR) };
const SKEW: Skew = Skew { by: Span(HOUR) };

fn fault_on(context: &FaultContext, kind: impl Into<FaultKind>) -> Arc<dyn Fault> {
    context.build(&[FaultSpec::once(kind, Span::secs(0), Span::secs(1))]).unwrap().remove(0)
}

async fn set(admin: &Admin, key: &str, life: Duration) {
    admin.query::<()>(redis::cmd("SET").arg(key).arg("x").arg("PX").arg(life.as_millis() as u64)).await.unwrap();
}

/// PTTL in milliseconds: -1 for a key that never expires, -2 for a missing key.
async fn life(admin: &Admin, key: &str) -> i64 {
    admin.query(redis::cmd("PTTL").arg(key)).await.unwrap()
}

async fn jumps(context: &FaultContext, lab: &Lab) {
    let (admin, prefix) = (lab.admin(), lab.prefix());
    for n in 0..450 {
        set(admin, &format!("{prefix}session:day{n}"), HOUR * 24).await;
        set(admin, &format!("{prefix}session:hour{n}"), HOUR).await;
    }
    admin.query::<()>(redis::cmd("SET").arg(format!("{prefix}session:ever")).arg("x")).await.unwrap();
    let index = format!("{prefix}session:user:1");
    admin.query::<()>(redis::cmd("ZADD").arg(&index).arg(42).arg("day1")).await.unwrap();
    admin.query::<()>(redis::cmd("PEXPIRE").arg(&index).arg((HOUR * 2).as_millis() as u64)).await.unwrap();
    set(admin, "theirs", HOUR).await;

    let (fault, clock) = (fault_on(context, JUMP), context.clock());
    let before = clock.now();
    fault.inject().await.unwrap();
    assert!(clock.now() - before >= HOUR.as_nanos() as u64);
    let Impact { bit, evidence } = fault.impact(DEADLINE).await;
    assert!(bit, "{evidence}");
    assert_eq!(evidence, "451 keys aged by 1h, 450 more at their end by it");
    fault.heal().await.unwrap();

    let day = HOUR.as_millis() as i64 * 24;
    let left = life(admin, &format!("{prefix}session:day7")).await;
    assert!(left > day - 2 * HOUR.as_millis() as i64 && left <= day - HOUR.as_millis() as i64, "{left}");
    assert_eq!(life(admin, &format!("{prefix}session:hour7")).await, -2);
    assert_eq!(life(admin, &format!("{prefix}session:ever")).await, -1);
    assert!(life(admin, &index).await <= HOUR.as_millis() as i64);
    assert_eq!(admin.query::<f64>(redis::cmd("ZSCORE").arg(&index).arg("day1")).await.unwrap(), 42.0);
    assert!(life(admin, "theirs").await > HOUR.as_millis() as i64 / 2);
    lab.remove_keys().await.unwrap();
}

#[tokio::test]
async fn clock_jump_ages_the_keys_of_the_drill_and_the_store_and_nothing_else() {
    let ground = Ground::new().await;
    let _load = Load::on(&ground).await;
    jumps(&ground.context, &ground.lab).await;
    let theirs = Lab::external(ground.lab.url().clone(), DEADLINE).await.unwrap();
    let theirs = Arc::new(theirs);
    jumps(&FaultContext::new(theirs.clone(), ground.proxy.clone()).unwrap(), &theirs).await;
}

#[tokio::test]
async fn clock_jump_tells_the_checkers_also_where_it_broke_off() {
    let ground = Ground::new().await;
    let fault = fault_on(&ground.context, JUMP);
    let by_ns = HOUR.as_nanos() as i64;
    assert_eq!(fault.note(5, Some(9)), Some(Note::ClockJumped { at: 5, until: 9, by_ns }));
    assert_eq!(fault.note(5, None), Some(Note::ClockJumped { at: 5, until: i64::MAX, by_ns }));
}

#[tokio::test]
async fn clock_skew_bites_a_store_that_asks_its_clock_and_is_set_right_again() {
    let ground = Ground::new().await;
    let _load = Load::on(&ground).await;
    let (fault, clock) = (fault_on(&ground.context, SKEW), ground.context.clock());
    let before = clock.now();
    fault.heal().await.unwrap();
    fault.inject().await.unwrap();
    assert!(!fault.impact(DEADLINE).await.bit);
    assert!(clock.now() - before >= HOUR.as_nanos() as u64);
    let Impact { bit, evidence } = fault.impact(DEADLINE).await;
    assert!(bit && evidence == "the store asked its clock 1 time while it was ahead", "{evidence}");
    fault.heal().await.unwrap();
    fault.heal().await.unwrap();
    assert!(clock.now() - before < HOUR.as_nanos() as u64);
}

#[tokio::test]
async fn faults_of_time_do_not_bite_where_there_is_no_load_or_nothing_to_age() {
    let ground = Ground::new().await;
    for load in [false, true] {
        let _load = if load { Some(Load::on(&ground).await) } else { None };
        if !load {
            set(ground.lab.admin(), &format!("{}session:a", ground.lab.prefix()), HOUR * 2).await;
        }
        let fault = fault_on(&ground.context, JUMP);
        fault.inject().await.unwrap();
        assert!(!fault.impact(DEADLINE).await.bit);
        ground.lab.remove_keys().await.unwrap();
    }
}

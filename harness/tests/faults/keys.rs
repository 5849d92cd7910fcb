//! Data faults on a real Redis: they hit the right share of the drill's own sessions and nothing else, a probe notices
//! them, and healing restores what it should.

use std::sync::Arc;

use firedrill::fault::{Fault, FaultKind, FaultSpec, Impact, KeysCorrupt, KeysDelete, KeysPlain, KeysSwap};
use firedrill::units::{Share, Span};

use crate::support::ground::{DEADLINE, Ground, Load};

const SESSIONS: usize = 40;

const DELETE: KeysDelete = KeysDelete { share: Share(0.25) };
const CORRUPT: KeysCorrupt = KeysCorrupt { share: Share(0.25) };
const PLAIN: KeysPlain = KeysPlain { share: Share(0.25) };
const SWAP: KeysSwap = KeysSwap { share: Share(0.25) };

fn fault_on(ground: &Ground, kind: impl Into<FaultKind>) -> Arc<dyn Fault> {
    ground.context.build(&[FaultSpec::once(kind, Span::secs(0), Span::secs(1))]).unwrap().remove(0)
}

async fn set(ground: &Ground, key: &str, value: &str) {
    let mut command = redis::cmd("SET");
    command.arg(key).arg(value).arg("PX").arg(600_000);
    ground.lab.admin().query::<()>(&command).await.unwrap();
}

async fn get(ground: &Ground, key: &str) -> Option<Vec<u8>> {
    ground.lab.admin().query(redis::cmd("GET").arg(key)).await.unwrap()
}

/// Forty sessions, the index of a user, and a foreign key.
async fn fill(ground: &Ground) -> Vec<String> {
    let prefix = ground.lab.prefix();
    let sessions: Vec<String> = (0..SESSIONS).map(|n| format!("{prefix}session:s{n}")).collect();
    for key in &sessions {
        set(ground, key, "answers").await;
    }
    set(ground, &format!("{prefix}session:user:alice"), "index").await;
    set(ground, "theirs", "kept").await;
    sessions
}

async fn holding(ground: &Ground, sessions: &[String], value: &[u8]) -> usize {
    let mut found = 0;
    for key in sessions {
        found += usize::from(get(ground, key).await.as_deref() == Some(value));
    }
    found
}

async fn the_rest_is_untouched(ground: &Ground) {
    assert_eq!(get(ground, &format!("{}session:user:alice", ground.lab.prefix())).await.unwrap(), b"index");
    assert_eq!(get(ground, "theirs").await.unwrap(), b"kept");
    assert_eq!(ground.lab.scan_keys().await.unwrap().immortal_count, 0);
}

#[tokio::test]
async fn keys_delete_takes_its_share_of_the_sessions_and_nothing_else() {
    let ground = Ground::new().await;
    let _load = Load::on(&ground).await;
    let sessions = fill(&ground).await;
    let fault = fault_on(&ground, DELETE);
    assert_eq!((fault.kind(), fault.detail().as_str()), ("keys.delete", "25% of the sessions"));

    fault.inject().await.unwrap();
    let Impact { bit, evidence } = fault.impact(DEADLINE).await;
    assert!(bit, "{evidence}");
    assert_eq!(evidence, "10 of 40 sessions deleted; a probe missed 5 of 5");
    assert_eq!(holding(&ground, &sessions, b"answers").await, 30);
    fault.heal().await.unwrap();
    fault.heal().await.unwrap();
    assert_eq!(holding(&ground, &sessions, b"answers").await, 30);
    the_rest_is_untouched(&ground).await;
}

#[tokio::test]
async fn keys_corrupt_overwrites_its_share_keeps_their_ttl_and_puts_them_back() {
    let ground = Ground::new().await;
    let _load = Load::on(&ground).await;
    let sessions = fill(&ground).await;
    let fault = fault_on(&ground, CORRUPT);
    assert_eq!((fault.kind(), fault.detail().as_str()), ("keys.corrupt", "25% of the sessions"));

    fault.heal().await.unwrap();
    fault.inject().await.unwrap();
    let Impact { bit, evidence } = fault.impact(DEADLINE).await;
    assert!(bit, "{evidence}");
    assert_eq!(evidence, "10 of 40 sessions overwritten with garbage; a probe met it in 5 of 5");
    assert_eq!(holding(&ground, &sessions, b"answers").await, 30);
    the_rest_is_untouched(&ground).await;

    fault.heal().await.unwrap();
    fault.heal().await.unwrap();
    assert_eq!(holding(&ground, &sessions, b"answers").await, SESSIONS);
    the_rest_is_untouched(&ground).await;
    assert_eq!(ground.lab.scan_keys().await.unwrap().keys, SESSIONS as u64 + 1);
}

#[tokio::test]
async fn keys_plain_replaces_its_share_and_puts_them_back() {
    let ground = Ground::new().await;
    let _load = Load::on(&ground).await;
    let sessions = fill(&ground).await;
    let fault = fault_on(&ground, PLAIN);
    fault.inject().await.unwrap();
    let Impact { bit, evidence } = fault.impact(DEADLINE).await;
    assert!(bit, "{evidence}");
    assert_eq!(evidence, "10 of 40 sessions replaced by plain text; a probe met it in 5 of 5");
    assert_eq!(holding(&ground, &sessions, b"answers").await, 30);
    fault.heal().await.unwrap();
    assert_eq!(holding(&ground, &sessions, b"answers").await, SESSIONS);
    the_rest_is_untouched(&ground).await;
}

/// How many sessions hold the value that is their own name.
async fn at_home(ground: &Ground, sessions: &[String]) -> usize {
    let mut found = 0;
    for key in sessions {
        found += usize::from(get(ground, key).await.as_deref() == Some(key.as_bytes()));
    }
    found
}

#[tokio::test]
async fn keys_swap_exchanges_values_in_pairs_and_puts_back_those_that_the_store_has_not_written_since() {
    let ground = Ground::new().await;
    let _load = Load::on(&ground).await;
    let sessions = fill(&ground).await;
    for key in &sessions {
        set(&ground, key, key).await;
    }
    let fault = fault_on(&ground, SWAP);
    fault.heal().await.unwrap();
    fault.inject().await.unwrap();
    let Impact { bit, evidence } = fault.impact(DEADLINE).await;
    assert!(bit, "{evidence}");
    assert_eq!(evidence, "10 of 40 sessions swapped; a probe met it in 2 of 2 pairs");
    assert_eq!(at_home(&ground, &sessions).await, 30);
    the_rest_is_untouched(&ground).await;

    let mut away = Vec::new();
    for key in &sessions {
        if get(&ground, key).await.as_deref() != Some(key.as_bytes()) {
            away.push(key.clone());
        }
    }
    set(&ground, &away[0], "newer").await;
    fault.heal().await.unwrap();
    fault.heal().await.unwrap();
    assert_eq!(get(&ground, &away[0]).await.unwrap(), b"newer");
    assert_eq!(at_home(&ground, &sessions).await, SESSIONS - 1);
    assert_eq!(ground.lab.scan_keys().await.unwrap().keys, SESSIONS as u64 + 1);
}

#[tokio::test]
async fn keys_corrupt_puts_nothing_back_where_the_store_has_written_or_deleted_since() {
    let ground = Ground::new().await;
    let sessions = fill(&ground).await;
    let fault = fault_on(&ground, KeysCorrupt { share: Share(1.0) });
    fault.inject().await.unwrap();
    assert_eq!(holding(&ground, &sessions, b"answers").await, 0);
    set(&ground, &sessions[0], "newer").await;
    ground.lab.admin().query::<()>(redis::cmd("DEL").arg(&sessions[1])).await.unwrap();
    fault.heal().await.unwrap();
    assert_eq!(get(&ground, &sessions[0]).await.unwrap(), b"newer");
    assert_eq!(get(&ground, &sessions[1]).await, None);
    assert_eq!(holding(&ground, &sessions, b"answers").await, SESSIONS - 2);
}

#[tokio::test]
async fn faults_of_the_data_do_not_bite_where_there_is_no_load_or_no_session() {
    let ground = Ground::new().await;
    for kind in [FaultKind::from(DELETE), CORRUPT.into(), PLAIN.into(), SWAP.into()] {
        // Values that are all the same cannot change places.
        for key in &fill(&ground).await {
            set(&ground, key, key).await;
        }
        let fault = fault_on(&ground, kind);
        fault.inject().await.unwrap();
        let Impact { bit, evidence } = fault.impact(DEADLINE).await;
        assert!(!bit && evidence.ends_with("the load never came this way"), "{evidence}");
        fault.heal().await.unwrap();
    }
    ground.lab.remove_keys().await.unwrap();
    let _load = Load::on(&ground).await;
    for (kind, said) in [
        (FaultKind::from(DELETE), "0 of 0 sessions deleted"),
        (CORRUPT.into(), "0 of 0 sessions overwritten with garbage"),
        (SWAP.into(), "0 of 0 sessions swapped"),
    ] {
        let fault = fault_on(&ground, kind);
        fault.inject().await.unwrap();
        assert_eq!(fault.impact(DEADLINE).await, Impact { bit: false, evidence: said.to_owned() });
        fault.heal().await.unwrap();
    }
    ground.wait_until_well().await;
}

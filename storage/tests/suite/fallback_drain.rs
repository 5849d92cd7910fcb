//! Writing back: during traffic, over copies that others changed, after unknown outcomes, interrupted and resumed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use firedrill_storage::{
    AppendStore, Event, Policy, RedisStore, ServedBy, SessionData, SessionStore, StoreError, TriviaSession,
};

use crate::fallback_outage::Lab;
use crate::support::{HOUR, RedisServer, answer, eventually, id, session};

fn other(lab: &Lab) -> RedisStore<TriviaSession> {
    RedisStore::builder(&lab.server.url()).build().unwrap()
}

/// Redis keeps serving other clients, and only this store loses it: its connections are refused.
pub fn cut_off(lab: &Lab) {
    let mut redis = lab.server.look();
    redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("other").exec(&mut redis).unwrap();
    redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes").exec(&mut redis).unwrap();
}

pub fn other_with_password(lab: &Lab) -> RedisStore<TriviaSession> {
    RedisStore::builder(&lab.server.url().replace("redis://", "redis://:other@")).build().unwrap()
}

pub async fn let_in(lab: &Lab) {
    open_door(lab);
    lab.recovered().await;
}

pub fn open_door(lab: &Lab) {
    let url = lab.server.url().replace("redis://", "redis://:other@");
    let mut redis = redis::Client::open(url).unwrap().get_connection().unwrap();
    redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("").exec(&mut redis).unwrap();
}

/// During the write-back Redis already answers, but still has some of the destroyed sessions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_destroyed_in_the_outage_is_not_listed_while_redis_has_yet_to_hear_of_it() {
    const SESSIONS: usize = 400;
    for policy in [Policy::Drain, Policy::SilentCache, Policy::DualWrite] {
        let mut lab = Lab::new(policy);
        lab.create("kept").await;
        lab.create("used").await;
        for n in 0..SESSIONS {
            lab.create(&format!("s{n}")).await;
        }
        lab.server.kill();
        // A silent cache drops all writes, but loses no session that is only read.
        let expected = match policy {
            Policy::SilentCache => vec![id("used"), id("kept")],
            _ => vec![id("made"), id("used"), id("kept")],
        };
        lab.create("made").await;
        lab.store().touch(&id("used"), HOUR).await.unwrap();
        for n in 0..SESSIONS {
            lab.store().destroy(&id(&format!("s{n}"))).await.unwrap();
        }
        lab.server.restart();
        let mut by_redis = 0;
        eventually("everything is carried out", async || {
            let listed = lab.store().list_by_user("ada", SESSIONS).await.unwrap();
            if listed.served_by == ServedBy::Primary {
                assert_eq!(listed.value, expected, "{policy}");
                by_redis += 1;
            }
            (!lab.built.fallback_stats().active).then_some(())
        })
        .await;
        println!("{policy}: listed {by_redis} times by Redis before the end");
    }
}

#[tokio::test]
async fn answers_given_here_and_elsewhere_are_united() {
    let lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    lab.append("a", 1).await;
    cut_off(&lab);
    assert_eq!(lab.append("a", 2).await, ServedBy::Fallback);
    other_with_password(&lab).append(&id("a"), answer(3), HOUR).await.unwrap();
    let_in(&lab).await;
    let (version, questions) = lab.in_redis("a").await.unwrap();
    assert_eq!(questions, [1, 3, 2]);
    assert!(version > 3, "{version}");
    assert_eq!(lab.came_to(), Event::Drained { written: 1, deleted: 0, merged: 1, lost: 0 });
}

#[tokio::test]
async fn different_answers_to_one_question_are_reported_as_lost() {
    let lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    cut_off(&lab);
    lab.append("a", 1).await;
    let mut theirs = answer(1);
    theirs.choice = 3;
    other_with_password(&lab).append(&id("a"), theirs, HOUR).await.unwrap();
    let_in(&lab).await;
    assert_eq!(lab.in_redis("a").await.unwrap().1, [1]);
    assert_eq!(lab.came_to(), Event::Drained { written: 1, deleted: 0, merged: 1, lost: 1 });
}

#[tokio::test]
async fn a_session_destroyed_elsewhere_does_not_come_back() {
    let lab = Lab::new(Policy::Drain);
    for name in ["written", "used"] {
        lab.create(name).await;
    }
    cut_off(&lab);
    lab.append("written", 1).await;
    assert!(lab.read("used").await.is_some());
    for name in ["written", "used"] {
        assert!(other_with_password(&lab).destroy(&id(name)).await.unwrap().value);
    }
    let_in(&lab).await;
    for name in ["written", "used"] {
        assert_eq!(lab.in_redis(name).await, None, "{name}");
        assert_eq!(lab.read(name).await, None, "{name}");
    }
}

#[tokio::test]
async fn a_session_recreated_elsewhere_is_not_mixed_with_its_dead_namesake() {
    let lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    cut_off(&lab);
    lab.append("a", 1).await;
    let other = other_with_password(&lab);
    other.destroy(&id("a")).await.unwrap();
    other.create(&id("a"), session(&id("a"), "bob"), HOUR).await.unwrap();
    let_in(&lab).await;
    assert_eq!(lab.in_redis("a").await.unwrap().1, Vec::<u64>::new());
}

#[tokio::test]
async fn a_session_put_after_it_was_destroyed_elsewhere_stays() {
    let lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    cut_off(&lab);
    other_with_password(&lab).destroy(&id("a")).await.unwrap();
    // The tombstone's time is the server's, in milliseconds.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let mut data = session(&id("a"), "ada");
    data.append(answer(7));
    lab.store().put(&id("a"), data, HOUR).await.unwrap();
    let_in(&lab).await;
    assert_eq!(lab.in_redis("a").await.unwrap().1, [7]);
}

#[tokio::test]
async fn sessions_that_redis_lost_without_destroying_them_are_written_back_used_or_not() {
    let mut lab = Lab::with(Policy::Drain, RedisServer::start_with(&["--appendonly", "no"]), |_| {});
    for name in ["used", "written", "idle"] {
        lab.create(name).await;
        lab.append(name, 1).await;
    }
    lab.server.kill();
    assert_eq!(lab.read("used").await, Some((2, vec![1])));
    lab.append("written", 2).await;
    lab.server.restart();
    lab.recovered().await;
    assert_eq!(lab.in_redis("used").await, Some((2, vec![1])));
    assert_eq!(lab.in_redis("written").await, Some((3, vec![1, 2])));
    assert_eq!(lab.in_redis("idle").await, Some((2, vec![1])));
}

#[tokio::test]
async fn an_append_of_unknown_outcome_that_took_effect_counts_once() {
    let lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    // The frozen server finds the append in its socket when it thaws.
    lab.server.freeze();
    assert_eq!(lab.append("a", 1).await, ServedBy::Fallback);
    lab.append("a", 2).await;
    lab.server.thaw();
    lab.recovered().await;
    assert_eq!(lab.in_redis("a").await.unwrap().1, [1, 2]);
}

#[tokio::test]
async fn a_put_of_unknown_outcome_brings_nothing_back_that_a_later_put_replaced() {
    let lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    lab.append("a", 1).await;
    lab.server.freeze();
    lab.append("a", 2).await;
    let mut data = session(&id("a"), "ada");
    data.append(answer(9));
    lab.store().put(&id("a"), data, HOUR).await.unwrap();
    lab.server.thaw();
    lab.recovered().await;
    assert_eq!(lab.in_redis("a").await.unwrap().1, [9]);
}

#[tokio::test]
async fn a_drain_that_redis_interrupts_is_resumed() {
    let mut lab = Lab::new(Policy::Drain);
    lab.server.kill();
    let names: Vec<String> = (0..300).map(|n| format!("s{n}")).collect();
    for name in &names {
        lab.create(name).await;
        lab.append(name, 1).await;
    }
    // Kill it again as soon as the first session is written back, and then once more.
    for _ in 0..2 {
        lab.server.restart();
        eventually("the drain begins", async || {
            let stats = lab.built.fallback_stats();
            (stats.waiting < 300 || !stats.active).then_some(())
        })
        .await;
        lab.server.kill();
        lab.append("s7", 2).await;
    }
    lab.server.restart();
    lab.recovered().await;
    for name in &names {
        let expected = if name == "s7" { vec![1, 2] } else { vec![1] };
        assert_eq!(lab.in_redis(name).await.unwrap().1, expected, "{name}");
    }
    assert_eq!(lab.starts(), lab.ends());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_traffic_no_acknowledged_answer_is_lost_or_doubled_and_no_version_goes_back() {
    const SESSIONS: u64 = 4;
    let mut lab = Lab::new(Policy::Drain);
    for n in 0..SESSIONS {
        lab.create(&format!("s{n}")).await;
    }
    let store = Arc::clone(&lab.built.store);
    let stop = Arc::new(AtomicBool::new(false));
    let users: Vec<_> = (0..8_u64)
        .map(|user| {
            let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
            tokio::spawn(async move {
                let session = id(&format!("s{}", user % SESSIONS));
                let (mut acknowledged, mut last, mut n) = (Vec::new(), 0, 0);
                while !stop.load(Ordering::Relaxed) {
                    let question = user * 1_000_000 + n;
                    n += 1;
                    if let Ok(acked) = store.append(&session, answer(question), HOUR).await {
                        acknowledged.push(question);
                        assert!(acked.value > last, "version {} after {last}", acked.value);
                        last = acked.value;
                    }
                    let read = store.get(&session, HOUR).await.unwrap().value.unwrap();
                    assert!(read.version >= last, "read {} after {last}", read.version);
                    last = read.version;
                    let mine = read.data.answers.iter().filter(|a| a.question / 1_000_000 == user);
                    let mine: Vec<u64> = mine.map(|a| a.question).collect();
                    let missing = acknowledged.iter().find(|question| !mine.contains(question));
                    assert_eq!(missing, None, "{mine:?}");
                    tokio::task::yield_now().await;
                }
                (session, acknowledged)
            })
        })
        .collect();
    for round in 0..3 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        if round == 1 {
            lab.server.freeze();
            eventually("the fallback starts", async || lab.built.fallback_stats().active.then_some(())).await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            lab.server.thaw();
        } else {
            lab.server.kill();
            eventually("the fallback starts", async || lab.built.fallback_stats().active.then_some(())).await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            lab.server.restart();
        }
        lab.recovered().await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = 0;
    for user in users {
        let (session, answers) = user.await.unwrap();
        let found = lab.in_redis(session.as_str()).await.unwrap().1;
        for question in &answers {
            assert_eq!(found.iter().filter(|q| *q == question).count(), 1, "{question} in {session}");
        }
        acknowledged += answers.len();
    }
    assert!(acknowledged > 100, "{acknowledged}");
    assert_eq!((lab.starts(), lab.ends()), (3, 3), "{:?}", lab.events.lock());
    assert!(lab.built.fallback_stats().served > 0);
}

#[tokio::test]
async fn several_processes_share_and_each_drains_its_own() {
    let lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    let second = other(&lab);
    second.append(&id("a"), answer(1), HOUR).await.unwrap();
    assert_eq!(lab.read("a").await, Some((2, vec![1])));
    cut_off(&lab);
    lab.append("a", 2).await;
    let_in(&lab).await;
    let second = other(&lab);
    second.append(&id("a"), answer(3), HOUR).await.unwrap();
    assert_eq!(lab.read("a").await, Some((4, vec![1, 2, 3])));
}

/// A second process on the same Redis, with its own fallback.
fn second(lab: &Lab) -> (firedrill_storage::BuiltStore<TriviaSession>, Arc<parking_lot::Mutex<Vec<Event>>>) {
    let events = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let builder = firedrill_storage::StoreBuilder {
        command_timeout: crate::fallback_outage::DEADLINE,
        reconnect_max: std::time::Duration::from_millis(100),
        events: Arc::new(move |event| sink.lock().push(event)),
        ..firedrill_storage::StoreBuilder::new(lab.server.url())
    };
    (builder.build().unwrap(), events)
}

#[tokio::test]
async fn of_two_processes_in_one_outage_both_their_answers_are_kept_and_what_cannot_be_is_reported() {
    let mut lab = Lab::new(Policy::Drain);
    let (second, events) = second(&lab);
    for name in ["both", "conflict", "logged-out"] {
        lab.create(name).await;
        assert!(second.store.get(&id(name), HOUR).await.unwrap().value.is_some());
    }
    lab.server.kill();
    for n in 0..5 {
        assert_eq!(lab.append("both", n).await, ServedBy::Fallback);
        second.store.append(&id("both"), answer(10 + n), HOUR).await.unwrap();
    }
    lab.append("conflict", 1).await;
    let mut theirs = answer(1);
    theirs.choice = 3;
    second.store.append(&id("conflict"), theirs, HOUR).await.unwrap();
    lab.append("logged-out", 1).await;
    assert!(second.store.destroy(&id("logged-out")).await.unwrap().value);
    lab.server.restart();
    lab.recovered().await;
    eventually("the second has drained, too", async || (!second.fallback_stats().active).then_some(())).await;
    let mut both = lab.in_redis("both").await.unwrap().1;
    both.sort_unstable();
    assert_eq!(both, [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]);
    assert_eq!(lab.in_redis("conflict").await.unwrap().1, [1]);
    assert_eq!(lab.in_redis("logged-out").await, None);
    let lost = |events: &[Event]| -> u64 {
        events.iter().map(|event| if let Event::Drained { lost, .. } = event { *lost } else { 0 }).sum()
    };
    assert_eq!(lost(&lab.events.lock()) + lost(&events.lock()), 1, "one answer of two, reported once");
    // Both read the present state rather than their own.
    for store in [lab.store(), &*second.store] {
        assert_eq!(store.get(&id("both"), HOUR).await.unwrap().value.unwrap().data.answers.len(), 10);
        assert_eq!(store.get(&id("logged-out"), HOUR).await.unwrap().value, None);
    }
}

#[tokio::test]
async fn two_processes_whose_redis_fails_again_in_the_middle_of_the_drain_lose_nothing() {
    let mut lab = Lab::new(Policy::Drain);
    let (second, _) = second(&lab);
    let names: Vec<String> = (0..150).map(|n| format!("s{n}")).collect();
    for name in &names {
        lab.create(name).await;
        assert!(second.store.get(&id(name), HOUR).await.unwrap().value.is_some());
    }
    lab.server.kill();
    for name in &names {
        lab.append(name, 1).await;
        second.store.append(&id(name), answer(2), HOUR).await.unwrap();
    }
    for _ in 0..2 {
        lab.server.restart();
        eventually("a drain begins", async || {
            let begun = [lab.built.fallback_stats(), second.fallback_stats()];
            begun.iter().any(|stats| stats.waiting < 150 || !stats.active).then_some(())
        })
        .await;
        lab.server.kill();
        lab.append("s7", 3).await;
    }
    lab.server.restart();
    lab.recovered().await;
    eventually("the second has drained, too", async || (!second.fallback_stats().active).then_some(())).await;
    for name in &names {
        let mut found = lab.in_redis(name).await.unwrap().1;
        found.sort_unstable();
        let expected: &[u64] = if name == "s7" { &[1, 2, 3] } else { &[1, 2] };
        assert_eq!(found, expected, "{name}");
    }
}

#[tokio::test]
async fn a_session_that_another_process_destroys_is_not_shown_in_a_later_outage() {
    let lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    assert!(other(&lab).destroy(&id("a")).await.unwrap().value);
    eventually("it is told so", async || (lab.built.fallback_stats().kept == 0).then_some(())).await;
    cut_off(&lab);
    // Nobody here knows it any more.
    eventually("the outage is met", async || match lab.store().get(&id("a"), HOUR).await {
        Err(StoreError::Unavailable { .. }) => Some(()),
        read => {
            assert!(!matches!(read, Ok(ref acked) if acked.value.is_some()), "{read:?}");
            None
        }
    })
    .await;
}

#[tokio::test]
async fn what_redis_had_acknowledged_and_lost_is_written_back_beside_what_was_written_on_top() {
    let mut lab = Lab::with(Policy::Drain, RedisServer::start_with(&["--appendonly", "no"]), |_| {});
    lab.create("a").await;
    lab.server.ask::<String>(&["SAVE"]).unwrap();
    for question in [1, 2, 3] {
        lab.append("a", question).await;
    }
    lab.server.kill();
    // Memory answers, whichever call meets the outage first.
    assert_eq!(lab.read("a").await, Some((4, vec![1, 2, 3])));
    lab.server.restart();
    // Another process writes to what Redis has left until the version is the same again.
    let second = other(&lab);
    for question in [10, 11, 12] {
        eventually("Redis takes it", async || second.append(&id("a"), answer(question), HOUR).await.ok()).await;
    }
    lab.recovered().await;
    let (_, mut questions) = lab.in_redis("a").await.unwrap();
    questions.sort_unstable();
    assert_eq!(questions, [1, 2, 3, 10, 11, 12]);
    assert_eq!(lab.built.fallback_stats().lost_items, 0);
}

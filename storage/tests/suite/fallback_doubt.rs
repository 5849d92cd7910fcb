//! Writes that Redis never acknowledged, and concurrent writes of other processes: a process does not mistake its own
//! writes for another's, or another's for its own.

use std::time::{Duration, Instant};

use firedrill_storage::{
    AppendStore, Event, Policy, RedisStore, ServedBy, SessionData, SessionStore, StoreBuilder, TriviaSession,
};

use tokio::sync::oneshot;

use crate::bad_line::{BadLine, Caught};
use crate::fallback_drain::{cut_off, let_in, open_door, other_with_password};
use crate::fallback_outage::Lab;
use crate::support::{HOUR, PATIENCE, RedisServer, answer, eventually, id, keyring, session};

/// A tombstone's time is the server's, in milliseconds. Wait this long for a later one.
const LATER: Duration = Duration::from_millis(20);
/// What Redis knows of the order of a destroy and a put is uncertain by the way of an answer: so long is certain, even on
/// a busy machine.
const WELL_BEFORE: Duration = Duration::from_millis(150);

fn data(name: &str, questions: &[u64]) -> TriviaSession {
    let mut data = session(&id(name), "ada");
    for question in questions {
        data.append(answer(*question));
    }
    data
}

/// A store whose connection to Redis can lose chosen replies.
async fn on_a_line() -> (Lab, BadLine) {
    let server = RedisServer::start();
    let line = BadLine::to(server.port(), 1).await;
    let lab = Lab::with(Policy::Drain, server, |builder| {
        builder.redis_url = line.url();
        builder.command_timeout = Duration::from_secs(10);
    });
    eventually("there is a connection", async || lab.built.connections().connected.then_some(())).await;
    (lab, line)
}

/// Another process, while it can connect.
fn beside(lab: &Lab) -> RedisStore<TriviaSession> {
    RedisStore::builder(&lab.server.url()).build().unwrap()
}

async fn in_time(caught: oneshot::Receiver<Caught>) -> Caught {
    tokio::time::timeout(PATIENCE, caught).await.expect("the request does not come").unwrap()
}

async fn put(lab: &Lab, name: &str, questions: &[u64]) -> ServedBy {
    lab.store().put(&id(name), data(name, questions), HOUR).await.unwrap().served_by
}

async fn destroy(lab: &Lab, name: &str) {
    assert!(lab.store().destroy(&id(name)).await.unwrap().value);
}

#[tokio::test]
async fn a_put_is_not_lost_to_a_destroy_of_unknown_outcome_that_took_effect_after_it() {
    let lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    // The frozen server finds the destroy in its socket when it thaws.
    lab.server.freeze();
    destroy(&lab, "a").await;
    assert_eq!(put(&lab, "a", &[7]).await, ServedBy::Fallback);
    tokio::time::sleep(LATER).await;
    lab.server.thaw();
    lab.append("a", 8).await;
    lab.recovered().await;
    assert_eq!(lab.in_redis("a").await.unwrap().1, [7, 8]);
}

#[tokio::test]
async fn a_put_is_not_lost_to_a_destroy_of_a_session_that_memory_did_not_know() {
    let lab = Lab::new(Policy::Drain);
    let other = beside(&lab);
    other.create(&id("a"), data("a", &[1]), HOUR).await.unwrap();
    lab.create("known").await;
    lab.server.freeze();
    destroy(&lab, "a").await;
    put(&lab, "a", &[7]).await;
    tokio::time::sleep(LATER).await;
    lab.server.thaw();
    lab.recovered().await;
    assert_eq!(lab.in_redis("a").await.unwrap().1, [7]);
}

/// Destroys a session in an outage, and catches the destroy during its write-back.
async fn destroy_on_its_way_back(lab: &Lab, line: &BadLine, name: &str) -> Caught {
    // Makes the server learn the scripts.
    lab.create("scripts").await;
    destroy(lab, "scripts").await;
    lab.create(name).await;
    lab.append(name, 1).await;
    cut_off(lab);
    destroy(lab, name).await;
    let caught = line.catch(&format!("gone:{name}"));
    open_door(lab);
    in_time(caught).await
}

/// Lets it take effect, and loses the reply.
async fn deliver_and_cut(lab: &Lab, mut caught: Caught, name: &str) {
    let mut redis = lab.server.look();
    let mut stone =
        || redis::cmd("GET").arg(format!("session:gone:{name}")).query::<Option<String>>(&mut redis).unwrap();
    // Another process may have left one: this destroy writes its own name into it.
    let before = stone();
    caught.deliver();
    eventually("it is destroyed", async || (stone() != before).then_some(())).await;
}

#[tokio::test]
async fn a_put_is_not_lost_to_a_destroy_whose_way_back_was_not_answered() {
    let (lab, line) = on_a_line().await;
    let caught = destroy_on_its_way_back(&lab, &line, "a").await;
    assert_eq!(put(&lab, "a", &[7]).await, ServedBy::Fallback);
    tokio::time::sleep(LATER).await;
    deliver_and_cut(&lab, caught, "a").await;
    lab.append("a", 8).await;
    lab.recovered().await;
    assert_eq!(lab.in_redis("a").await.unwrap().1, [7, 8]);
}

#[tokio::test]
async fn another_process_destroy_is_seen_under_one_of_unknown_outcome() {
    for before_the_put in [false, true] {
        let (lab, line) = on_a_line().await;
        let other = beside(&lab);
        let caught = destroy_on_its_way_back(&lab, &line, "a").await;
        if before_the_put {
            assert!(other.destroy(&id("a")).await.unwrap().value);
            tokio::time::sleep(WELL_BEFORE).await;
        }
        put(&lab, "a", &[7]).await;
        tokio::time::sleep(LATER).await;
        if !before_the_put {
            assert!(other.destroy(&id("a")).await.unwrap().value);
        }
        deliver_and_cut(&lab, caught, "a").await;
        lab.recovered().await;
        let expected = before_the_put.then(|| vec![7]);
        assert_eq!(lab.in_redis("a").await.map(|(_, questions)| questions), expected);
        assert_eq!(lab.read("a").await.map(|(_, questions)| questions), expected);
    }
}

/// Ends the outage, and holds the first request that writes this session back for longer than it is since `since`.
async fn let_in_by_a_slow_line(lab: &Lab, line: &BadLine, name: &str, since: Instant) {
    let caught = line.hold(&format!("gone:{name}"));
    open_door(lab);
    let mut held = in_time(caught).await;
    tokio::time::sleep(2 * since.elapsed()).await;
    held.deliver();
    lab.recovered().await;
}

#[tokio::test]
async fn a_destroy_after_a_put_stands_however_long_the_write_back_is_on_its_way() {
    for renamed in [false, true] {
        let (lab, line) = on_a_line().await;
        lab.create("a").await;
        cut_off(&lab);
        let since = Instant::now();
        let name = if renamed { "b" } else { "a" };
        if renamed {
            lab.store().rename(&id("a"), &id(name), HOUR).await.unwrap();
        }
        put(&lab, name, &[7]).await;
        tokio::time::sleep(LATER).await;
        assert!(other_with_password(&lab).destroy(&id("a")).await.unwrap().value);
        let_in_by_a_slow_line(&lab, &line, "a", since).await;
        for name in ["a", name] {
            assert_eq!((lab.in_redis(name).await, lab.read(name).await), (None, None), "{name} of {renamed}");
        }
    }
}

#[tokio::test]
async fn a_put_after_a_destroy_stands_however_long_the_write_back_is_on_its_way() {
    let (lab, line) = on_a_line().await;
    lab.create("a").await;
    cut_off(&lab);
    assert!(other_with_password(&lab).destroy(&id("a")).await.unwrap().value);
    tokio::time::sleep(WELL_BEFORE).await;
    let since = Instant::now();
    put(&lab, "a", &[7]).await;
    let_in_by_a_slow_line(&lab, &line, "a", since).await;
    assert_eq!(lab.in_redis("a").await.unwrap().1, [7]);
    assert_eq!(lab.built.fallback_stats().lost_items, 0);
}

#[tokio::test]
async fn a_session_that_has_the_id_of_a_destroyed_one_is_written_back_however_slow_the_line_is() {
    let (lab, line) = on_a_line().await;
    lab.create("a").await;
    destroy(&lab, "a").await;
    lab.create("a").await;
    lab.append("a", 1).await;
    cut_off(&lab);
    lab.append("a", 2).await;
    // Longer than between the destroy and the create: no answer tells which of the two came first.
    line.slow_replies(60);
    open_door(&lab);
    lab.recovered().await;
    assert_eq!(lab.in_redis("a").await.unwrap().1, [1, 2]);
    assert_eq!(lab.built.fallback_stats().lost_items, 0);
}

#[tokio::test]
async fn what_a_put_replaced_that_this_process_had_never_seen_is_reported() {
    let lab = Lab::new(Policy::Drain);
    lab.create("warm").await;
    let other = beside(&lab);
    other.create(&id("a"), data("a", &[1]), HOUR).await.unwrap();
    cut_off(&lab);
    assert_eq!(put(&lab, "a", &[9]).await, ServedBy::Fallback);
    other_with_password(&lab).append(&id("a"), answer(3), HOUR).await.unwrap();
    let_in(&lab).await;
    assert_eq!(lab.in_redis("a").await.unwrap().1, [9], "the newest wins");
    assert_eq!(lab.came_to(), Event::Drained { written: 1, deleted: 0, merged: 0, lost: 2 });
    assert_eq!(lab.built.fallback_stats().lost_items, 2);
}

#[tokio::test]
async fn a_put_that_replaced_only_this_process_own_doing_reports_nothing() {
    let lab = Lab::new(Policy::Drain);
    let other = beside(&lab);
    other.create(&id("unseen"), data("unseen", &[]), HOUR).await.unwrap();
    lab.create("a").await;
    lab.append("a", 1).await;
    lab.server.freeze();
    // Each takes effect when the server thaws.
    let unseen = put(&lab, "unseen", &[4]);
    let appended = lab.append("a", 2);
    assert_eq!(tokio::join!(unseen, appended), (ServedBy::Fallback, ServedBy::Fallback));
    put(&lab, "unseen", &[5]).await;
    lab.append("a", 3).await;
    put(&lab, "a", &[9]).await;
    put(&lab, "a", &[10]).await;
    lab.server.thaw();
    lab.recovered().await;
    assert_eq!(lab.in_redis("unseen").await.unwrap().1, [5]);
    assert_eq!(lab.in_redis("a").await.unwrap().1, [10]);
    assert_eq!(lab.came_to(), Event::Drained { written: 2, deleted: 0, merged: 0, lost: 0 });
}

#[tokio::test]
async fn another_process_answer_is_not_taken_for_an_append_that_never_arrived() {
    let (lab, line) = on_a_line().await;
    lab.create("a").await;
    lab.append("a", 1).await;
    // Held in the proxy until its connection is cut: sent with unknown outcome, and without effect.
    let caught = line.catch("session:a");
    let (served_by, _) = tokio::join!(lab.append("a", 2), async {
        let caught = in_time(caught).await;
        cut_off(&lab);
        drop(caught);
    });
    assert_eq!(served_by, ServedBy::Fallback);
    put(&lab, "a", &[9]).await;
    // By version number alone, this could be the append.
    other_with_password(&lab).append(&id("a"), answer(3), HOUR).await.unwrap();
    let_in(&lab).await;
    let (_, mut questions) = lab.in_redis("a").await.unwrap();
    questions.sort_unstable();
    assert!(questions.contains(&3) && questions.contains(&9), "{questions:?}");
    assert_eq!(lab.came_to(), Event::Drained { written: 1, deleted: 0, merged: 1, lost: 0 });
}

#[tokio::test]
async fn a_read_while_the_session_is_written_back_does_not_make_another_version() {
    let (lab, line) = on_a_line().await;
    lab.create("a").await;
    cut_off(&lab);
    lab.append("a", 1).await;
    // Written back once, so that the server knows the script.
    let_in(&lab).await;
    cut_off(&lab);
    lab.append("a", 2).await;
    assert_eq!(lab.read("a").await, Some((3, vec![1, 2])));
    let caught = line.hold("gone:a");
    open_door(&lab);
    let mut held = in_time(caught).await;
    assert_eq!(lab.read("a").await, Some((3, vec![1, 2])));
    held.deliver();
    lab.recovered().await;
    assert_eq!(lab.in_redis("a").await, Some((3, vec![1, 2])));
}

#[tokio::test]
async fn an_append_of_an_item_that_an_encrypted_session_has_is_at_one_version_whether_it_arrived_or_not() {
    let keys = |builder: &mut StoreBuilder| builder.keyring = Some(keyring());
    let lab = Lab::with(Policy::Drain, RedisServer::start(), keys);
    put(&lab, "a", &[2]).await;
    // Makes the server learn the script.
    lab.create("scripts").await;
    lab.append("scripts", 1).await;
    lab.server.freeze();
    let acked = lab.store().append(&id("a"), answer(2), HOUR).await.unwrap();
    assert_eq!(acked.served_by, ServedBy::Fallback);
    lab.server.thaw();
    lab.recovered().await;
    assert_eq!(lab.read("a").await, Some((acked.value, vec![2])));
}

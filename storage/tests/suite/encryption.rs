//! Encrypted sessions in Redis: nothing readable at rest, every promise kept, rotation, and values that do not decrypt.

use std::sync::Arc;

use firedrill_storage::{
    AppendStore, Effect, Event, KeyRing, Policy, RedisStore, ServedBy, SessionData, SessionStore, StoreBuilder,
    StoreError, TriviaSession, Undecryptable,
};
use parking_lot::Mutex;

use crate::fallback_outage::Lab;
use crate::support::{HOUR, RedisServer, answer, eventually, id, key, keyring, questions, session};

fn store(server: &RedisServer, ring: &Arc<KeyRing>) -> RedisStore<TriviaSession> {
    RedisStore::builder(&server.url()).keyring(Arc::clone(ring)).build().unwrap()
}

fn plain(server: &RedisServer) -> RedisStore<TriviaSession> {
    RedisStore::builder(&server.url()).build().unwrap()
}

async fn read(store: &RedisStore<TriviaSession>, name: &str) -> Option<(u64, Vec<u64>)> {
    let found = store.get(&id(name), HOUR).await.unwrap().value;
    found.map(|session| (session.version, questions(&session.data)))
}

fn raw(server: &RedisServer, key: &str) -> Vec<u8> {
    redis::cmd("GET").arg(key).query(&mut server.look()).unwrap()
}

fn set(server: &RedisServer, key: &str, value: &[u8]) {
    redis::cmd("SET").arg(key).arg(value).arg("KEEPTTL").exec(&mut server.look()).unwrap();
}

/// Why a value cannot be decrypted; also checks that nothing was changed.
fn reason<T: std::fmt::Debug>(result: Result<T, StoreError>) -> Undecryptable {
    let error = result.unwrap_err();
    assert_eq!(error.effect(), Effect::None);
    match error {
        StoreError::Undecryptable { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nothing_but_ids_versions_and_lifetimes_is_readable_in_redis() {
    let server = RedisServer::start();
    let store = store(&server, &keyring());
    store.create(&id("a"), session(&id("a"), "ada-lovelace"), HOUR).await.unwrap();
    store.append(&id("a"), answer(123_456), HOUR).await.unwrap();
    store
        .create(
            &id("b"),
            TriviaSession::sized(
                id("b"),
                firedrill_storage::UserId::Text("ada-lovelace".into()),
                50_000,
                firedrill_storage::Timestamp(0),
            ),
            HOUR,
        )
        .await
        .unwrap();
    let mut redis = server.look();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).unwrap();
    assert_eq!(keys.len(), 3, "{keys:?}");
    let mut everything = keys.concat().into_bytes();
    everything.extend(raw(&server, "session:a"));
    everything.extend(raw(&server, "session:b"));
    // Words of three or four letters turn up by chance in 50 KB of ciphertext: one run in 300 for three.
    for word in ["lovelace", "question", "answers", "sessionId", "123456"] {
        assert!(!everything.windows(word.len()).any(|part| part == word.as_bytes()), "{word}");
    }
    for key in keys {
        let ttl: i64 = redis::cmd("PTTL").arg(&key).query(&mut redis).unwrap();
        assert!(ttl > 0, "{key} has no lifetime");
    }
    assert_eq!(store.list_by_user("ada-lovelace", 10).await.unwrap().value, [id("b"), id("a")]);
}

#[tokio::test]
async fn an_append_sends_the_item_alone_and_the_session_grows_by_its_items() {
    let server = RedisServer::start();
    let store = store(&server, &keyring());
    let big =
        TriviaSession::sized(id("a"), firedrill_storage::UserId::Number(7), 50_000, firedrill_storage::Timestamp(0));
    store.create(&id("a"), big.clone(), HOUR).await.unwrap();
    let mut redis = server.look();
    let memory = |redis: &mut redis::Connection| -> i64 {
        redis::cmd("MEMORY").arg("USAGE").arg("session:a").query(redis).unwrap()
    };
    let before = memory(&mut redis);
    let mut expected = big;
    for question in 0..60 {
        let length = raw(&server, "session:a").len();
        assert_eq!(store.append(&id("a"), answer(question), HOUR).await.unwrap().value, question + 2);
        assert!(raw(&server, "session:a").len() < length + 2_000);
        expected.append(answer(question));
    }
    let found = store.get(&id("a"), HOUR).await.unwrap().value.unwrap();
    assert_eq!((found.version, found.data), (61, expected.clone()));
    let after = memory(&mut redis);
    assert!(after < before + before / 2, "{before} bytes became {after}");
    // A whole write merges it into one segment again.
    store.put(&id("a"), expected.clone(), HOUR).await.unwrap();
    assert_eq!(store.get(&id("a"), HOUR).await.unwrap().value.unwrap().data, expected);
    let json = serde_json::to_vec(&expected).unwrap().len();
    assert!(raw(&server, "session:a").len() < json + 2_000);
}

#[tokio::test]
async fn an_item_that_is_in_the_base_is_not_there_twice() {
    let server = RedisServer::start();
    let store = store(&server, &keyring());
    let mut data = session(&id("a"), "ada");
    data.append(answer(1));
    store.create(&id("a"), data, HOUR).await.unwrap();
    store.append(&id("a"), answer(1), HOUR).await.unwrap();
    store.append(&id("a"), answer(2), HOUR).await.unwrap();
    assert_eq!(read(&store, "a").await.unwrap().1, [1, 2]);
}

#[tokio::test]
async fn keys_are_rotated_without_losing_a_session_or_its_place_in_the_users_list() {
    let server = RedisServer::start();
    let ring = keyring();
    let store = store(&server, &ring);
    for name in ["a", "b", "c"] {
        store.create(&id(name), session(&id(name), "ada"), HOUR).await.unwrap();
        store.append(&id(name), answer(1), HOUR).await.unwrap();
    }
    ring.rotate(key('2'));
    store.append(&id("a"), answer(2), HOUR).await.unwrap();
    store.put(&id("b"), session(&id("b"), "ada"), HOUR).await.unwrap();
    assert_eq!(read(&store, "a").await, Some((3, vec![1, 2])));
    assert_eq!(read(&store, "b").await, Some((3, vec![])));
    assert_eq!(read(&store, "c").await, Some((2, vec![1])));
    assert_eq!(store.list_by_user("ada", 10).await.unwrap().value, [id("b"), id("a"), id("c")]);
    // Values written whole since then need only the new key; the others need the old one, and the error says so.
    let new_only = self::store(&server, &Arc::new(KeyRing::new(key('2'), vec![])));
    assert_eq!(read(&new_only, "b").await, Some((3, vec![])));
    for name in ["a", "c"] {
        assert_eq!(reason(new_only.get(&id(name), HOUR).await), Undecryptable::UnknownKey { key: key('1').id() });
    }
    assert_eq!(new_only.list_by_user("ada", 10).await.unwrap().value, [id("b")]);
    assert!(store.destroy(&id("a")).await.unwrap().value);
    assert_eq!(store.list_by_user("ada", 10).await.unwrap().value, [id("b"), id("c")]);
}

#[tokio::test]
async fn a_read_of_a_session_keeps_the_index_alive_that_it_stands_in() {
    let server = RedisServer::start();
    store(&server, &keyring()).create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    let mut redis = server.look();
    let index: Vec<String> = redis::cmd("KEYS").arg("session:user:*").query(&mut redis).unwrap();
    redis::cmd("PEXPIRE").arg(&index[0]).arg(60_000).exec(&mut redis).unwrap();
    let rotated = store(&server, &Arc::new(KeyRing::new(key('2'), vec![key('1')])));
    rotated.get(&id("a"), HOUR).await.unwrap();
    let ttl: i64 = redis::cmd("PTTL").arg(&index[0]).query(&mut redis).unwrap();
    assert!(ttl > 3_600_000, "{ttl}");
    assert_eq!(redis::cmd("KEYS").arg("session:user:*").query::<Vec<String>>(&mut redis).unwrap(), index);
}

#[tokio::test]
async fn a_value_that_does_not_decrypt_is_an_error_and_an_event_and_can_be_destroyed() {
    let server = RedisServer::start();
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let store = RedisStore::<TriviaSession>::builder(&server.url())
        .keyring(keyring())
        .events(Arc::new(move |event| sink.lock().push(event)))
        .build()
        .unwrap();
    store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    store.create(&id("b"), session(&id("b"), "ada"), HOUR).await.unwrap();
    let sound = raw(&server, "session:a");
    let flipped = |at: usize| {
        let mut value = sound.clone();
        value[at] ^= 1;
        value
    };
    let cases = [
        ("moved", raw(&server, "session:b"), Undecryptable::Altered),
        ("altered", flipped(sound.len() / 2), Undecryptable::Altered),
        ("cut", sound[..sound.len() / 2].to_vec(), Undecryptable::Malformed),
        ("version", flipped(11), Undecryptable::Malformed),
        ("plain", b"{\"version\":1,\"data\":{}}".to_vec(), Undecryptable::NotEncrypted),
        ("garbage", b"\xff\xfe garbage".to_vec(), Undecryptable::Malformed),
    ];
    for (case, (name, value, expected)) in cases.into_iter().enumerate() {
        set(&server, "session:a", &value);
        assert_eq!(reason(store.get(&id("a"), HOUR).await), expected, "{name}");
        assert_eq!(store.unreadable(), case as u64 + 1, "{name}");
        assert_eq!(events.lock().last(), Some(&Event::Unreadable { session: id("a") }), "{name}");
        assert_eq!(raw(&server, "session:a"), value, "{name}: a read leaves it as it is");
    }
    for (value, expected) in [
        (&b"\xff\xfe garbage"[..], Undecryptable::Malformed),
        (&sound[..sound.len() / 2], Undecryptable::Malformed),
        (b"{\"version\":1,\"data\":{}}", Undecryptable::NotEncrypted),
    ] {
        set(&server, "session:a", value);
        assert_eq!(reason(store.append(&id("a"), answer(1), HOUR).await), expected);
        assert_eq!(raw(&server, "session:a"), value);
    }
    let stranger = self::store(&server, &Arc::new(KeyRing::new(key('3'), vec![])));
    let unknown = Undecryptable::UnknownKey { key: key('1').id() };
    assert_eq!(reason(stranger.append(&id("b"), answer(1), HOUR).await), unknown);
    assert_eq!(reason(plain(&server).get(&id("b"), HOUR).await), Undecryptable::NoKeys);
    assert_eq!(read(&store, "b").await, Some((1, vec![])));
    for name in ["a", "b"] {
        assert!(stranger.destroy(&id(name)).await.unwrap().value);
        assert_eq!(read(&store, name).await, None);
    }
    assert!(store.list_by_user("ada", 10).await.unwrap().value.is_empty());
}

#[tokio::test]
async fn sessions_in_plain_text_are_taken_over_where_that_is_allowed_and_refused_where_not() {
    let server = RedisServer::start();
    let before = plain(&server);
    for name in ["a", "b"] {
        before.create(&id(name), session(&id(name), "ada"), HOUR).await.unwrap();
    }
    before.append(&id("a"), answer(1), HOUR).await.unwrap();
    let strict = store(&server, &keyring());
    assert_eq!(reason(strict.get(&id("a"), HOUR).await), Undecryptable::NotEncrypted);
    let lenient = store(&server, &Arc::new(KeyRing::new(key('1'), vec![]).accept_plaintext(true)));
    assert_eq!(lenient.append(&id("a"), answer(2), HOUR).await.unwrap().value, 3);
    assert_eq!(read(&strict, "a").await, Some((3, vec![1, 2])));
    assert_eq!(read(&lenient, "b").await, Some((1, vec![])));
    assert_eq!(lenient.list_by_user("ada", 10).await.unwrap().value, [id("a"), id("b")]);
    assert_eq!(strict.list_by_user("ada", 10).await.unwrap().value, [id("a")]);
}

#[tokio::test]
async fn an_outage_is_drained_encrypted_and_copies_of_two_processes_are_united() {
    let ring = keyring();
    let mut lab = Lab::with(Policy::Drain, RedisServer::start(), |builder| builder.keyring = Some(Arc::clone(&ring)));
    lab.create("a").await;
    lab.append("a", 1).await;
    let other = store(&lab.server, &ring);
    other.append(&id("a"), answer(9), HOUR).await.unwrap();
    lab.server.kill();
    assert_eq!(lab.append("a", 2).await, ServedBy::Fallback);
    lab.create("b").await;
    ring.rotate(key('2'));
    lab.server.restart();
    lab.recovered().await;
    // It reconnects at its own pace.
    eventually("the other process is connected", async || other.is_connected().then_some(())).await;
    let (_, mut united) = read(&other, "a").await.unwrap();
    united.sort_unstable();
    assert_eq!(united, [1, 2, 9]);
    assert_eq!(read(&other, "b").await, Some((1, vec![])));
    let new_only = store(&lab.server, &Arc::new(KeyRing::new(key('2'), vec![])));
    assert_eq!(read(&new_only, "a").await.unwrap().1.len(), 3, "written back with the newest key");
    let merged = lab.events.lock().iter().any(|event| matches!(event, Event::Drained { merged: 1, lost: 0, .. }));
    assert!(merged, "{:?}", lab.events.lock());
}

#[tokio::test]
async fn a_value_that_does_not_decrypt_activates_no_fallback() {
    let server = RedisServer::start();
    let builder = StoreBuilder { policy: Policy::Drain, keyring: Some(keyring()), ..StoreBuilder::new(server.url()) };
    let built = builder.build::<TriviaSession>().unwrap();
    built.store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    set(&server, "session:a", b"garbage");
    assert_eq!(reason(built.store.get(&id("a"), HOUR).await), Undecryptable::Malformed);
    assert_eq!(built.fallback_stats().activations, 0);
    assert!(built.store.destroy(&id("a")).await.unwrap().value);
}

//! session-server as its users meet it: the real process, a real redis-server, real HTTP.

use hyper::{Method, Request, StatusCode};
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{App, SECRET};
use crate::support::{RedisServer, eventually};

fn on(redis: &RedisServer) -> App {
    App::start(&[("REDIS_URL", &redis.url()), ("SESSION_POLICY", "fail-fast"), ("REDIS_TIMEOUT", "300")])
}

#[tokio::test]
async fn a_game_from_its_first_question_to_its_reward() {
    let redis = RedisServer::start();
    let app = on(&redis);
    let mut player = app.client();
    let begun = player.begin().await;
    assert_eq!(begun.header("x-served-by"), "primary");
    let game = begun.json();
    assert_eq!(game["questions"].as_array().unwrap().len(), 10);
    assert!(!begun.text.contains("correct") && !begun.text.contains("explanation"), "{}", begun.text);

    let right = player.answer(2, 1).await;
    assert_eq!((right.status, right.json()["correct"].clone()), (StatusCode::OK, json!(true)));
    let wrong = player.answer(1, 3).await;
    assert_eq!((wrong.status, wrong.json()["correct"].clone()), (StatusCode::OK, json!(false)));
    // The first answer stays.
    let changed = player.answer(1, 0).await;
    assert_eq!((changed.status, changed.code()), (StatusCode::CONFLICT, "already_answered".to_owned()));
    assert_eq!(player.answer(1, 3).await.json()["repeated"], json!(true));
    for (question, choice, code) in [(99, 0, "no_such_question"), (3, 4, "no_such_choice")] {
        let refused = player.answer(question, choice).await;
        assert_eq!((refused.status, refused.code()), (StatusCode::BAD_REQUEST, code.to_owned()));
    }

    let results = player.get("/api/game/results").await.json();
    assert_eq!(results["sessionId"], game["sessionId"]);
    assert_eq!((&results["score"], &results["answered"]), (&json!(10), &json!(2)));

    let awarded = player.post("/api/game/award", r#"{"claim":"mine"}"#).await.json();
    assert_eq!(awarded, json!({"awarded": true, "claim": "mine"}));
    assert_eq!(player.post("/api/game/award", "").await.json(), json!({"awarded": false}));
    assert_eq!(player.post("/api/game/award", r#"{"claim":"mine"}"#).await.json()["awarded"], json!(true));

    let cookie = player.cookie.clone();
    assert_eq!(player.ask(Method::DELETE, "/api/game/session", "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(player.cookie, None, "the cookie is deleted");
    player.cookie = cookie;
    let gone = player.get("/api/game/results").await;
    assert_eq!((gone.status, gone.code()), (StatusCode::NOT_FOUND, "session_not_found".to_owned()));
}

/// Everything in Redis, keys and values.
fn everything(redis: &RedisServer) -> Vec<u8> {
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]).unwrap();
    let values = keys.iter().filter_map(|key| redis.ask::<Vec<u8>>(&["GET", key]).ok());
    [keys.concat().into_bytes(), values.collect::<Vec<_>>().concat()].concat()
}

#[tokio::test]
async fn an_encrypted_game_is_unreadable_in_redis_and_goes_on_after_its_key_was_rotated() {
    let redis = RedisServer::start();
    let [first, second, other] = ["1", "2", "3"].map(|digit| digit.repeat(64));
    let with = |key: &str, old: &str| {
        let keys = [("SESSION_ENCRYPTION_KEY", key), ("SESSION_ENCRYPTION_OLD_KEYS", old)];
        let settings = [("REDIS_URL", &*redis.url()), ("SESSION_POLICY", "fail-fast")];
        App::start(&settings.iter().chain(keys.iter().filter(|(_, key)| !key.is_empty())).copied().collect::<Vec<_>>())
    };
    let app = with(&first, "");
    let mut player = app.client();
    player.begin().await;
    assert_eq!(player.answer(2, 1).await.json()["correct"], json!(true));
    let stored = everything(&redis);
    for word in ["ada", "question", "answer", "sessionId", "choices", "correct"] {
        assert!(!stored.windows(word.len()).any(|part| part == word.as_bytes()), "{word} can be read in Redis");
    }
    drop(app);

    // The new key writes, the old one still reads.
    let rotated = with(&second, &first);
    let cookie = player.cookie.clone();
    let mut player = rotated.client();
    player.cookie = cookie.clone();
    assert_eq!(player.get("/api/game/results").await.json()["answered"], json!(1));
    assert_eq!(player.answer(1, 0).await.status, StatusCode::OK);
    let awarded = player.post("/api/game/award", r#"{"claim":"mine"}"#).await.json();
    assert_eq!(awarded, json!({"awarded": true, "claim": "mine"}));
    assert_eq!(player.get("/api/game/results").await.json()["answered"], json!(2));
    drop(rotated);

    // The reward was written whole with the new key: the old key is no longer needed, and no other key opens it.
    for (key, status) in [(&second, StatusCode::OK), (&other, StatusCode::INTERNAL_SERVER_ERROR)] {
        let app = with(key, "");
        let mut player = app.client();
        player.cookie = cookie.clone();
        let results = player.get("/api/game/results").await;
        assert_eq!(results.status, status, "{results:?}");
        match status {
            StatusCode::OK => assert_eq!(results.json()["answered"], json!(2)),
            _ => assert_eq!(results.code(), "session_unreadable"),
        }
    }
}

#[tokio::test]
async fn a_session_survives_a_restart_of_the_server_and_of_redis() {
    let mut redis = RedisServer::start();
    let first = on(&redis);
    let mut player = first.client();
    player.begin().await;
    player.answer(1, 0).await;
    first.signal(Signal::SIGTERM);
    assert!(first.ended().status.success());
    redis.kill();
    redis.restart();
    let second = on(&redis);
    let mut again = second.client();
    again.cookie = player.cookie;
    let results = eventually("the game is there again", async || {
        let reply = again.get("/api/game/results").await;
        (reply.status == StatusCode::OK).then_some(reply)
    })
    .await;
    assert_eq!(results.json()["answers"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn without_redis_fail_fast_says_503_and_when_to_come_back() {
    let mut redis = RedisServer::start();
    let app = on(&redis);
    let mut player = app.client();
    player.begin().await;
    redis.kill();
    let refused = eventually("the connection is found broken", async || {
        let reply = player.get("/api/game/results").await;
        (reply.code() == "store_unavailable").then_some(reply)
    })
    .await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    assert_eq!(refused.json()["error"]["effect"], json!("none"));
    redis.restart();
    eventually("it comes back", async || {
        (player.get("/api/game/results").await.status == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_call_to_a_frozen_redis_ends_with_503_and_says_that_it_may_have_had_an_effect() {
    let redis = RedisServer::start();
    let app = on(&redis);
    let mut player = app.client();
    player.begin().await;
    redis.freeze();
    let refused = player.post("/api/game/session", "").await;
    redis.thaw();
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.json()["error"]["effect"], json!("unknown"), "{}", refused.text);
    assert_eq!(refused.header("retry-after"), "1");
}

#[tokio::test]
async fn under_drain_the_fallback_answers_and_says_so() {
    let mut redis = RedisServer::start();
    let app = App::start(&[("REDIS_URL", &redis.url()), ("SESSION_POLICY", "drain")]);
    let mut player = app.client();
    player.begin().await;
    redis.kill();
    let answered = player.answer(1, 0).await;
    assert_eq!((answered.status, answered.header("x-served-by")), (StatusCode::OK, "fallback"));
    let health = player.get("/health").await.json();
    assert_eq!(health["status"], json!("degraded"));
    assert_eq!((&health["redis"], &health["fallbackMode"]), (&json!("disconnected"), &json!(true)));
    redis.restart();
    eventually("Redis answers again", async || {
        (player.get("/api/game/results").await.header("x-served-by") == "primary").then_some(())
    })
    .await;
    assert_eq!(player.get("/api/game/results").await.json()["answers"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_cookie_that_was_not_signed_here_is_refused() {
    let redis = RedisServer::start();
    let app = on(&redis);
    let mut player = app.client();
    let set = player.begin().await;
    let set = set.header("set-cookie");
    for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=3600"] {
        assert!(set.contains(part), "{part} in {set}");
    }
    assert!(!set.contains("Secure"), "{set}");
    let cookie = player.cookie.clone().unwrap();
    let (name, value) = cookie.split_once('=').unwrap();
    let id = player.get("/api/game/results").await.json()["sessionId"].as_str().unwrap().to_owned();
    let mut flipped = value.to_owned().into_bytes();
    let last = flipped.len() - 1;
    flipped[last] = if flipped[last] == b'a' { b'b' } else { b'a' };
    for forged in [id.clone(), String::from_utf8(flipped).unwrap(), "x".to_owned()] {
        player.cookie = Some(format!("{name}={forged}"));
        let refused = player.get("/api/game/results").await;
        assert_eq!((refused.status, refused.code()), (StatusCode::UNAUTHORIZED, "bad_cookie".to_owned()), "{forged}");
    }
    player.cookie = None;
    assert_eq!(player.get("/api/game/results").await.code(), "no_cookie");
    // A server with another secret rejects this one's cookies.
    let other = App::start(&[("REDIS_URL", &redis.url()), ("SESSION_SECRET", &SECRET.replace('a', "b"))]);
    let mut stranger = other.client();
    stranger.cookie = Some(cookie);
    assert_eq!(stranger.get("/api/game/results").await.code(), "bad_cookie");
}

#[tokio::test]
async fn in_production_the_cookie_is_for_https_and_a_secret_is_required() {
    let app = App::start(&[("APP_ENV", "production"), ("USE_MEMORY_SESSIONS", "true")]);
    let begun = app.client().begin().await;
    assert!(begun.header("set-cookie").contains("Secure"), "{}", begun.header("set-cookie"));
    let ended = App::fail(&[("APP_ENV", "production"), ("SESSION_SECRET", "")]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.said.contains("SESSION_SECRET, APP_ENV: production needs a secret"), "{}", ended.said);
}

#[tokio::test]
async fn bad_requests_get_typed_errors() {
    let app = App::start(&[("USE_MEMORY_SESSIONS", "true"), ("BODY_LIMIT", "1000")]);
    let mut player = app.client();
    player.begin().await;
    let large = format!(r#"{{"userId":"{}"}}"#, "x".repeat(2_000));
    let cases = [
        (player.post("/api/game/session", &large).await, 413, "body_too_large"),
        (player.post("/api/game/session", "{").await, 400, "bad_request"),
        (player.post("/api/game/session", r#"{"bytes":99999999}"#).await, 400, "bad_request"),
        (player.post("/api/game/session", r#"{"byte":1}"#).await, 400, "bad_request"),
        (player.post("/api/game/answer", r#"{"questionId":"one"}"#).await, 400, "bad_request"),
        (player.get("/nowhere").await, 404, "no_such_path"),
        (player.get("/api/game/answer").await, 405, "no_such_method"),
    ];
    for (reply, status, code) in cases {
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code.to_owned()), "{reply:?}");
        assert!(reply.json()["error"]["message"].is_string());
    }
    let form = Request::post("/api/game/session").header("host", "x").header("content-type", "text/plain");
    let reply = player.send(form, "{}".to_owned()).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (415, "not_json".to_owned()));
}

#[tokio::test]
async fn told_to_end_it_finishes_what_is_under_way() {
    let app = App::start(&[("USE_MEMORY_SESSIONS", "true")]);
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let body = r#"{"bytes":1000}"#;
    let head = format!(
        "POST /api/game/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The reply to "expect": the request has reached its handler, which waits for the body.
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 100");
    app.signal(Signal::SIGTERM);
    eventually("nobody is let in any more", async || TcpStream::connect(app.address()).await.is_err().then_some(()))
        .await;
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("HTTP/1.1 201 Created"), "{answer}");
    assert!(app.ended().status.success());
}

#[tokio::test]
async fn told_to_end_it_waits_no_longer_than_its_grace() {
    let app = App::start(&[("USE_MEMORY_SESSIONS", "true"), ("SHUTDOWN_GRACE", "0")]);
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let head = "POST /api/game/session HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).await.unwrap();
    app.signal(Signal::SIGTERM);
    let ended = app.ended();
    assert!(ended.status.success());
    assert!(ended.said.contains("closed before every request was finished"), "{}", ended.said);
}

/// A server with an answer that only its memory has because Redis was killed, told to shut down within `grace` seconds.
async fn told_to_end_in_an_outage(redis: &mut RedisServer, grace: &str) -> (App, Option<String>) {
    let app = App::start(&[("REDIS_URL", &redis.url()), ("REDIS_TIMEOUT", "500"), ("SHUTDOWN_GRACE", grace)]);
    let mut player = app.client();
    player.begin().await;
    redis.kill();
    assert_eq!(player.answer(1, 0).await.status, StatusCode::OK);
    let cookie = player.cookie.clone();
    drop(player);
    app.signal(Signal::SIGTERM);
    (app, cookie)
}

#[tokio::test]
async fn told_to_end_in_an_outage_it_saves_what_only_memory_has_within_its_grace() {
    let mut redis = RedisServer::start();
    let (app, cookie) = told_to_end_in_an_outage(&mut redis, "60").await;
    redis.restart();
    let ended = app.ended();
    assert!(ended.status.success());
    assert!(ended.said.contains("every session is saved"), "{}", ended.said);
    let next = on(&redis);
    let mut player = next.client();
    player.cookie = cookie;
    assert_eq!(player.get("/api/game/results").await.json()["answered"], json!(1));
}

#[tokio::test]
async fn what_it_could_not_save_at_the_end_is_said_with_its_number() {
    let mut redis = RedisServer::start();
    let (app, _) = told_to_end_in_an_outage(&mut redis, "1").await;
    let ended = app.ended();
    assert!(ended.status.success());
    assert!(ended.said.contains("unsaved=1"), "{}", ended.said);
}

#[tokio::test]
async fn what_happens_inside_the_store_is_told_line_by_line_where_that_is_asked_for() {
    let mut redis = RedisServer::start();
    let url = redis.url();
    let drain = [("REDIS_URL", url.as_str()), ("SESSION_POLICY", "drain"), ("REDIS_TIMEOUT", "300")];
    let silent = App::start(&drain);
    assert_eq!(silent.client().get("/events").await.status, StatusCode::NOT_FOUND);

    let app = App::start(&[drain.as_slice(), &[("SESSION_EVENTS", "true")]].concat());
    let mut watcher = app.client();
    let before = watcher.get("/events").await;
    assert_eq!((before.status, before.text.as_str()), (StatusCode::OK, ""));
    redis.kill();
    let mut player = app.client();
    assert_eq!(player.begin().await.header("x-served-by"), "fallback");
    let first = watcher.get(&format!("/events?after={}&wait_ms=1000", before.header("x-next"))).await;
    let line: serde_json::Value = serde_json::from_str(first.text.trim_end()).unwrap();
    assert_eq!(line["event"], "fallback-started");
    assert!(line["at_us"].as_u64().is_some_and(|at| at > 1_600_000_000_000_000), "{line}");
    redis.restart();
    let after = format!("/events?after={}&wait_ms=1000", first.header("x-next"));
    let rest = eventually("the end of the fallback", async || {
        let reply = watcher.get(&after).await;
        reply.text.contains("fallback-ended").then_some(reply.text)
    })
    .await;
    assert!(rest.contains("\"event\":\"drained\"") && !rest.contains("fallback-started"), "{rest}");
    let again = watcher.get("/events?after=1-1").await;
    assert!(again.text.starts_with(first.text.trim_end()), "another process's position starts over");
}

//! session-server as its operators meet it: secrets, metrics, bad settings, and the README's own commands.

use std::process::Command;

use firedrill_storage::config::VARIABLES;
use hyper::StatusCode;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::app::{App, SECRET};
use crate::support::{RedisServer, eventually};

#[tokio::test]
async fn no_secret_leaves_the_process_even_where_it_says_everything() {
    let mut redis = RedisServer::start_with(&["--requirepass", "a-redis-password", "--appendonly", "yes"]);
    let url = redis.url().replace("redis://", "redis://:a-redis-password@");
    let app = App::start(&[("REDIS_URL", &url), ("RUST_LOG", "trace"), ("REDIS_TIMEOUT", "1000")]);
    let mut player = app.client();
    player.begin().await;
    player.answer(1, 0).await;
    redis.kill();
    player.answer(2, 0).await;
    let mut shown = String::new();
    for path in ["/health", "/health/redis", "/metrics", "/api/game/results"] {
        shown += &player.get(path).await.text;
    }
    let cmdline = std::fs::read_to_string(format!("/proc/{}/cmdline", app.pid())).unwrap();
    app.signal(Signal::SIGTERM);
    let said = app.ended().said;
    assert!(said.contains("no connection to Redis"), "it did not report the outage: {said}");
    for (what, text) in [("answers", shown), ("log", said), ("command line", cmdline)] {
        for secret in ["a-redis-password", SECRET] {
            assert!(!text.contains(secret), "{secret} is in the {what}: {text}");
        }
    }
}

#[tokio::test]
async fn bad_settings_stop_the_start_and_name_every_variable_and_no_value() {
    let ended = App::fail(&[("REDIS_URL", "redis://:hush-hush@h/x"), ("REDIS_DB", "abc"), ("SESSION_POLICY", "none")]);
    assert_eq!(ended.status.code(), Some(2));
    for name in ["REDIS_URL", "REDIS_DB", "SESSION_POLICY"] {
        assert!(ended.said.contains(name), "{name}: {}", ended.said);
    }
    assert!(!ended.said.contains("hush-hush"), "{}", ended.said);
}

#[tokio::test]
async fn figures_tell_operations_connections_and_the_fallback() {
    let mut redis = RedisServer::start();
    let app = App::start(&[("REDIS_URL", &redis.url()), ("SESSION_POLICY", "drain")]);
    let mut player = app.client();
    player.begin().await;
    let figures = player.get("/metrics").await.text;
    for line in [
        r#"firedrill_store_operations_total{operation="create",outcome="ok"} 1"#,
        r#"firedrill_store_operation_seconds_count{operation="create"} 1"#,
        "firedrill_store_connections_opened_total 1",
        "firedrill_store_connected 1",
        "firedrill_store_fallback_active 0",
    ] {
        assert!(figures.contains(line), "{line} in {figures}");
    }
    redis.kill();
    player.answer(1, 0).await;
    let figures = player.get("/metrics").await.text;
    for line in ["firedrill_store_fallback_activations_total 1", "firedrill_store_fallback_active 1"] {
        assert!(figures.contains(line), "{line} in {figures}");
    }
    assert!(figures.contains(r#"outcome="degraded"} "#), "{figures}");
    redis.restart();
    let active = eventually("active sessions are counted again", async || {
        let figures = player.get("/metrics").await.text;
        figures.contains("firedrill_store_fallback_active 0").then_some(figures)
    })
    .await;
    assert!(active.contains("firedrill_store_fallback_drained_total 1"), "{active}");
}

#[tokio::test]
async fn health_has_the_shapes_that_are_asked_for() {
    let redis = RedisServer::start();
    let app = App::start(&[("REDIS_URL", &redis.url()), ("REDIS_CONNECT", "eager")]);
    let mut probe = app.client();
    let health = probe.get("/health").await;
    assert_eq!(health.status, StatusCode::OK);
    let health = health.json();
    assert_eq!((&health["status"], &health["redis"]), (&json!("ok"), &json!("connected")));
    assert_eq!(health["fallbackMode"], json!(false));
    let redis = probe.get("/health/redis").await.json();
    assert_eq!((&redis["success"], &redis["data"]["status"]), (&json!(true), &json!("connected")));
    for name in ["latencyMs", "memoryUsage", "uptime"] {
        assert!(redis["data"][name].is_number(), "{name}: {redis}");
        assert!(health["redisHealth"][name].is_number(), "{name}: {health}");
    }
}

#[tokio::test]
async fn the_readmes_lines_work_as_printed() {
    let readme = include_str!("../../../README.md");
    let lines: Vec<&str> = readme.lines().filter(|line| line.starts_with("curl ")).collect();
    assert!(lines.len() >= 6, "{lines:?}");
    let redis = RedisServer::start();
    let app = App::start(&[("REDIS_URL", &redis.url())]);
    let folder = tempfile::tempdir().unwrap();
    for line in lines {
        assert!(line.contains("127.0.0.1:3000"), "{line}");
        let line = line.replace("127.0.0.1:3000", &app.address().to_string());
        let (shell, folder) = (line.clone(), folder.path().to_owned());
        let ran = move || Command::new("sh").args(["-c", &shell]).current_dir(folder).output();
        let ran = tokio::task::spawn_blocking(ran).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success(), "{line}: {}{said}", String::from_utf8_lossy(&ran.stderr));
        assert!(!said.contains("\"error\""), "{line}: {said}");
    }
}

#[test]
fn the_example_of_an_environment_names_only_variables_that_are_read() {
    let example = include_str!("../../../.env.example");
    let names = example.lines().filter_map(|line| line.trim_start_matches("# ").split_once('='));
    let names: Vec<&str> = names.map(|(name, _)| name).filter(|name| name.starts_with("SESSION_")).collect();
    assert!(names.contains(&"SESSION_SECRET"), "{names:?}");
    for name in names {
        assert!(VARIABLES.iter().any(|variable| variable.name == name), "{name}");
    }
}

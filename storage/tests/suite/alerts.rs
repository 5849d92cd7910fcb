//! The alert rules of docs/alerts: Prometheus' own tool tests them, and session-server has every metric that they name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::app::App;
use crate::support::RedisServer;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/alerts")
}

fn promtool(arguments: &[&str]) {
    let done = Command::new("promtool").args(arguments).current_dir(folder()).output();
    let done = done.expect("promtool, of Debian's package prometheus: scripts/need.sh promtool");
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{arguments:?}\n{}", String::from_utf8_lossy(&said));
}

#[test]
fn each_alert_fires_on_its_own_line_and_not_below_it() {
    promtool(&["check", "rules", "session-store.rules.yml"]);
    promtool(&["test", "rules", "session-store.test.yml"]);
}

/// The metrics that the rules of `text` ask for.
fn metrics(text: &str) -> BTreeSet<&str> {
    let is_of_a_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let words = words.flat_map(|line| line.split(|letter: char| !is_of_a_name(letter) && letter != ':'));
    words.filter(|word| word.starts_with("firedrill_")).collect()
}

#[tokio::test]
async fn session_server_has_every_metric_that_the_alerts_name() {
    let redis = RedisServer::start();
    let app = App::start(&[("REDIS_URL", &redis.url()), ("SESSION_POLICY", "drain")]);
    let mut player = app.client();
    player.begin().await;
    let served = player.get("/metrics").await.text;
    let rules = std::fs::read_to_string(folder().join("session-store.rules.yml")).unwrap();
    let named = metrics(&rules);
    assert!(named.len() >= 6, "{named:?}");
    for name in named {
        let sample =
            served.lines().any(|line| line.starts_with(&format!("{name} ")) || line.starts_with(&format!("{name}{{")));
        assert!(sample, "{name} is not in\n{served}");
    }
}

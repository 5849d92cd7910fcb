//! Drills from a Rust test.

use firedrill::prelude::*;
use firedrill_reports::run::CheckVerdict;
use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;

#[path = "../../examples/tower_sessions.rs"]
#[allow(dead_code)]
mod tower_sessions;

/// One list per session: appending is atomic on the server.
#[derive(Clone)]
struct Lists {
    redis: MultiplexedConnection,
    prefix: String,
}

impl Lists {
    async fn connect(site: Site) -> redis::RedisResult<Self> {
        let redis = redis::Client::open(site.redis_url())?.get_multiplexed_async_connection().await?;
        Ok(Self { redis, prefix: site.prefix().to_owned() })
    }
}

impl Target for Lists {
    type Client = Self;

    const OPERATIONS: &'static [OpKind] = &[OpKind::Create, OpKind::Read, OpKind::Append];

    fn client(&self) -> Self {
        self.clone()
    }
}

impl Client for Lists {
    async fn execute(&mut self, op: &Operation, seen: &mut Observation) -> Outcome {
        let key = format!("{}session:{}", self.prefix, op.session);
        let done: redis::RedisResult<bool> = async {
            Ok(match op.kind {
                // The first entry marks the session as existing.
                OpKind::Create => self.redis.rpush::<_, _, u64>(&key, 0).await? > 0,
                OpKind::Append => self.redis.rpush_exists::<_, _, u64>(&key, op.token()).await? > 0,
                _ => {
                    seen.tokens = self.redis.lrange(&key, 0, -1).await?;
                    let there = !seen.tokens.is_empty();
                    seen.tokens.retain(|token| *token > 0);
                    there
                }
            })
        }
        .await;
        match done {
            Ok(there) => seen.answered(there),
            Err(error) if error.is_timeout() => seen.unknown(Cause::Timeout),
            Err(_) => seen.unknown(Cause::ConnectionLost),
        }
    }
}

/// Fails every operation.
#[derive(Clone)]
struct Helpless;

impl Target for Helpless {
    type Client = Self;

    const OPERATIONS: &'static [OpKind] = &[OpKind::Create, OpKind::Read, OpKind::Append];

    fn client(&self) -> Self {
        self.clone()
    }
}

impl Client for Helpless {
    async fn execute(&mut self, _: &Operation, seen: &mut Observation) -> Outcome {
        seen.failed(Cause::Unreachable)
    }
}

#[tokio::test]
async fn a_drill_of_which_nothing_of_the_preload_succeeded_ends_before_its_load() {
    let folder = tempfile::tempdir().unwrap();
    let helpless = async |_: Site| Ok::<_, std::io::Error>(Helpless);
    let error = Drill::shipped("concurrent-writes").out(folder.path()).target(helpless).run().await.err().unwrap();
    assert!(error.is_inconclusive(), "{error}");
    let said = error.to_string();
    assert!(said.starts_with("nothing of the preload succeeded: of ") && said.contains("(unreachable "), "{said}");
}

#[tokio::test]
async fn a_store_of_ones_own_passes_a_shipped_drill() {
    let folder = tempfile::tempdir().unwrap();
    let drill = Drill::shipped("concurrent-writes").set("load.0.for", "2s").seed(7).out(folder.path());
    let report = drill.target(Lists::connect).run().await.unwrap();
    report.assert_passed();
    assert!(report.html().is_file() && report.dir.join("run.json").is_file(), "{report}");
    assert_eq!(report.run.seed, 7);
    assert!(report.run.environment.iter().any(|fact| fact.key == "target" && fact.value.contains("Lists")));
}

#[tokio::test]
async fn the_lost_updates_of_tower_sessions_are_found_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let drill = Drill::shipped("concurrent-writes").set("load.0.for", "2s").set("store.sliding", false);
    let report = drill.out(folder.path()).target(tower_sessions::connect).run().await.unwrap();
    assert_eq!(report.verdict(), Verdict::Failed, "{report}");
    let lost: Vec<&str> = report
        .checks()
        .iter()
        .filter(|check| check.verdict == CheckVerdict::Invalid)
        .map(|check| check.name.as_str())
        .collect();
    assert!(lost.iter().any(|name| name.starts_with("lost-")), "{report}");
    let failed = std::panic::catch_unwind(|| report.assert_passed()).unwrap_err();
    let message = failed.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("concurrent-writes: failed") && message.contains(report.reasons()[0].as_str()),
        "{message}"
    );
}

#[tokio::test]
async fn gates_on_what_a_target_does_not_report_are_named_and_refused_in_a_scenario_of_ones_own() {
    let text =
        "name = \"x\"\nabout = \"y\"\n[[load]]\nrate = \"50/s\"\nfor = \"1s\"\n[gates]\n\"sessions.held\" = \"= 0\"\n";
    let error = Drill::from_toml(text).target(Lists::connect).run().await.unwrap_err();
    assert!(error.is_usage(), "{error}");
    assert!(error.to_string().contains("does not say how many sessions it holds in memory"), "{error}");
}

#[test]
fn situations_of_a_shipped_scenario_that_a_target_does_not_report_are_left_out() {
    let mix = "{ create = 1, read = 6, append = 5 }";
    let drill = Drill::shipped("redis-resets").set("load.0.mix", mix).target(Lists::connect);
    let planned = drill.plan().unwrap();
    assert!(planned.plan().scenario.situations.is_empty(), "its appends that a fallback took over");
    let drill = Drill::shipped("concurrent-writes").target(Lists::connect);
    assert_eq!(drill.plan().unwrap().plan().scenario.situations.iter().count(), 1, "what the history tells stays");
}

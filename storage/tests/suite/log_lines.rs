//! How many log lines an outage produces: one warning when it begins and one line when it ends, however many calls and
//! attempts fail in between, whichever part notices it first.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use firedrill_storage::{BreakerConfig, BuiltStore, Policy, StoreBuilder, TriviaSession};
use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, span};

use crate::cluster::{ClusterLab, NODE_TIMEOUT};
use crate::support::{HOUR, RedisServer, eventually, id, session};

/// Keeps every line that the store writes at `info` or above.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Level, String)>>>);

/// Never used. With a single subscriber, tracing asks the first thread to reach a log statement whether anybody
/// listens, and caches the answer; that may be another test's thread, where nobody does. With several subscribers it
/// asks every one.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Lines::default()));

impl Lines {
    /// Collects what this thread logs while the guard exists.
    fn listen(&self) -> DefaultGuard {
        LazyLock::force(&SECOND);
        tracing::subscriber::set_default(self.clone())
    }

    fn of(&self, level: Level) -> Vec<String> {
        self.0.lock().iter().filter(|(of, _)| *of == level).map(|(_, line)| line.clone()).collect()
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{}={value:?} ", field.name());
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO && metadata.target().starts_with("firedrill_storage")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().push((*event.metadata().level(), text.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Calls per outage.
const CALLS: usize = 200;

/// A test's own store and its log lines.
struct Teller {
    built: BuiltStore<TriviaSession>,
    lines: Lines,
    _guard: DefaultGuard,
}

impl Teller {
    async fn start(settings: StoreBuilder) -> Self {
        // If the machine stalls for longer than a call may take, the start logs something: try again.
        for _ in 0..20 {
            let lines = Lines::default();
            let guard = lines.listen();
            let settings = StoreBuilder { command_timeout: Duration::from_millis(300), ..settings.clone() };
            let teller = Self { built: settings.build().unwrap(), lines, _guard: guard };
            let made = teller.built.store.put(&id("a"), session(&id("a"), "ada"), HOUR).await;
            if made.is_ok() && teller.lines.0.lock().is_empty() {
                return teller;
            }
        }
        panic!("no start without log lines");
    }

    /// Makes calls; only the number of log lines matters here.
    async fn call(&self) {
        for _ in 0..CALLS {
            let _ = self.built.store.put(&id("a"), session(&id("a"), "ada"), HOUR).await;
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
    }

    async fn warned(&self) {
        eventually("a warning", async || (!self.lines.of(Level::WARN).is_empty()).then_some(())).await;
    }

    /// Waits until the outage is over and the log says so.
    async fn recovered(&self) {
        eventually("the outage is over, and said to be", async || {
            let _ = self.built.store.touch(&id("a"), HOUR).await;
            (!self.built.fallback_stats().active
                && self.built.connections().connected
                && !self.lines.of(Level::INFO).is_empty())
            .then_some(())
        })
        .await;
    }

    fn said_each_once(&self, outages: usize) {
        let said = self.lines.0.lock();
        let levels: Vec<Level> = said.iter().map(|(level, _)| *level).collect();
        assert_eq!(levels, [Level::WARN, Level::INFO].repeat(outages), "{said:?}");
    }
}

fn at(server: &RedisServer, policy: Policy) -> StoreBuilder {
    StoreBuilder { policy, reconnect_max: Duration::from_millis(2), ..StoreBuilder::new(server.url()) }
}

/// Two outages, each with many calls and many attempts to connect.
async fn killed_twice(settings: StoreBuilder, server: &mut RedisServer) {
    let teller = Teller::start(settings).await;
    for outage in 1..=2 {
        server.kill();
        let before = teller.built.connections().attempts;
        teller.call().await;
        eventually("a reconnect loop", async || (teller.built.connections().attempts > before + 50).then_some(()))
            .await;
        server.restart();
        eventually("the end of this outage is said", async || {
            let _ = teller.built.store.touch(&id("a"), HOUR).await;
            (teller.lines.of(Level::INFO).len() == outage).then_some(())
        })
        .await;
        teller.recovered().await;
    }
    teller.said_each_once(2);
}

macro_rules! one_warning_begins_each_outage_and_one_line_ends_it {
    ($($under:ident $policy:ident),+) => { $(
        #[tokio::test]
        async fn $under() {
            let mut server = RedisServer::start();
            killed_twice(at(&server, Policy::$policy), &mut server).await;
        }
    )+ };
}

mod one_warning_begins_each_outage_and_one_line_ends_it {
    use super::*;

    one_warning_begins_each_outage_and_one_line_ends_it! {
        under_fail_fast FailFast,
        under_degrade Degrade,
        under_drain Drain,
        under_silent_cache SilentCache,
        under_dual_write DualWrite
    }

    #[tokio::test]
    async fn with_a_breaker() {
        let breaker = Some(BreakerConfig { failures: 5, open_for: Duration::from_millis(100), probes: 1 });
        for policy in [Policy::FailFast, Policy::Drain] {
            let mut server = RedisServer::start();
            killed_twice(StoreBuilder { breaker, ..at(&server, policy) }, &mut server).await;
        }
    }

    #[tokio::test]
    async fn where_nobody_calls() {
        for policy in [Policy::FailFast, Policy::Drain] {
            let mut server = RedisServer::start();
            let teller = Teller::start(at(&server, policy)).await;
            server.kill();
            teller.warned().await;
            server.restart();
            teller.recovered().await;
            teller.said_each_once(1);
        }
    }

    #[tokio::test]
    async fn where_the_server_is_silent_or_refuses_writes() {
        for policy in [Policy::Degrade, Policy::Drain, Policy::SilentCache, Policy::DualWrite] {
            let server = RedisServer::start();
            let teller = Teller::start(at(&server, policy)).await;
            server.freeze();
            teller.call().await;
            server.thaw();
            teller.recovered().await;
            teller.said_each_once(1);
            server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
            teller.call().await;
            server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
            eventually("the end of the second is said", async || {
                (teller.lines.of(Level::INFO).len() == 2).then_some(())
            })
            .await;
            teller.said_each_once(2);
        }
    }

    /// In a cluster the lost primary's connection never comes back: another server takes its place.
    #[tokio::test]
    async fn where_another_takes_the_lost_primarys_place() {
        for policy in [Policy::FailFast, Policy::Drain] {
            let mut lab = ClusterLab::start(1, NODE_TIMEOUT).await;
            let teller = Teller::start(StoreBuilder { policy, ..lab.settings() }).await;
            lab.replicated().await;
            lab.kill_home_of("a");
            teller.call().await;
            teller.recovered().await;
            teller.said_each_once(1);
        }
    }
}

#[tokio::test]
async fn a_store_that_starts_without_redis_warns_once_and_says_when_it_is_there() {
    for policy in Policy::ALL.into_iter().filter(|policy| *policy != Policy::Memory) {
        let mut server = RedisServer::start();
        server.kill();
        let lines = Lines::default();
        let guard = lines.listen();
        let teller = Teller { built: at(&server, policy).build().unwrap(), lines, _guard: guard };
        teller.call().await;
        server.restart();
        teller.recovered().await;
        teller.said_each_once(1);
    }
}

#[tokio::test]
async fn a_store_that_ends_in_an_outage_says_nothing_of_its_end() {
    let mut server = RedisServer::start();
    let Teller { built, lines, _guard } = Teller::start(at(&server, Policy::Drain)).await;
    server.kill();
    eventually("a warning", async || (!lines.of(Level::WARN).is_empty()).then_some(())).await;
    drop(built);
    // Aborted tasks are dropped when the runtime next runs them.
    tokio::task::yield_now().await;
    assert_eq!(lines.0.lock().len(), 1, "{:?}", lines.0.lock());
}

//! What an outage costs in log lines: a line or two when it begins and when it ends, however many calls and attempts fail
//! in between.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use firedrill_storage::{Policy, StoreBuilder, TriviaSession};
use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, span};

use crate::support::{HOUR, RedisServer, answer, eventually, id, session};

/// Keeps every line from `info` on that the store writes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Level, String)>>>);

/// Never used. Where there is only one subscriber, tracing asks the thread that first comes to a line whether anybody wants
/// it, and remembers that; it may be the thread of another test, where nobody does. Of several it asks every one.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Lines::default()));

impl Lines {
    /// Keeps what this thread writes while the guard is there.
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

/// Calls of one outage: what a second of 1,000 operations per second makes.
const CALLS: u64 = 1_000;

async fn outage(policy: Policy, lines: &Lines) {
    let mut server = RedisServer::start();
    let builder = StoreBuilder {
        policy,
        command_timeout: Duration::from_millis(300),
        reconnect_max: Duration::from_millis(2),
        ..StoreBuilder::new(server.url())
    };
    let built = builder.build::<TriviaSession>().unwrap();
    let a = id("a");
    built.store.create(&a, session(&a, "ada"), HOUR).await.unwrap();
    assert_eq!(lines.0.lock().len(), 0, "a quiet start");
    server.kill();
    let before = built.connections().attempts;
    for question in 0..CALLS {
        // Only the number of lines counts here.
        let _ = built.store.append(&a, answer(question), HOUR).await;
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    eventually("a reconnect loop", async || (built.connections().attempts > before + 100).then_some(())).await;
    server.restart();
    eventually("the outage is over, and said to be", async || {
        let _ = built.store.touch(&a, HOUR).await;
        (!built.fallback_stats().active && built.connections().connected && !lines.of(Level::INFO).is_empty())
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn under_fail_fast_one_warning_begins_an_outage_and_one_line_ends_it() {
    let lines = Lines::default();
    let _guard = lines.listen();
    outage(Policy::FailFast, &lines).await;
    assert_eq!(lines.of(Level::WARN).len(), 1, "{:?}", lines.0.lock());
    assert_eq!(lines.of(Level::INFO).len(), 1, "{:?}", lines.0.lock());
    assert_eq!(lines.0.lock().len(), 2, "{:?}", lines.0.lock());
}

#[tokio::test]
async fn under_drain_connection_and_fallback_each_say_so_once() {
    let lines = Lines::default();
    let _guard = lines.listen();
    outage(Policy::Drain, &lines).await;
    let warnings = lines.of(Level::WARN);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!((1..=3).contains(&lines.of(Level::INFO).len()), "{:?}", lines.of(Level::INFO));
}

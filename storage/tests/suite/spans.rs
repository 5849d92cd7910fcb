//! The `tracing` spans of operations.

use std::io;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use firedrill_storage::metrics::{Metered, SPANS};
use firedrill_storage::{AppendStore, MemoryConfig, MemoryStore, Policy, SessionStore, StoreBuilder, TriviaSession};
use parking_lot::Mutex;
use tracing::{Dispatch, Level};
use tracing_subscriber::fmt::format::FmtSpan;

use crate::support::{HOUR, answer, id, session};

/// What a subscriber wrote.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn subscriber(&self, most: Level) -> Dispatch {
        let written = self.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(most).with_span_events(FmtSpan::CLOSE);
        Dispatch::new(subscriber.with_ansi(false).with_writer(move || written.clone()).finish())
    }

    /// The lines about spans of operations, without time and target.
    fn spans(&self) -> Vec<String> {
        let written = String::from_utf8(self.0.lock().clone()).unwrap();
        let spans = written.lines().filter(|line| line.contains(SPANS) && line.contains("session_store{"));
        let fields =
            |line: &str| line.split("session_store{").nth(1).and_then(|rest| rest.split('}').next()).map(str::to_owned);
        spans.filter_map(fields).collect()
    }
}

/// Never used. Tracing caches whether anybody listens; with several subscribers it asks each of them.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Written::default().subscriber(Level::INFO));

/// What is said at this level about a create, a read, an append to a session that is not there, and a read in memory while
/// Redis is away and of one that only Redis can know.
async fn said(most: Level) -> (Vec<String>, String) {
    LazyLock::force(&SECOND);
    let written = Written::default();
    let _guard = tracing::dispatcher::set_default(&written.subscriber(most));
    let memory = Metered::<TriviaSession>::new(Arc::new(MemoryStore::new(MemoryConfig::default())));
    memory.create(&id("secret-id"), session(&id("secret-id"), "ada"), HOUR).await.unwrap();
    memory.get(&id("secret-id"), HOUR).await.unwrap();
    memory.append(&id("none"), answer(1), HOUR).await.unwrap_err();
    let away = StoreBuilder {
        policy: Policy::Drain,
        command_timeout: Duration::from_millis(500),
        ..StoreBuilder::new("redis://:pass-word@127.0.0.1:1")
    };
    let away = Metered::<TriviaSession>::new(away.build().unwrap().store);
    away.create(&id("secret-id"), session(&id("secret-id"), "ada"), HOUR).await.unwrap();
    away.get(&id("unknown"), HOUR).await.unwrap_err();
    let all = String::from_utf8(written.0.lock().clone()).unwrap();
    (written.spans(), all)
}

#[tokio::test]
async fn an_operation_is_a_span_with_its_outcome_and_without_the_session() {
    let (spans, all) = said(Level::DEBUG).await;
    assert_eq!(
        spans,
        [
            r#"operation="create" outcome="ok" served_by="primary""#,
            r#"operation="get" outcome="ok" served_by="primary""#,
            r#"operation="append" outcome="ok""#,
            r#"operation="create" outcome="degraded" served_by="fallback""#,
            r#"operation="get" outcome="failed""#,
        ]
    );
    for secret in ["secret-id", "ada", "pass-word"] {
        assert!(!spans.concat().contains(secret), "{secret} in {spans:?}");
    }
    assert!(!all.contains("pass-word"), "{all}");
}

#[tokio::test]
async fn without_a_subscriber_at_debug_there_is_no_span() {
    assert_eq!(said(Level::INFO).await.0, [""; 0]);
}

//! What an application's store goes through, as the application tells it: timestamped JSON lines from a path of its own. The
//! response comes as soon as there is an event, so almost nothing is lost when the process is killed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use firedrill_storage::Event;
use hyper::header::HeaderName;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::probe;
use crate::history::Notes;

/// How long the application should wait for the next event, milliseconds.
const WAIT_MS: u64 = 500;

/// The time limit for an answer.
const DEADLINE: Duration = Duration::from_secs(2);

/// Pause between two requests to an application that does not answer.
const PAUSE: Duration = Duration::from_millis(50);

/// The header of an answer with the position to continue from.
const NEXT: HeaderName = HeaderName::from_static("x-next");

/// Listens to one instance of an application until dropped.
pub(super) struct Listener {
    asking: Arc<Asking>,
    task: JoinHandle<()>,
}

struct Asking {
    address: SocketAddr,
    /// The path, up to the parameters that each request adds.
    path: String,
    instance: u32,
    notes: Notes,
    /// The position to continue from. The lock allows one request at a time.
    next: Mutex<Option<String>>,
}

/// One line of an answer.
#[derive(Debug, Deserialize)]
struct EventLine {
    /// Microseconds since 1970-01-01 UTC.
    at_us: u64,
    #[serde(flatten)]
    event: Event,
}

impl Listener {
    /// Starts to listen to the instance of this number at `address`, which tells its events under `path`. Must be called on a
    /// runtime.
    pub fn start(address: SocketAddr, path: &str, instance: u32, notes: Notes) -> Self {
        let path = format!("{path}{}", if path.contains('?') { '&' } else { '?' });
        let asking = Arc::new(Asking { address, path, instance, notes, next: Mutex::default() });
        let listening = Arc::clone(&asking);
        let task = tokio::spawn(async move {
            loop {
                if !listening.ask(WAIT_MS).await {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
        Self { asking, task }
    }

    /// Fetches the latest events now, before the process goes away.
    pub async fn ask(&self) {
        self.asking.ask(0).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Asking {
    /// Notes the events since the last answer; `false` if there is no reply because the process is dead or stopped.
    async fn ask(&self, wait_ms: u64) -> bool {
        let mut next = self.next.lock().await;
        let after = next.as_deref().unwrap_or_default();
        let path = format!("{}after={after}&wait_ms={wait_ms}", self.path);
        let Some(reply) = probe::reply(self.address, &path, DEADLINE).await else { return false };
        if !reply.status.is_success() {
            return false;
        }
        let (now, wall) = (Instant::now(), SystemTime::now());
        for line in reply.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<EventLine>(line) {
                Ok(EventLine { at_us, event }) => self.notes.store(instant(at_us, now, wall), self.instance, event),
                Err(error) => tracing::warn!(%error, "an event of the application cannot be read"),
            }
        }
        *next = reply.headers.get(NEXT).and_then(|next| next.to_str().ok()).map(str::to_owned);
        true
    }
}

/// Converts `at_us` to an instant, given that the wall clock shows `wall` at `now`.
fn instant(at_us: u64, now: Instant, wall: SystemTime) -> Instant {
    let ago = wall.duration_since(UNIX_EPOCH + Duration::from_micros(at_us)).unwrap_or_default();
    now.checked_sub(ago).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use firedrill_storage::FallbackCause;

    use super::*;

    #[test]
    fn a_line_is_an_event_and_its_time() {
        let line: EventLine =
            serde_json::from_str(r#"{"at_us":1700000000000000,"event":"fallback-started","cause":"timeout"}"#).unwrap();
        assert_eq!(line.event, Event::FallbackStarted { cause: FallbackCause::Timeout });
        let (now, wall) = (Instant::now(), UNIX_EPOCH + Duration::from_micros(line.at_us + 1_500));
        assert_eq!(now - instant(line.at_us, now, wall), Duration::from_micros(1_500));
        assert_eq!(instant(line.at_us + 9_000, now, wall), now, "nothing is reported before it happens");
    }
}

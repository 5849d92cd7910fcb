//! The metrics over OTLP/HTTP, in its JSON encoding (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>): all of them at an
//! interval, and once more at the end. They are sent on a thread of its own; a collector that is slow or away delays nothing.

mod collector;
mod message;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use firedrill_reports::text;
use tokio_util::sync::CancellationToken;

pub use self::collector::{Collector, CollectorError};
use self::message::Origin;
use super::board::Board;

/// What sends the metrics of an invocation.
pub struct Otlp {
    last: CancellationToken,
    thread: JoinHandle<Sent>,
}

/// How many exports there were, how many of them failed, and why the first did.
#[derive(Default)]
struct Sent {
    all: u64,
    failed: u64,
    first: Option<String>,
}

impl Sent {
    fn note(&mut self, sent: Result<(), String>) {
        self.all += 1;
        if let Err(error) = sent {
            self.failed += 1;
            self.first.get_or_insert(error);
        }
    }
}

impl Otlp {
    /// Starts to send the metrics of `board` to `collector`, once in each `interval`.
    ///
    /// # Errors
    /// The system's, if it provides no thread.
    pub fn start(collector: Collector, interval: Duration, board: Arc<Board>) -> io::Result<Self> {
        let last = CancellationToken::new();
        let (asked, origin) = (last.clone(), Origin::starting(SystemTime::now()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let sending = async move {
            let mut sent = Sent::default();
            let export = async || collector.take(board.read(|drills| origin.message(drills, SystemTime::now()))).await;
            loop {
                let next = async {
                    tokio::time::sleep(interval).await;
                    export().await
                };
                tokio::select! {
                    done = next => sent.note(done),
                    // Values are cumulative, so the last export says all that one under way would have said.
                    () = asked.cancelled() => break,
                }
            }
            sent.note(export().await);
            sent
        };
        let send = move || runtime.block_on(sending);
        let thread = std::thread::Builder::new().name("firedrill-otlp".to_owned()).spawn(send)?;
        Ok(Self { last, thread })
    }

    /// Sends what is known now, and ends. Returns what could not be sent, in words; `None` if all was.
    pub fn finish(self) -> Option<String> {
        self.last.cancel();
        let Sent { all, failed, first } = self.thread.join().ok()?;
        let first = first?;
        Some(format!("{failed} of {} of metrics could not be sent: {first}", text::counted(all, "export")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_sent_is_counted_with_its_first_reason_and_holds_up_nothing() {
        // Nothing listens on port 1 of the loopback address.
        let collector = Collector::new("http://127.0.0.1:1/", "api-key=s3cret").unwrap();
        let board = Board::of([]);
        let otlp = Otlp::start(collector, Duration::from_secs(3600), board).unwrap();
        let said = otlp.finish().unwrap();
        assert!(said.starts_with("1 of 1 export of metrics could not be sent: http://127.0.0.1:1: "), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

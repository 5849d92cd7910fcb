//! Annotations in Grafana: a region for each time that a fault is on, and one for the recovery, so that dashboards show why
//! their curves have dents. They are written on a thread of its own; a Grafana that is slow or away delays nothing.

mod endpoint;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, UNIX_EPOCH};

use firedrill_reports::{Run, text};
use hyper::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub use self::endpoint::{Endpoint, GrafanaError};
use crate::clock::Clock;
use crate::drill::{FaultChange, Happening, Observer};

const ANNOTATIONS: &str = "/api/annotations";

/// How long the command waits at its end for annotations that are still under way.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A fault of one of the drills, by the drill's number and its own.
type Which = (usize, u32);

/// Something to mark. Times are milliseconds since 1970.
enum Mark {
    /// A fault took hold.
    On { which: Which, at: u64, annotation: Annotation },
    /// It ended.
    Off { which: Which, at: u64 },
    /// Something that is over.
    Whole { from: u64, to: u64, annotation: Annotation },
}

#[derive(Clone)]
struct Annotation {
    text: String,
    tags: Vec<String>,
}

/// What writes the annotations of an invocation.
pub struct Grafana {
    marks: UnboundedSender<Mark>,
    thread: JoinHandle<Failures>,
    deadline: tokio::sync::watch::Sender<bool>,
}

/// The annotations that could not be written, and the first reason.
#[derive(Default)]
struct Failures {
    count: usize,
    first: Option<String>,
}

impl Grafana {
    /// Starts to write to `endpoint`.
    ///
    /// # Errors
    /// The system's, if it provides no thread.
    pub fn start(endpoint: Endpoint) -> std::io::Result<Self> {
        let (marks, marked) = unbounded_channel();
        let (deadline, over) = tokio::sync::watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let write = move || runtime.block_on(Writer { endpoint, begun: HashMap::new() }.write(marked, over));
        let thread = std::thread::Builder::new().name("firedrill-grafana".to_owned()).spawn(write)?;
        Ok(Self { marks, thread, deadline })
    }

    /// An observer for the drill with this number.
    pub fn observer(&self, number: usize, scenario: &str) -> Arc<dyn Observer> {
        let (scenario, marks) = (scenario.to_owned(), self.marks.clone());
        Arc::new(Marker { number, scenario, marks, clock: Mutex::new(None) })
    }

    /// Waits a moment for what is still to be written. Returns what could not be, in words; `None` if all was.
    pub fn finish(self) -> Option<String> {
        drop(self.marks);
        let patience = std::time::Instant::now() + LAST_WORDS;
        while !self.thread.is_finished() && std::time::Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.deadline.send_replace(true);
        let failures = self.thread.join().ok()?;
        let first = failures.first?;
        Some(format!("{} could not be written to Grafana: {first}", text::counted(failures.count as u64, "annotation")))
    }
}

/// Turns what happens in one drill into marks.
struct Marker {
    number: usize,
    scenario: String,
    marks: UnboundedSender<Mark>,
    clock: Mutex<Option<Clock>>,
}

impl Marker {
    fn send(&self, mark: impl FnOnce(Clock) -> Mark) {
        if let Some(clock) = *self.clock.lock() {
            // Without a receiver the invocation is over.
            let _ = self.marks.send(mark(clock));
        }
    }

    fn annotation(&self, what: &str, more: &[&str]) -> Annotation {
        let tags = ["firedrill", &self.scenario].into_iter().chain(more.iter().copied());
        Annotation { text: format!("{}: {what}", self.scenario), tags: tags.map(str::to_owned).collect() }
    }

    fn recovery(&self, run: &Run) {
        let Some(ended) = run.faults.iter().filter_map(|fault| fault.end_ms).reduce(f64::max) else { return };
        let (until, what) = match (run.recovered_at_ms, run.recovery_ms) {
            (Some(at), Some(took)) => (at, format!("steady again {} after the last fault", text::millis(took))),
            _ => (run.load_seconds * 1e3, "not steady again before the load ended".to_owned()),
        };
        let annotation = self.annotation(&what, &["recovery"]);
        self.send(|clock| Mark::Whole {
            from: epoch_ms(&clock, ended),
            to: epoch_ms(&clock, until.max(ended)),
            annotation,
        });
    }
}

impl Observer for Marker {
    fn see(&self, happening: &Happening<'_>) {
        match *happening {
            Happening::LoadStarts { clock } => *self.clock.lock() = Some(clock),
            Happening::Fault(FaultChange { fault, kind, on, at_ms }) => {
                let which = (self.number, fault);
                let annotation = self.annotation(kind, &["fault", kind]);
                self.send(|clock| match (on, epoch_ms(&clock, at_ms)) {
                    (true, at) => Mark::On { which, at, annotation },
                    (false, at) => Mark::Off { which, at },
                });
            }
            Happening::Judged(run) => self.recovery(run),
            _ => {}
        }
    }
}

/// A time of the drill's clock as milliseconds since 1970.
fn epoch_ms(clock: &Clock, at_ms: f64) -> u64 {
    let epoch = clock.wall_epoch().duration_since(UNIX_EPOCH).unwrap_or_default();
    (epoch.as_secs_f64() * 1e3 + at_ms).max(0.0).round() as u64
}

struct Writer {
    endpoint: Endpoint,
    /// The faults that are on: when they began, and the annotation's number, if Grafana has it.
    begun: HashMap<Which, (u64, Annotation, Option<u64>)>,
}

impl Writer {
    /// Writes until nobody is left who could send, or until `over`.
    async fn write(
        mut self,
        mut marked: UnboundedReceiver<Mark>,
        mut over: tokio::sync::watch::Receiver<bool>,
    ) -> Failures {
        let mut failures = Failures::default();
        let writing = async {
            while let Some(mark) = marked.recv().await {
                if let Err(error) = self.mark(mark).await {
                    failures.count += 1;
                    failures.first.get_or_insert(error);
                }
            }
        };
        tokio::select! {
            () = writing => {}
            _ = over.wait_for(|over| *over) => {}
        }
        if !marked.is_empty() {
            failures.count += marked.len();
            failures.first.get_or_insert_with(|| format!("{}: too slow", self.endpoint));
        }
        failures
    }

    async fn mark(&mut self, mark: Mark) -> Result<(), String> {
        match mark {
            Mark::On { which, at, annotation } => {
                self.begun.insert(which, (at, annotation.clone(), None));
                let made = self.endpoint.ask(Method::POST, ANNOTATIONS, &body(at, None, &annotation)).await?;
                let id = made["id"].as_u64();
                self.begun.insert(which, (at, annotation, id));
                Ok(())
            }
            Mark::Off { which, at } => match self.begun.remove(&which) {
                Some((_, _, Some(id))) => {
                    let path = format!("{ANNOTATIONS}/{id}");
                    self.endpoint.ask(Method::PATCH, &path, &json!({ "timeEnd": at })).await.map(drop)
                }
                // Grafana was away when it began.
                Some((from, annotation, None)) => self.whole(from, at, &annotation).await,
                None => Ok(()),
            },
            Mark::Whole { from, to, annotation } => self.whole(from, to, &annotation).await,
        }
    }

    async fn whole(&self, from: u64, to: u64, annotation: &Annotation) -> Result<(), String> {
        self.endpoint.ask(Method::POST, ANNOTATIONS, &body(from, Some(to), annotation)).await.map(drop)
    }
}

fn body(from: u64, to: Option<u64>, annotation: &Annotation) -> Value {
    let mut body = json!({ "time": from, "text": annotation.text, "tags": annotation.tags });
    if let Some(to) = to {
        body["timeEnd"] = to.into();
    }
    body
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_cannot_be_written_is_counted_with_its_first_reason_and_holds_up_nothing() {
        // Nothing listens on port 1 of the loopback address.
        let grafana = Grafana::start(Endpoint::new("http://127.0.0.1:1/", "s3cret").unwrap()).unwrap();
        let observer = grafana.observer(0, "cut-off");
        let fault = |on| Happening::Fault(FaultChange { fault: 0, kind: "proxy.down", on, at_ms: 5.0 });
        observer.see(&fault(true));
        observer.see(&Happening::LoadStarts { clock: Clock::starting_in(Duration::ZERO) });
        observer.see(&fault(true));
        observer.see(&fault(false));
        drop(observer);
        let said = grafana.finish().unwrap();
        assert!(said.starts_with("2 annotations could not be written to Grafana: http://127.0.0.1:1: "), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }

    #[test]
    fn times_are_those_of_the_wall_clock() {
        let clock = Clock::starting_in(Duration::ZERO);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        assert!(epoch_ms(&clock, 2_000.0).abs_diff(now + 2_000) < 1_000);
    }
}

//! The metrics of an invocation's drills in Prometheus' text format.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};

use super::board::Board;
use super::buckets::Buckets;
use super::figures::{Kind, Labels, Listener, Metric, Value, tell};
use super::server::Site;
use super::shown::Shown;
use crate::proxy::exposition::{self, Exposition};
use crate::serve_http::{Answer, objection, text};

const PATH: &str = "/metrics";

/// Serves the metrics of a board at `/metrics`.
pub struct Metrics {
    address: SocketAddr,
    board: Arc<Board>,
}

impl Metrics {
    /// The metrics of `board`, served at `address`.
    pub fn at(address: SocketAddr, board: Arc<Board>) -> Self {
        Self { address, board }
    }

    /// Where they are, as a URL.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }
}

impl Site for Metrics {
    fn answer(&self, head: &Parts) -> Answer {
        if let Some(reason) = objection(head, self.address) {
            return text(StatusCode::FORBIDDEN, reason);
        }
        if head.uri.path() != PATH {
            return text(StatusCode::NOT_FOUND, "the metrics are at /metrics");
        }
        if head.method != Method::GET && head.method != Method::HEAD {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "metrics can only be read");
            answer.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let mut answer = Response::new(self.board.read(render).into());
        answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(exposition::CONTENT_TYPE));
        answer
    }
}

/// Renders `drills`.
pub fn render(drills: &[Shown]) -> String {
    let mut rendered = Rendered { text: Exposition::default(), name: "" };
    tell(drills, &mut rendered);
    rendered.text.into_text()
}

/// Prometheus' text, and the name of the metric that was named last.
struct Rendered {
    text: Exposition,
    name: &'static str,
}

impl Listener for Rendered {
    fn metric(&mut self, metric: Metric) {
        let kind = match metric.kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
        };
        self.text.metric(metric.name, kind, metric.help);
        self.name = metric.name;
    }

    fn value(&mut self, labels: Labels<'_>, value: Value) {
        self.text.sample(self.name, labels, value);
    }

    fn buckets(&mut self, labels: Labels<'_>, buckets: &Buckets) {
        let bounds = buckets.up_to().map(|(bound, count)| (bound.to_string(), count));
        for (bound, count) in bounds.chain([("+Inf".to_owned(), buckets.count())]) {
            let labels = [labels, &[("le", &*bound)]].concat();
            self.text.sample(&format!("{}_bucket", self.name), &labels, count);
        }
        self.text.sample(&format!("{}_sum", self.name), labels, buckets.sum());
        self.text.sample(&format!("{}_count", self.name), labels, buckets.count());
    }
}

#[cfg(test)]
mod tests {
    use firedrill_reports::Run;
    use firedrill_reports::run::Verdict;
    use firedrill_storage::{Event, FallbackCause};

    use super::super::shown::tests::{fault, second, shown, store};
    use super::*;
    use crate::drill::Happening;

    #[test]
    fn a_drill_is_rendered_with_its_operations_faults_and_stores() {
        let mut drill = shown();
        second(&mut drill, 1.0);
        fault(&mut drill, true, 2_001.0);
        store(&mut drill, 1, &Event::FallbackStarted { cause: FallbackCause::Timeout }, 2_010.0);
        let text = render(std::slice::from_ref(&drill));
        for line in [
            "firedrill_drill_state{scenario=\"cut-off\",state=\"load\"} 1",
            "firedrill_drill_state{scenario=\"cut-off\",state=\"ended\"} 0",
            "firedrill_drill_load_seconds{scenario=\"cut-off\"} 6",
            "firedrill_drill_operations_total{scenario=\"cut-off\",operation=\"read\",outcome=\"ok\"} 2",
            "firedrill_drill_operations_total{scenario=\"cut-off\",operation=\"append\",outcome=\"failed\"} 1",
            "firedrill_drill_operations_total{scenario=\"cut-off\",operation=\"append\",outcome=\"ok\"} 0",
            "firedrill_drill_response_seconds_bucket{scenario=\"cut-off\",operation=\"read\",le=\"0.005\"} 2",
            "firedrill_drill_response_seconds_bucket{scenario=\"cut-off\",operation=\"append\",le=\"0.05\"} 0",
            "firedrill_drill_response_seconds_bucket{scenario=\"cut-off\",operation=\"append\",le=\"+Inf\"} 1",
            "firedrill_drill_response_seconds_count{scenario=\"cut-off\",operation=\"append\"} 1",
            "firedrill_drill_fault_active{scenario=\"cut-off\",fault=\"net\",kind=\"proxy.down\"} 1",
            "firedrill_drill_fallback_active{scenario=\"cut-off\",instance=\"0\"} 0",
            "firedrill_drill_fallback_active{scenario=\"cut-off\",instance=\"1\"} 1",
            "firedrill_drill_fallback_activations_total{scenario=\"cut-off\",instance=\"1\"} 1",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("firedrill_drill_verdict{"), "{text}");
        drill.see(&Happening::Judged(&Run { verdict: Verdict::Failed, ..Run::default() }));
        let text = render(&[drill]);
        assert!(text.contains("firedrill_drill_verdict{scenario=\"cut-off\",verdict=\"failed\"} 1\n"), "{text}");
    }
}

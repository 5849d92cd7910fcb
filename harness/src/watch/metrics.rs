//! The drills of an invocation as metrics in Prometheus' text format. docs/watch-a-drill.md lists them.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};

use super::board::Board;
use super::server::Site;
use super::shown::{Breaker, OUTCOMES, Shown, ShownStore, states};
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
    let mut text = Exposition::default();
    text.metric("firedrill_build_info", "gauge", "The version of Firedrill; always 1.");
    text.sample("firedrill_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    course(&mut text, drills);
    operations(&mut text, drills);
    faults(&mut text, drills);
    stores(&mut text, drills);
    text.into_text()
}

fn course(text: &mut Exposition, drills: &[Shown]) {
    const STATE: &str = "firedrill_drill_state";
    text.metric(STATE, "gauge", "1 for the state that the drill is in, 0 for the others.");
    for drill in drills {
        for state in states() {
            let is = u8::from(drill.state() == state);
            text.sample(STATE, &[("scenario", &drill.scenario), ("state", state)], is);
        }
    }
    const VERDICT: &str = "firedrill_drill_verdict";
    text.metric(VERDICT, "gauge", "1 for the verdict of a drill that is over.");
    for (drill, ended) in drills.iter().filter_map(|drill| Some((drill, drill.ended.as_ref()?))) {
        text.sample(VERDICT, &[("scenario", &drill.scenario), ("verdict", ended.word())], 1);
    }
    const LENGTH: &str = "firedrill_drill_load_seconds";
    text.metric(LENGTH, "gauge", "Planned length of the measured load.");
    for drill in drills {
        text.sample(LENGTH, &[("scenario", &drill.scenario)], drill.load_seconds);
    }
}

fn operations(text: &mut Exposition, drills: &[Shown]) {
    const COUNT: &str = "firedrill_drill_operations_total";
    text.metric(COUNT, "counter", "Operations of the measured load that have ended.");
    for drill in drills {
        for kind in drill.responses.keys() {
            // Every outcome has its series from the first operation on, so that a rate sees its first increase.
            for outcome in OUTCOMES {
                let count = drill.counts.get(&(*kind, outcome)).copied().unwrap_or(0);
                let labels = [("scenario", &*drill.scenario), ("operation", kind.name()), ("outcome", outcome.name())];
                text.sample(COUNT, &labels, count);
            }
        }
    }
    const RESPONSE: &str = "firedrill_drill_response_seconds";
    text.metric(RESPONSE, "histogram", "Response times of these operations, from the planned instant to the end.");
    for drill in drills {
        for (kind, buckets) in &drill.responses {
            let own = [("scenario", &*drill.scenario), ("operation", kind.name())];
            let bounds = buckets.up_to().map(|(bound, count)| (bound.to_string(), count));
            for (bound, count) in bounds.chain([("+Inf".to_owned(), buckets.count())]) {
                text.sample(&format!("{RESPONSE}_bucket"), &[own[0], own[1], ("le", &bound)], count);
            }
            text.sample(&format!("{RESPONSE}_sum"), &own, buckets.sum());
            text.sample(&format!("{RESPONSE}_count"), &own, buckets.count());
        }
    }
}

fn faults(text: &mut Exposition, drills: &[Shown]) {
    let mut each = |name: &str, kind: &str, help: &str, value: fn(&super::shown::ShownFault) -> usize| {
        text.metric(name, kind, help);
        for drill in drills {
            for fault in &drill.faults {
                let labels = [("scenario", &*drill.scenario), ("fault", &*fault.name), ("kind", fault.kind)];
                text.sample(name, &labels, value(fault));
            }
        }
    };
    each("firedrill_drill_fault_active", "gauge", "Whether the fault is on.", |fault| {
        usize::from(fault.on.last().is_some_and(super::shown::Period::is_open))
    });
    each("firedrill_drill_fault_onsets_total", "counter", "How often the fault has taken hold.", |fault| {
        fault.on.len()
    });
}

fn stores(text: &mut Exposition, drills: &[Shown]) {
    let mut each = |name: &str, kind: &str, help: &str, value: fn(&ShownStore) -> usize| {
        text.metric(name, kind, help);
        for drill in drills {
            for (instance, store) in drill.stores.iter().enumerate() {
                text.sample(name, &[("scenario", &drill.scenario), ("instance", &instance.to_string())], value(store));
            }
        }
    };
    let active = "firedrill_drill_fallback_active";
    each(active, "gauge", "Whether the store says that its fallback is active.", |store| {
        usize::from(store.is_fallen_back())
    });
    let activations = "firedrill_drill_fallback_activations_total";
    each(activations, "counter", "How often the store's fallback has taken over.", |store| store.fallback.len());
    let breaker = "firedrill_drill_breaker_state";
    each(breaker, "gauge", "The store's circuit breaker: 0 closed, 1 half-open, 2 open.", |store| {
        match store.breaker {
            Breaker::Closed => 0,
            Breaker::HalfOpen => 1,
            Breaker::Open => 2,
        }
    });
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

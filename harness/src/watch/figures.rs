//! The one list of the metrics of an invocation's drills, read by Prometheus' text and by OTLP.
//! docs/watch-a-drill.md lists them.

use std::fmt;

use super::buckets::Buckets;
use super::shown::{Breaker, OUTCOMES, Shown, ShownFault, ShownStore, states};

/// A metric, without its values.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// In UCUM, as OTLP has it.
    #[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "Prometheus' text has the unit in the name"))]
    pub(super) unit: &'static str,
    pub(super) help: &'static str,
}

/// What its values do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    /// They only grow.
    Counter,
    Histogram,
}

/// A value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Whole(u64),
    Real(f64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Whole(value) => value.fmt(f),
            Value::Real(value) => value.fmt(f),
        }
    }
}

/// Names and values that tell one series of a metric from another.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// What takes the metrics. Values belong to the metric that was named last.
pub(super) trait Listener {
    /// A metric begins.
    fn metric(&mut self, metric: Metric);
    /// A value of a gauge or a counter.
    fn value(&mut self, labels: Labels<'_>, value: Value);
    /// A histogram's values.
    fn buckets(&mut self, labels: Labels<'_>, buckets: &Buckets);
}

/// Passes the metrics of `drills` to a listener.
pub(super) fn tell(drills: &[Shown], to: &mut impl Listener) {
    gauge(to, "firedrill_build_info", "1", "The version of Firedrill; always 1.");
    to.value(&[("version", env!("CARGO_PKG_VERSION"))], Value::Whole(1));
    course(to, drills);
    operations(to, drills);
    faults(to, drills);
    stores(to, drills);
}

fn gauge(to: &mut impl Listener, name: &'static str, unit: &'static str, help: &'static str) {
    to.metric(Metric { name, kind: Kind::Gauge, unit, help });
}

fn course(to: &mut impl Listener, drills: &[Shown]) {
    gauge(to, "firedrill_drill_state", "1", "1 for the state that the drill is in, 0 for the others.");
    for drill in drills {
        for state in states() {
            let is = u64::from(drill.state() == state);
            to.value(&[("scenario", &drill.scenario), ("state", state)], Value::Whole(is));
        }
    }
    gauge(to, "firedrill_drill_verdict", "1", "1 for the verdict of a drill that is over.");
    for (drill, ended) in drills.iter().filter_map(|drill| Some((drill, drill.ended.as_ref()?))) {
        to.value(&[("scenario", &drill.scenario), ("verdict", ended.word())], Value::Whole(1));
    }
    gauge(to, "firedrill_drill_load_seconds", "s", "Planned length of the measured load.");
    for drill in drills {
        to.value(&[("scenario", &drill.scenario)], Value::Real(drill.load_seconds));
    }
}

fn operations(to: &mut impl Listener, drills: &[Shown]) {
    to.metric(Metric {
        name: "firedrill_drill_operations_total",
        kind: Kind::Counter,
        unit: "{operation}",
        help: "Operations of the measured load that have ended.",
    });
    for drill in drills {
        for kind in drill.responses.keys() {
            // Every outcome has its series from the first operation on, so that a rate sees its first increase.
            for outcome in OUTCOMES {
                let count = drill.counts.get(&(*kind, outcome)).copied().unwrap_or(0);
                let labels = [("scenario", &*drill.scenario), ("operation", kind.name()), ("outcome", outcome.name())];
                to.value(&labels, Value::Whole(count));
            }
        }
    }
    to.metric(Metric {
        name: "firedrill_drill_response_seconds",
        kind: Kind::Histogram,
        unit: "s",
        help: "Response times of these operations, from the planned instant to the end.",
    });
    for drill in drills {
        for (kind, buckets) in &drill.responses {
            to.buckets(&[("scenario", &*drill.scenario), ("operation", kind.name())], buckets);
        }
    }
}

fn faults(to: &mut impl Listener, drills: &[Shown]) {
    let mut each = |metric: Metric, value: fn(&ShownFault) -> usize| {
        to.metric(metric);
        for drill in drills {
            for fault in &drill.faults {
                let labels = [("scenario", &*drill.scenario), ("fault", &*fault.name), ("kind", fault.kind)];
                to.value(&labels, Value::Whole(value(fault) as u64));
            }
        }
    };
    let (name, help) = ("firedrill_drill_fault_active", "Whether the fault is on.");
    each(Metric { name, kind: Kind::Gauge, unit: "1", help }, |fault| {
        usize::from(fault.on.last().is_some_and(super::shown::Period::is_open))
    });
    let (name, help) = ("firedrill_drill_fault_onsets_total", "How often the fault has taken hold.");
    each(Metric { name, kind: Kind::Counter, unit: "{onset}", help }, |fault| fault.on.len());
}

fn stores(to: &mut impl Listener, drills: &[Shown]) {
    let mut each = |metric: Metric, value: fn(&ShownStore) -> usize| {
        to.metric(metric);
        for drill in drills {
            for (instance, store) in drill.stores.iter().enumerate() {
                let labels = [("scenario", &*drill.scenario), ("instance", &*instance.to_string())];
                to.value(&labels, Value::Whole(value(store) as u64));
            }
        }
    };
    let (name, help) = ("firedrill_drill_fallback_active", "Whether the store says that its fallback is active.");
    each(Metric { name, kind: Kind::Gauge, unit: "1", help }, |store| usize::from(store.is_fallen_back()));
    let name = "firedrill_drill_fallback_activations_total";
    let help = "How often the store's fallback has taken over.";
    each(Metric { name, kind: Kind::Counter, unit: "{activation}", help }, |store| store.fallback.len());
    let name = "firedrill_drill_breaker_state";
    let help = "The store's circuit breaker: 0 closed, 1 half-open, 2 open.";
    each(Metric { name, kind: Kind::Gauge, unit: "1", help }, |store| match store.breaker {
        Breaker::Closed => 0,
        Breaker::HalfOpen => 1,
        Breaker::Open => 2,
    });
}

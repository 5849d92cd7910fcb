//! `ExportMetricsServiceRequest` in the JSON encoding of OTLP: names in lowerCamelCase, 64-bit numbers as text.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::buckets::{BOUNDS, Buckets};
use super::super::figures::{self, Kind, Labels, Listener, Metric, tell};
use super::super::shown::Shown;

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`
const CUMULATIVE: u8 = 2;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Who sends, and since when.
pub(super) struct Origin {
    since: SystemTime,
    /// Tells the invocations apart that send at the same time.
    instance: Uuid,
}

impl Origin {
    /// This invocation, whose counters are 0 at `since`.
    pub(super) fn starting(since: SystemTime) -> Self {
        Self { since, instance: Uuid::new_v4() }
    }

    /// The metrics of `drills` at `now`.
    pub(super) fn message(&self, drills: &[Shown], now: SystemTime) -> Value {
        let mut written = Written { since: nanos(self.since), now: nanos(now), metrics: Vec::new() };
        tell(drills, &mut written);
        // A metric without values says nothing.
        let metrics: Vec<Value> = written
            .metrics
            .into_iter()
            .filter(|(_, points)| !points.is_empty())
            .map(|(one, all)| metric(&one, all))
            .collect();
        let instance = self.instance.to_string();
        let about = [("service.name", "firedrill"), ("service.version", VERSION), ("service.instance.id", &instance)];
        json!({ "resourceMetrics": [{
            "resource": { "attributes": attributes(&about) },
            "scopeMetrics": [{ "scope": { "name": "firedrill", "version": VERSION }, "metrics": metrics }],
        }] })
    }
}

struct Written {
    since: String,
    now: String,
    metrics: Vec<(Metric, Vec<Value>)>,
}

impl Written {
    fn point(&mut self, labels: Labels<'_>, fields: Value) {
        let mut point = json!({
            "attributes": attributes(labels),
            "startTimeUnixNano": self.since,
            "timeUnixNano": self.now,
        });
        if let (Some(point), Value::Object(fields)) = (point.as_object_mut(), fields) {
            point.extend(fields);
        }
        self.metrics.last_mut().into_iter().for_each(|(_, points)| points.push(point.clone()));
    }
}

impl Listener for Written {
    fn metric(&mut self, metric: Metric) {
        self.metrics.push((metric, Vec::new()));
    }

    fn value(&mut self, labels: Labels<'_>, value: figures::Value) {
        self.point(
            labels,
            match value {
                figures::Value::Whole(value) => json!({ "asInt": value.to_string() }),
                figures::Value::Real(value) => json!({ "asDouble": value }),
            },
        );
    }

    fn buckets(&mut self, labels: Labels<'_>, buckets: &Buckets) {
        // Here each bucket counts what is in it alone; the last one has no bound.
        let up_to = buckets.up_to().map(|(_, count)| count).chain([buckets.count()]);
        let mut below = 0;
        let counts: Vec<String> =
            up_to.map(|count| (count - std::mem::replace(&mut below, count)).to_string()).collect();
        let (count, sum) = (buckets.count().to_string(), buckets.sum());
        self.point(labels, json!({ "count": count, "sum": sum, "bucketCounts": counts, "explicitBounds": BOUNDS }));
    }
}

fn metric(metric: &Metric, points: Vec<Value>) -> Value {
    let (of, data) = match metric.kind {
        Kind::Gauge => ("gauge", json!({ "dataPoints": points })),
        Kind::Counter => {
            ("sum", json!({ "dataPoints": points, "aggregationTemporality": CUMULATIVE, "isMonotonic": true }))
        }
        Kind::Histogram => ("histogram", json!({ "dataPoints": points, "aggregationTemporality": CUMULATIVE })),
    };
    json!({ "name": metric.name, "description": metric.help, "unit": metric.unit, of: data })
}

fn attributes(labels: Labels<'_>) -> Vec<Value> {
    labels.iter().map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } })).collect()
}

/// Nanoseconds since 1970.
fn nanos(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::shown::tests::{second, shown};
    use super::*;

    #[test]
    fn a_drill_is_sent_with_its_counters_and_histograms() {
        let mut drill = shown();
        second(&mut drill, 1.0);
        let since = UNIX_EPOCH + Duration::from_secs(5);
        let message = Origin::starting(since).message(&[drill], since + Duration::from_secs(1));
        let metrics = message["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
        let of = |name: &str| metrics.iter().find(|metric| metric["name"] == name).unwrap();
        let operations = &of("firedrill_drill_operations_total")["sum"];
        assert_eq!((&operations["aggregationTemporality"], &operations["isMonotonic"]), (&json!(2), &json!(true)));
        let has = |point: &&Value, value: &str| point["attributes"].to_string().contains(value);
        let points = operations["dataPoints"].as_array().unwrap();
        let read = points.iter().find(|point| has(point, "\"read\"") && has(point, "\"ok\"")).unwrap();
        assert_eq!(read["asInt"], "2");
        assert_eq!((&read["startTimeUnixNano"], &read["timeUnixNano"]), (&json!("5000000000"), &json!("6000000000")));
        let responses = of("firedrill_drill_response_seconds")["histogram"]["dataPoints"].as_array().unwrap();
        let read = responses.iter().find(|point| has(point, "\"read\"")).unwrap();
        let counts: Vec<u64> = read["bucketCounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|count| count.as_str().unwrap().parse().unwrap())
            .collect();
        assert_eq!((counts.len(), counts.iter().sum::<u64>()), (BOUNDS.len() + 1, 2));
        assert_eq!(read["count"], "2");
        assert!(metrics.iter().all(|metric| metric["name"] != "firedrill_drill_verdict"), "it has no value yet");
    }
}

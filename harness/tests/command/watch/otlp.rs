//! Metrics over OTLP: received over HTTP, and read by the messages that OpenTelemetry itself publishes for Python.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use firedrill::proxy::http::{Limits, serve};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use parking_lot::Mutex;
use serde_json::Value;

use super::{GAME_DAY, drills};
use crate::support::{python, room_for_one, validator};

const KEY: &str = "s3cret key";

/// Whatever takes OTLP/HTTP: it keeps what it is sent, as it came. It lasts as long as the test's process.
struct Receiver {
    address: SocketAddr,
    bodies: Arc<Mutex<Vec<Bytes>>>,
}

impl Receiver {
    fn start() -> Self {
        let bodies: Arc<Mutex<Vec<Bytes>>> = Arc::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let (address, kept) = (listener.local_addr().unwrap(), bodies.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let kept = kept.clone();
            async move {
                let (head, body) = request.into_parts();
                let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
                let is_right = head.method == "POST" && head.uri.path() == "/otlp/v1/metrics";
                let (status, said) = match (is_right, header("content-type"), header("api-key")) {
                    (true, Some("application/json"), Some(KEY)) => (StatusCode::OK, "{\"partialSuccess\":{}}"),
                    _ => (StatusCode::BAD_REQUEST, "{\"code\":3,\"message\":\"not what a collector takes\"}"),
                };
                if status.is_success() {
                    let body = body.collect().await.unwrap().to_bytes();
                    kept.lock().push(body);
                }
                Ok::<_, Infallible>(Response::builder().status(status).body(Full::new(Bytes::from(said))).unwrap())
            }
        });
        let limits = Limits { clients: 8, patience: Duration::from_secs(60) };
        std::thread::spawn(move || runtime.block_on(serve(listener, service, limits)));
        Self { address, bodies }
    }
}

/// What OpenTelemetry's own message says of `body`: the attributes of the sender, and each metric's kind and points.
fn judged(body: &Bytes) -> Value {
    let script = "import json, sys\n\
        from google.protobuf import json_format\n\
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest as Request\n\
        read = json_format.Parse(sys.stdin.read(), Request(), ignore_unknown_fields=False)\n\
        text = lambda pairs: {pair.key: pair.value.string_value for pair in pairs}\n\
        out = {'resource': text(read.resource_metrics[0].resource.attributes), 'metrics': {}}\n\
        for metric in read.resource_metrics[0].scope_metrics[0].metrics:\n\
        \x20   kind = metric.WhichOneof('data'); data = getattr(metric, kind)\n\
        \x20   points = []\n\
        \x20   for point in data.data_points:\n\
        \x20       assert 0 < point.start_time_unix_nano <= point.time_unix_nano\n\
        \x20       one = text(point.attributes)\n\
        \x20       if kind == 'histogram':\n\
        \x20           assert len(point.bucket_counts) == len(point.explicit_bounds) + 1\n\
        \x20           assert sum(point.bucket_counts) == point.count\n\
        \x20           one['value'] = point.count\n\
        \x20       else:\n\
        \x20           one['value'] = getattr(point, point.WhichOneof('value'))\n\
        \x20       points.append(one)\n\
        \x20   if kind != 'gauge': assert data.aggregation_temporality == 2\n\
        \x20   assert metric.name not in out['metrics'] and metric.description and metric.unit\n\
        \x20   out['metrics'][metric.name] = {'kind': kind, 'points': points}\n\
        print(json.dumps(out))\n";
    let mut judge = python();
    let judge =
        judge.args(["-c", script]).env("PYTHONPATH", validator("")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut judge = judge.spawn().unwrap();
    judge.stdin.take().unwrap().write_all(body).unwrap();
    let said = judge.wait_with_output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(body));
    serde_json::from_slice(&said.stdout).unwrap()
}

/// The sum of the values of `metric`'s points that have this attribute.
fn sum(of: &Value, metric: &str, attribute: (&str, &str)) -> u64 {
    let points = of["metrics"][metric]["points"].as_array().unwrap_or_else(|| panic!("{metric} is not in {of}"));
    points.iter().filter(|point| point[attribute.0] == attribute.1).map(|point| point["value"].as_u64().unwrap()).sum()
}

#[test]
fn a_collector_gets_what_prometheus_gets_and_the_verdict_at_the_end() {
    let _room = room_for_one();
    let receiver = Receiver::start();
    let url = format!("http://{}/otlp", receiver.address);
    let variables = [("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cret%20key"), ("OTEL_METRIC_EXPORT_INTERVAL", "300")];
    let scenario = GAME_DAY.replace("\"10s\"", "\"4s\"");
    let (folder, drill) = drills(&[scenario], &["--otlp", &url], &variables);
    let (status, said) = drill.ended();
    assert!(!said.contains("warning") && !said.contains("s3cret"), "{said}");
    let bodies = receiver.bodies.lock();
    assert!(bodies.len() > 5, "only {} exports: {said}", bodies.len());
    let (first, last) = (judged(&bodies[0]), judged(&bodies[bodies.len() - 1]));
    assert_eq!(last["resource"]["service.name"], "firedrill");
    assert_eq!(first["resource"], last["resource"], "one sender");
    assert_eq!(first["metrics"]["firedrill_drill_verdict"], Value::Null, "it is not over yet");

    let docs = include_str!("../../../../docs/watch-a-drill.md");
    let listed: Vec<&str> =
        docs.lines().filter_map(|line| line.strip_prefix("| `firedrill_")?.split(['{', '`']).next()).collect();
    assert!(listed.len() > 8, "{listed:?}");
    for name in listed {
        assert!(last["metrics"][format!("firedrill_{name}")].is_object(), "firedrill_{name} is not in {last}");
    }
    let run = firedrill_reports::Run::load(&folder.path().join("runs/game-day")).unwrap();
    assert_eq!(status, run.exit_status, "{said}");
    assert_eq!(sum(&last, "firedrill_drill_verdict", ("verdict", run.verdict.name())), 1);
    assert_eq!(sum(&last, "firedrill_drill_fault_onsets_total", ("fault", "net")), 1);
    let operations = sum(&last, "firedrill_drill_operations_total", ("scenario", "game-day"));
    assert_eq!(operations, sum(&last, "firedrill_drill_response_seconds", ("scenario", "game-day")));
    assert!(operations > 100, "{operations}");
}

#[test]
fn a_collector_that_is_away_is_a_warning_and_no_verdict() {
    let _room = room_for_one();
    let variables = [("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cret")];
    let scenarios = [super::calm("calm", "2s")];
    let (_folder, drill) = drills(&scenarios, &["--otlp", "http://127.0.0.1:1"], &variables);
    let (status, said) = drill.ended();
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("warning: ") && said.contains("could not be sent: http://127.0.0.1:1: "), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn what_no_collector_could_take_is_refused_before_anything_runs() {
    for (url, headers, interval, message) in [
        ("127.0.0.1:4318", "", "", "is not the URL of a collector"),
        ("http://me:s3cret@127.0.0.1:4318", "", "", "leave user and password out"),
        ("http://otlp.example", "api-key=s3cret", "", "give an https:// URL"),
        ("http://127.0.0.1:1", "api-key", "", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("http://127.0.0.1:1", "", "soon", "OTEL_METRIC_EXPORT_INTERVAL"),
    ] {
        let variables = [("OTEL_EXPORTER_OTLP_HEADERS", headers), ("OTEL_METRIC_EXPORT_INTERVAL", interval)];
        let (_folder, drill) = drills(&[super::calm("calm", "2s")], &["--otlp", url], &variables);
        let (status, said) = drill.ended();
        assert!(status == 2 && said.contains(message) && !said.contains("s3cret"), "{status}: {said}");
    }
}

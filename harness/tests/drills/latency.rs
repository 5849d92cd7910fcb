//! The latency figures show exactly what was done to the target.

use firedrill_reports::Run;
use firedrill_reports::run::PhaseName;

use crate::support::{drill_text_beside, machine};

/// Runs reads under a latency toxic of 50 ms in the middle of a calm load.
fn latency_drill(payload: &str) -> Run {
    let text = format!(
        r#"
name  = "drilled"
about = "Every answer of Redis is 50 ms late for a while."
[store]
policy = "fail-fast"
[[load]]
rate     = "100/s"
arrivals = "constant"
for      = "9s"
sessions = 50
payload  = "{payload}"
mix      = {{ read = 1 }}
[[fault]]
kind    = "proxy.latency"
at      = "3s"
for     = "4s"
latency = "50ms"
"#
    );
    let _machine = machine();
    drill_text_beside(&text, &[]).run()
}

fn p50(run: &Run, phase: PhaseName) -> f64 {
    run.phase(phase).unwrap().figures.response.unwrap().p50
}

/// The median is 50 ms above that of the same run without the toxic, within 1 ms, for small and large sessions. It can
/// never be less; a busy machine can make it more, so a disturbed run is repeated.
pub fn a_latency_of_50_ms_shows_as_50_ms_for_small_and_large_sessions() {
    for payload in ["1KiB", "50KB"] {
        let mut added = Vec::new();
        while added.len() < 4 && !added.iter().any(|ms: &f64| (ms - 50.0).abs() <= 1.0) {
            let run = latency_drill(payload);
            added.push(p50(&run, PhaseName::During) - p50(&run, PhaseName::Before));
        }
        assert!(added.iter().all(|ms| *ms > 49.0), "{payload}: {added:?} ms were added");
        assert!(added.iter().any(|ms| (ms - 50.0).abs() <= 1.0), "{payload}: {added:?} ms were added");
    }
}

/// 1,000 operations per second, with a stall of 2 s in a load of 8 s: an operation due t seconds into the stall waits 2
/// s - t. Of 8,000 operations, 2,000 wait, evenly from 0 to 2 s; the waits of the slowest 10 % (800) start at 2 s - 0.8
/// s = 1.2 s, those of the slowest 20 % (1,600) at 0.4 s. Service time counts from the moment a connection is free:
/// with 16 connections, 16 operations wait on the wire and all others in the queue, so 99 % of the service times do not
/// show the stall.
pub fn a_stall_of_2_s_shows_in_the_response_time_as_arithmetic_says_and_not_in_the_service_time() {
    let _machine = machine();
    let run = drill_text_beside(
        r#"
name  = "drilled"
about = "Redis is stopped for 2 s."
[target]
kind        = "redis"
connections = 16
[[load]]
rate     = "1000/s"
arrivals = "constant"
for      = "8s"
sessions = 100
payload  = "1KiB"
mix      = { read = 1 }
deadline = "10s"
[[fault]]
kind = "process.stop"
at   = "3s"
for  = "2s"
[gates]
"all.p90"         = "<= 1h"
"all.p95"         = "<= 1h"
"all.service.p99" = "<= 1h"
"all.errors"      = "= 0%"
"#,
        &[],
    )
    .expect(0)
    .run();
    let fault = &run.faults[0];
    let stall = fault.end_ms.unwrap() - fault.onset_ms.unwrap();
    let actual = |name: &str| run.gates.iter().find(|gate| gate.name == name).unwrap().actual.unwrap();
    // In a load of 8 s, the slowest share s of the operations starts s * 8 s before the end of the stall.
    let expected = |slowest: f64| stall - slowest * 8_000.0;
    for (gate, slowest) in [("all.p90", 0.10), ("all.p95", 0.05)] {
        let (actual, expected) = (actual(gate), expected(slowest));
        assert!((actual / expected - 1.0).abs() < 0.1, "{gate}: {actual} ms, arithmetic says {expected} ms");
    }
    let service = actual("all.service.p99");
    assert!(service < actual("all.p90") / 10.0, "service p99 {service} ms hides the stall, as it must");
}

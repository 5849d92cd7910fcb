//! A made-up drill for the tests and for looking at the renderings: Redis is away from 6 s to 11 s of a 20 s load of
//! 1000 operations per second. Latencies come from a fixed pseudo-random sequence, so that every build renders the
//! same.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use firedrill_reports::run::{
    Activation, Batch, Bucket, CauseCount, Check, CheckVerdict, Curve, Drained, Fallback, Fault, Figures, Gate,
    GateVerdict, Generator, Impact, KindCount, Offence, OffenceCause, OpStats, Outcome, OutcomeCounts, Phase,
    PhaseName, Quantiles, Reached, Refusal, ResourceSample, Run, Scenario, Situation, Stall, Stretch, Timeline,
    Touched, Unit, Verdict,
};
use hdrhistogram::Histogram;

const MS_PER_NANO: f64 = 1e-6;
const LOAD_MS: f64 = 20_000.0;
const BUCKET_MS: f64 = 250.0;
const ONSET_MS: f64 = 6_012.0;
const HEAL_MS: f64 = 11_031.0;
const RECOVERED_MS: f64 = 11_894.0;

/// One made-up operation.
struct Op {
    kind: &'static str,
    outcome: Outcome,
    cause: Option<&'static str>,
    planned_ms: f64,
    slip_ms: f64,
    service_ms: f64,
}

/// The drill under the `drain` policy: it passes.
pub fn passed() -> Run {
    let mut run = measured(&operations());
    run.verdict = Verdict::Passed;
    run.exit_status = 0;
    run.gates = vec![
        Gate::new("during.errors", "<= 1%", Unit::Share, Some(during_errors(&run)), GateVerdict::Pass),
        Gate::new("after.read.p95", "<= 50ms", Unit::Milliseconds, Some(1.37), GateVerdict::Pass),
        Gate::new("recovery", "<= 3s", Unit::Milliseconds, run.recovery_ms, GateVerdict::Pass),
        Gate::new("fallback.activations", "= 1", Unit::Count, Some(1.0), GateVerdict::Pass),
    ];
    run.checks = vec![
        check(
            "lost-writes",
            "Every acknowledged write is in its session at the end, once.",
            6_041,
            "6 041 acknowledged writes, all there once",
        ),
        check(
            "session-order",
            "A user reads what they wrote, and never an older state than before.",
            11_982,
            "11 982 reads, all in order",
        ),
        check("resurrection", "A destroyed session stays away.", 212, "212 destroyed sessions, none came back"),
        check(
            "ttl",
            "A session lives as long as it was promised, and no longer.",
            500,
            "500 sessions, no key without a TTL",
        ),
        check("isolation", "A session never shows another's data.", 18_023, "18 023 answers, each its own session's"),
    ];
    let refused = Touched {
        sessions: 21,
        operations: 30,
        from_ms: Some(6_014.0),
        to_ms: Some(10_720.0),
        longest_ms: Some(1_310.0),
    };
    run.impact = Some(Impact {
        sessions: 500,
        lost: Some(Touched::default()),
        refused,
        delayed_over_ms: 1_000.0,
        ..Impact::default()
    });
    run.situations = vec![situation("unknown.append", ">= 1", 4, "4 appends of unknown outcome")];
    run.reached = reached(&operations());
    run
}

/// Why the writes of [`failed`] are gone.
const LOST: &str = "made by the fallback, dropped at 11.05 s under policy degrade";

/// The same drill under the `degrade` policy: what was written during the outage is gone, and the drill says so.
pub fn failed() -> Run {
    let mut run = passed();
    run.verdict = Verdict::Failed;
    run.exit_status = 1;
    run.replay = "firedrill run redis-outage --seed 4242 --set store.policy=degrade".into();
    run.reasons = vec![
        "lost-writes: 1 507 acknowledged writes are missing at the end.".into(),
        format!("during.errors: {} is over the limit of 0.1%.", run.gates[0].actual_text),
    ];
    run.gates[0].limit = "<= 0.1%".into();
    run.gates[0].verdict = GateVerdict::Fail;
    run.gates[1] = Gate::new("after.read.p95", "<= 50ms", Unit::Milliseconds, None, GateVerdict::Unknown)
        .with_note("No read ended after the recovery.");
    run.checks[0].verdict = CheckVerdict::Invalid;
    run.checks[0].offences = 1507;
    run.checks[0].summary = "1 507 of 6 041 acknowledged writes are missing".into();
    run.checks[0].samples = (0..5)
        .map(|n| Offence {
            session: format!("{}", 17 + 31 * n),
            operations: vec![6_120 + 7 * n, 19_990 + n],
            at_ms: Some(6_131.5 + 7.25 * n as f64),
            text: format!(
                "append {} was acknowledged by the fallback; the final read does not hold its token",
                6_120 + 7 * n
            ),
            cause: LOST.into(),
        })
        .collect();
    run.checks[0].sessions = 312;
    run.checks[0].causes = vec![OffenceCause {
        text: LOST.into(),
        at_ms: Some(HEAL_MS + 20.0),
        offences: 1507,
        sessions: 312,
        from_ms: 6_131.5,
        to_ms: 10_998.25,
        kinds: vec![KindCount { op: "append".into(), count: 1130 }, KindCount { op: "create".into(), count: 377 }],
        operations: (0..10).map(|n| 6_120 + 7 * n).collect(),
    }];
    let lost =
        Touched { sessions: 312, operations: 1507, from_ms: Some(6_131.5), to_ms: Some(10_998.25), longest_ms: None };
    run.impact = run.impact.map(|impact| Impact { lost: Some(lost), ..impact });
    run.checks[3].verdict = CheckVerdict::Unknown;
    run.checks[3].summary = "the keys could not be scanned: no connection".into();
    run.fallback.drained = Drained::default();
    run.fallback.sessions_lost = 312;
    run.fallback.activations[0].unprovoked = true;
    run.gates.push(Gate {
        implied: true,
        ..Gate::new("fallback.unprovoked", "= 0", Unit::Count, Some(1.0), GateVerdict::Fail)
    });
    run.machine.stalls = vec![Stall { from_ms: 9_000.0, to_ms: 9_120.0, denied_ms: 64.0 }];
    for phase in &mut run.phases {
        phase.figures.corrected = phase.figures.response;
    }
    let during = run.phases[1].figures.clone();
    run.stretches = vec![Stretch { scope: "fault.0".into(), figures: during }];
    run
}

/// Stopped by the user half a second into the load.
pub fn interrupted() -> Run {
    let early: Vec<Op> = operations().into_iter().take_while(|op| op.planned_ms < 500.0).collect();
    let mut run = measured(&early);
    run.verdict = Verdict::Interrupted;
    run.exit_status = 130;
    run.reasons = vec!["Interrupted by SIGINT 0.5 s into the load.".into()];
    run.load_seconds = 0.5;
    run.phases[0].figures.to_ms = 500.0;
    run.phases[0].figures.rate = run.phases[0].figures.ops as f64 / 0.5;
    run.generator = Generator { planned: 20_000, started: 500, completed: 500, cores: 2, ..Generator::default() };
    let never = Fault { onset_ms: None, end_ms: None, bit: false, by_hand: true, ..run.faults[0].clone() };
    let error = Some("no answer within 5 s".into());
    run.faults[0] = Fault { evidence: "never held: no answer within 5 s".into(), error, ..never };
    run.recovery_ms = None;
    run.recovered_at_ms = None;
    run.recovery_note = "Not measured: the drill was interrupted.".into();
    run.fallback = Fallback::default();
    run
}

/// Faults of every shape: an instantaneous one, one that overlaps another, one that is never undone, one that never
/// takes effect.
pub fn many_faults() -> Run {
    let mut run = passed();
    run.verdict = Verdict::Inconclusive;
    run.exit_status = 3;
    run.reasons = vec!["Fault 3 (server.oom) never bit: no write was refused.".into()];
    let fault = |index, kind: &str, at: f64, lasts: Option<f64>, bit: bool| Fault {
        index,
        kind: kind.into(),
        planned_at_ms: at,
        planned_for_ms: lasts,
        onset_ms: bit.then_some(at),
        end_ms: if bit { lasts.map(|long| at + long) } else { None },
        bit,
        ..Fault::default()
    };
    run.faults.push(fault(1, "process.kill", 2_000.0, Some(0.0), true));
    run.faults.push(fault(2, "proxy.latency", 9_000.0, Some(4_000.0), true));
    run.faults.push(fault(3, "server.oom", 14_000.0, Some(1_000.0), false));
    run.faults.push(fault(4, "disk.full", 18_500.0, None, true));
    let early = Activation {
        started_ms: 2_010.0,
        ended_ms: Some(2_400.0),
        drain_from_ms: None,
        cause: "unreachable".into(),
        served: 390,
        unprovoked: false,
    };
    run.fallback.activations.insert(0, early);
    run
}

fn check(name: &str, about: &str, examined: u64, summary: &str) -> Check {
    Check {
        name: name.into(),
        about: about.into(),
        verdict: CheckVerdict::Valid,
        counts: true,
        examined,
        offences: 0,
        sessions: 0,
        summary: summary.into(),
        causes: Vec::new(),
        samples: Vec::new(),
    }
}

/// One that was met.
pub fn situation(name: &str, wanted: &str, found: u64, found_text: &str) -> Situation {
    Situation { name: name.into(), wanted: wanted.into(), found, found_text: found_text.into(), met: true }
}

/// With a `destroy` in the mix of which none was sent while the fallback was active.
fn reached(ops: &[Op]) -> Vec<Reached> {
    let mut cells = Vec::new();
    for (state, active) in [(Reached::CONNECTED, false), (Reached::FALLBACK, true)] {
        for kind in ["create", "read", "append"] {
            let mut outcomes = OutcomeCounts::default();
            let within = |op: &&Op| op.kind == kind && (ONSET_MS..HEAL_MS).contains(&op.planned_ms) == active;
            ops.iter().filter(within).for_each(|op| outcomes.add(op.outcome, 1));
            cells.push(Reached { state: state.into(), op: kind.into(), outcomes });
        }
        let outcomes = OutcomeCounts { ok: if active { 0 } else { 7 }, ..OutcomeCounts::default() };
        cells.push(Reached { state: state.into(), op: "destroy".into(), outcomes });
    }
    cells
}

fn during_errors(run: &Run) -> f64 {
    run.phase(PhaseName::During).map_or(0.0, |phase| phase.figures.error_rate)
}

/// SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>), as uniform numbers in [0, 1).
pub struct Uniform(pub u64);

impl Uniform {
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.next()).ln()
    }

    /// Close to a normal number: the sum of twelve uniform numbers minus six.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }

    /// Log-normal with this median.
    fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }
}

fn operations() -> Vec<Op> {
    let mut random = Uniform(4242);
    let mut planned_ms = 0.0;
    let mut ops = Vec::new();
    loop {
        planned_ms += random.exponential(1.0);
        if planned_ms >= LOAD_MS {
            return ops;
        }
        let kind = match (random.next() * 10.0) as u32 {
            0 => "create",
            1..=6 => "read",
            _ => "append",
        };
        let healthy = random.log_normal(if kind == "read" { 0.55 } else { 0.8 }, 0.4);
        let (outcome, cause, service_ms) = if (ONSET_MS..ONSET_MS + 12.0).contains(&planned_ms) {
            (Outcome::Unknown, Some("timeout"), 250.0)
        } else if (ONSET_MS..HEAL_MS).contains(&planned_ms) {
            match random.next() {
                share if share < 0.004 => (Outcome::Failed, Some("unreachable"), random.log_normal(40.0, 0.5)),
                _ => (Outcome::Degraded, Some("fallback"), random.log_normal(0.05, 0.5)),
            }
        } else if (HEAL_MS..RECOVERED_MS).contains(&planned_ms) {
            let left = (RECOVERED_MS - planned_ms) / (RECOVERED_MS - HEAL_MS);
            (Outcome::Ok, None, healthy + left * random.log_normal(30.0, 0.4))
        } else {
            let pause = if random.next() < 0.002 { random.exponential(8.0) } else { 0.0 };
            (Outcome::Ok, None, healthy + pause)
        };
        ops.push(Op { kind, outcome, cause, planned_ms, slip_ms: random.exponential(0.04), service_ms });
    }
}

fn histogram(values_ms: impl Iterator<Item = f64>) -> Histogram<u64> {
    let mut histogram = Histogram::new(3).unwrap();
    for ms in values_ms {
        histogram.record((ms / MS_PER_NANO).round() as u64).unwrap();
    }
    histogram
}

fn quantiles(ops: &[&Op], of: impl Fn(&Op) -> f64) -> Option<Quantiles> {
    Quantiles::of(&histogram(ops.iter().map(|op| of(op))), MS_PER_NANO)
}

fn response(op: &Op) -> f64 {
    op.slip_ms + op.service_ms
}

fn measured(ops: &[Op]) -> Run {
    let mut run = Run {
        firedrill_version: "0.1.0".into(),
        scenario: Scenario {
            name: "redis-outage".into(),
            about: "Redis drops off the network for 5 s under load; nothing acknowledged may be lost.".into(),
            tags: vec!["ci".into()],
        },
        seed: 4242,
        replay: "firedrill run redis-outage --seed 4242".into(),
        started_at: "2026-01-15T09:30:00.250Z".into(),
        load_seconds: LOAD_MS / 1000.0,
        config: CONFIG.into(),
        recovery_ms: Some(RECOVERED_MS - HEAL_MS),
        recovered_at_ms: Some(RECOVERED_MS),
        recovery_note: "Steady again: errors and p95 of 500 ms in a row as before the fault.".into(),
        ..Run::default()
    };
    for (key, value) in [
        ("redis", "7.0.15, standalone, managed"),
        ("persistence", "aof-everysec"),
        ("policy", "drain"),
        ("target", "store"),
        ("processor", "2 × AMD EPYC 7763"),
        ("kernel", "Linux 6.1.0-18-amd64"),
        ("build", "release, 79ed14e"),
    ] {
        run.fact(key, value);
    }
    run.file("history.fdh", "every operation, as it was recorded");
    run.file("latency.hlog", "HdrHistogram V2 interval log");

    run.generator = Generator {
        target_rate: Some(1000.0),
        delivered_rate: ops.len() as f64 / (LOAD_MS / 1000.0),
        planned: ops.len() as u64,
        started: ops.len() as u64,
        completed: ops.len() as u64 - 3,
        in_time: ops.len() as u64 - 3,
        dropped: 0,
        abandoned: 3,
        max_slip_ms: 2.41,
        p99_slip_ms: 0.19,
        cpu_percent: Some(23.4),
        cores: 2,
        saturated: false,
        note: String::new(),
    };
    run.faults = vec![Fault {
        index: 0,
        name: "0".into(),
        kind: "proxy.down".into(),
        detail: "every connection cut, new ones refused".into(),
        hit: vec!["Redis at 127.0.0.1:40123".into()],
        planned_at_ms: 6000.0,
        planned_for_ms: Some(5000.0),
        onset_ms: Some(ONSET_MS),
        end_ms: Some(HEAL_MS),
        bit: true,
        evidence: "8 connections cut, 61 refused.".into(),
        error: None,
        by_hand: false,
    }];
    run.fallback = Fallback {
        activations: vec![Activation {
            started_ms: ONSET_MS + 251.0,
            ended_ms: Some(RECOVERED_MS - 120.0),
            drain_from_ms: Some(HEAL_MS + 40.0),
            cause: "timeout".into(),
            served: ops.iter().filter(|op| op.outcome == Outcome::Degraded).count() as u64,
            unprovoked: false,
        }],
        drained: Drained { written: 488, deleted: 0, merged: 3, lost: 0 },
        sessions_lost: 0,
    };
    phases(&mut run, ops);
    run.timeline = timeline(ops);
    run.resources = (0..=20_u32)
        .map(|second| ResourceSample {
            at_ms: f64::from(second) * 1000.0,
            process_rss_bytes: Some((64 << 20) + u64::from(second) * (300 << 10)),
            redis_used_memory_bytes: (!(6..11).contains(&second)).then_some(31 << 20),
            process_cpu_ms: Some(u64::from(second) * 250),
            redis_cpu_ms: (!(6..11).contains(&second)).then_some(u64::from(second) * 40),
            connected: Some(!(6..11).contains(&second)),
            ..ResourceSample::default()
        })
        .collect();
    let mut causes: BTreeMap<(&str, Outcome), u64> = BTreeMap::new();
    for op in ops {
        if let Some(cause) = op.cause {
            *causes.entry((cause, op.outcome)).or_default() += 1;
        }
    }
    run.errors = causes
        .into_iter()
        .map(|((cause, outcome), count)| CauseCount { cause: cause.into(), outcome, count })
        .collect();
    run.refusals = vec![Refusal {
        code: "OOM".to_owned(),
        answer: "OOM command not allowed when used memory > 'maxmemory'.".to_owned(),
        count: 3,
    }];
    run
}

fn phases(run: &mut Run, ops: &[Op]) {
    let bounds = [
        (PhaseName::Before, 0.0, ONSET_MS),
        (PhaseName::During, ONSET_MS, HEAL_MS),
        (PhaseName::Recovery, HEAL_MS, RECOVERED_MS),
        (PhaseName::After, RECOVERED_MS, LOAD_MS),
    ];
    for (name, from_ms, to_ms) in bounds {
        let within: Vec<&Op> = ops.iter().filter(|op| (from_ms..to_ms).contains(&op.planned_ms)).collect();
        if within.is_empty() {
            continue;
        }
        let mut operations = Vec::new();
        for kind in ["create", "read", "append"] {
            let of_kind: Vec<&Op> = within.iter().copied().filter(|op| op.kind == kind).collect();
            run.percentile_curves.extend(Curve::of(
                name,
                Some(kind),
                &histogram(of_kind.iter().map(|op| response(op))),
                MS_PER_NANO,
            ));
            for outcome in Outcome::ALL {
                let same: Vec<&Op> = of_kind.iter().copied().filter(|op| op.outcome == outcome).collect();
                if !same.is_empty() {
                    operations.push(OpStats {
                        op: kind.into(),
                        outcome,
                        count: same.len() as u64,
                        service: quantiles(&same, |op| op.service_ms).unwrap(),
                        slip: quantiles(&same, |op| op.slip_ms).unwrap(),
                        response: quantiles(&same, response).unwrap(),
                    });
                }
            }
        }
        run.percentile_curves.extend(Curve::of(
            name,
            None,
            &histogram(within.iter().map(|op| response(op))),
            MS_PER_NANO,
        ));
        let mut outcomes = OutcomeCounts::default();
        within.iter().for_each(|op| outcomes.add(op.outcome, 1));
        let ended = |op: &&Op| (from_ms..to_ms).contains(&(op.planned_ms + response(op))) && op.outcome.acknowledged();
        let figures = Figures {
            from_ms,
            to_ms,
            ops: outcomes.total(),
            rate: ops.iter().filter(ended).count() as f64 / ((to_ms - from_ms) / 1000.0),
            error_rate: outcomes.error_rate(),
            outcomes,
            response: quantiles(&within, response),
            corrected: None,
        };
        let batches = batches(&within, from_ms, to_ms);
        run.phases.push(Phase { name, figures, operations, batches });
    }
}

/// The slices of a phase of these operations.
fn batches(within: &[&Op], from_ms: f64, to_ms: f64) -> Vec<Batch> {
    let slices = Batch::slices(within.len() as u64);
    let slice_of = |op: &&&Op| ((op.planned_ms - from_ms) / (to_ms - from_ms) * slices as f64) as u64;
    let slice = |number: u64| {
        let ops: Vec<&&Op> = within.iter().filter(|op| slice_of(op) == number).collect();
        let errors = ops.iter().filter(|op| !op.outcome.acknowledged()).count() as u64;
        Batch::of(ops.iter().map(|op| response(op)).collect(), errors)
    };
    (0..slices).map(slice).collect()
}

fn timeline(ops: &[Op]) -> Timeline {
    let last = ops.last().map_or(0.0, |op| op.planned_ms);
    let buckets = (0..=(last / BUCKET_MS) as u32)
        .map(|number| {
            let from_ms = f64::from(number) * BUCKET_MS;
            let within = from_ms..from_ms + BUCKET_MS;
            let ended: Vec<&Op> = ops.iter().filter(|op| within.contains(&(op.planned_ms + response(op)))).collect();
            let mut outcomes = OutcomeCounts::default();
            for op in &ended {
                outcomes.add(op.outcome, 1);
            }
            let in_flight = ops
                .iter()
                .filter(|op| (op.planned_ms..op.planned_ms + response(op)).contains(&(from_ms + BUCKET_MS / 2.0)));
            Bucket {
                from_ms,
                planned: ops.iter().filter(|op| within.contains(&op.planned_ms)).count() as u64,
                outcomes,
                response: quantiles(&ended, response).map(Into::into),
                in_flight: Some(in_flight.count() as u64),
            }
        })
        .collect();
    Timeline { bucket_ms: BUCKET_MS, buckets }
}

const CONFIG: &str = r#"name = "redis-outage"
about = "Redis drops off the network for 5 s under load; nothing acknowledged may be lost."
tags = ["ci"]

[lab]
redis = { persistence = "aof-everysec" }

[store]
policy = "drain"
ttl = "1h"

[[load]]
rate = "1000/s"
for = "20s"
sessions = 500
mix = { create = 1, read = 6, append = 3 }

[[fault]]
kind = "proxy.down"
at = "6s"
for = "5s"

[gates]
"during.errors" = "<= 1%"
"after.read.p95" = "<= 50ms"
"recovery" = "<= 3s"
"fallback.activations" = "= 1"
"#;

//! Any run is either saved and loaded unchanged, or rejected with the field's name, and every rendering of it
//! completes.

use firedrill_reports::run::{
    Activation, Batch, Bucket, BucketLatency, CauseCount, Check, CheckVerdict, Curve, CurvePoint, Drained, Fallback,
    Fault, Figures, Gate, GateVerdict, Generator, KindCount, Offence, OffenceCause, OpStats, Outcome, OutcomeCounts,
    Phase, PhaseName, Quantiles, ResourceSample, Scenario, Timeline, Unit, Verdict,
};
use firedrill_reports::terminal::{self, Style};
use firedrill_reports::{Run, RunError, render_html};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

type Number = BoxedStrategy<f64>;

/// Numbers that JSON represents exactly.
fn tame() -> Number {
    (-1_000_000_i32..1_000_000).prop_map(|number| f64::from(number) / 8.0).boxed()
}

/// Any number at all.
fn wild() -> Number {
    prop_oneof![tame(), any::<f64>(), select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0])].boxed()
}

fn verdict() -> impl Strategy<Value = Verdict> {
    select(vec![Verdict::Passed, Verdict::Failed, Verdict::Inconclusive, Verdict::Interrupted])
}

fn gate(number: &Number) -> impl Strategy<Value = Gate> + use<> {
    let unit = select(vec![Unit::Milliseconds, Unit::Share, Unit::Count, Unit::PerSecond, Unit::Bytes]);
    let verdict = select(vec![GateVerdict::Pass, GateVerdict::Fail, GateVerdict::Unknown]);
    (any::<String>(), any::<String>(), unit, option::of(number.clone()), verdict)
        .prop_map(|(name, limit, unit, actual, verdict)| Gate::new(name, limit, unit, actual, verdict))
}

fn check(number: &Number) -> impl Strategy<Value = Check> + use<> {
    let offence = (any::<String>(), vec(any::<u64>(), 0..3), option::of(number.clone()), any::<String>()).prop_map(
        |(session, operations, at_ms, text)| Offence { cause: text.clone(), session, operations, at_ms, text },
    );
    let verdict = select(vec![CheckVerdict::Valid, CheckVerdict::Invalid, CheckVerdict::Unknown]);
    (any::<String>(), verdict, any::<bool>(), any::<u64>(), any::<u64>(), vec(offence, 0..3)).prop_map(
        |(name, verdict, counts, examined, offences, samples)| {
            let (about, summary, sessions) = (name.clone(), name.clone(), offences / 2);
            let cause = |sample: &Offence| OffenceCause {
                text: sample.text.clone(),
                at_ms: sample.at_ms,
                offences,
                sessions,
                from_ms: sample.at_ms.unwrap_or_default(),
                to_ms: sample.at_ms.unwrap_or_default(),
                kinds: vec![KindCount { op: name.clone(), count: offences }],
                operations: sample.operations.clone(),
            };
            let causes = samples.iter().map(cause).collect();
            Check { name, about, verdict, counts, examined, offences, sessions, summary, causes, samples }
        },
    )
}

fn generator(number: &Number) -> impl Strategy<Value = Generator> + use<> {
    let n = || number.clone();
    (option::of(n()), n(), n(), n(), option::of(n()), any::<u64>(), any::<u32>(), any::<bool>()).prop_map(
        |(target_rate, delivered_rate, max_slip_ms, p99_slip_ms, cpu_percent, count, cores, saturated)| Generator {
            target_rate,
            delivered_rate,
            planned: count,
            started: count / 2,
            completed: count / 3,
            in_time: count / 4,
            dropped: count % 7,
            abandoned: count % 5,
            max_slip_ms,
            p99_slip_ms,
            cpu_percent,
            cores,
            saturated,
            note: String::new(),
        },
    )
}

fn fault(number: &Number) -> impl Strategy<Value = Fault> + use<> {
    let n = || number.clone();
    (any::<u32>(), any::<String>(), n(), option::of(n()), option::of(n()), option::of(n()), any::<bool>()).prop_map(
        |(index, kind, planned_at_ms, planned_for_ms, onset_ms, end_ms, bit)| Fault {
            index,
            name: kind.clone(),
            detail: kind.clone(),
            hit: vec![kind.clone()],
            evidence: kind.clone(),
            error: bit.then(|| kind.clone()),
            kind,
            planned_at_ms,
            planned_for_ms,
            onset_ms,
            end_ms,
            bit,
            by_hand: !bit,
        },
    )
}

fn outcome() -> impl Strategy<Value = Outcome> {
    select(Outcome::ALL.to_vec())
}

fn phase_name() -> impl Strategy<Value = PhaseName> {
    select(PhaseName::ALL.to_vec())
}

fn counts() -> impl Strategy<Value = OutcomeCounts> {
    any::<[u64; 5]>().prop_map(|[ok, degraded, missing, failed, unknown]| OutcomeCounts {
        ok,
        degraded,
        missing,
        failed,
        unknown,
    })
}

fn quantiles(number: &Number) -> impl Strategy<Value = Quantiles> + use<> {
    vec(number.clone(), 8).prop_map(|n| Quantiles {
        min: n[0],
        mean: n[1],
        p50: n[2],
        p90: n[3],
        p95: n[4],
        p99: n[5],
        p999: n[6],
        max: n[7],
    })
}

fn phase(number: &Number) -> impl Strategy<Value = Phase> + use<> {
    let stats = (any::<String>(), outcome(), any::<u64>(), quantiles(number))
        .prop_map(|(op, outcome, count, all)| OpStats { op, outcome, count, service: all, slip: all, response: all });
    (phase_name(), number.clone(), number.clone(), counts(), option::of(quantiles(number)), vec(stats, 0..3)).prop_map(
        |(name, from_ms, rate, outcomes, response, operations)| Phase {
            name,
            figures: Figures {
                from_ms,
                to_ms: rate,
                ops: outcomes.ok,
                rate,
                error_rate: from_ms,
                outcomes,
                response,
                corrected: response,
            },
            operations,
            batches: vec![Batch { ops: outcomes.ok, errors: outcomes.failed, response: None }],
        },
    )
}

fn timeline(number: &Number) -> impl Strategy<Value = Timeline> + use<> {
    let latency = vec(number.clone(), 4).prop_map(|n| BucketLatency { p50: n[0], p95: n[1], p99: n[2], max: n[3] });
    let bucket = (number.clone(), any::<u64>(), counts(), option::of(latency), option::of(any::<u64>())).prop_map(
        |(from_ms, planned, outcomes, response, in_flight)| Bucket { from_ms, planned, outcomes, response, in_flight },
    );
    (number.clone(), vec(bucket, 0..5)).prop_map(|(bucket_ms, buckets)| Timeline { bucket_ms, buckets })
}

fn fallback(number: &Number) -> impl Strategy<Value = Fallback> + use<> {
    let activation = (number.clone(), option::of(number.clone()), any::<String>(), any::<u64>()).prop_map(
        |(started_ms, ended_ms, cause, served)| Activation {
            started_ms,
            ended_ms,
            drain_from_ms: ended_ms,
            cause,
            served,
            unprovoked: served % 2 == 1,
        },
    );
    (vec(activation, 0..3), any::<[u64; 4]>(), any::<u64>()).prop_map(
        |(activations, [written, deleted, merged, lost], sessions_lost)| Fallback {
            activations,
            drained: Drained { written, deleted, merged, lost },
            sessions_lost,
        },
    )
}

fn curve(number: &Number) -> impl Strategy<Value = Curve> + use<> {
    let point =
        (number.clone(), number.clone()).prop_map(|(percentile, response_ms)| CurvePoint { percentile, response_ms });
    (phase_name(), option::of(any::<String>()), any::<u64>(), vec(point, 0..4))
        .prop_map(|(phase, op, count, points)| Curve { phase, op, count, points })
}

fn resource(number: &Number) -> impl Strategy<Value = ResourceSample> + use<> {
    let figure = || option::of(any::<u64>());
    let counts = (figure(), figure(), figure());
    (number.clone(), figure(), figure(), figure(), figure(), option::of(any::<bool>()), counts).prop_map(
        |(at_ms, process_rss_bytes, redis_used_memory_bytes, process_cpu_ms, redis_cpu_ms, connected, counts)| {
            let (connection_attempts, connections_accepted, log_lines) = counts;
            let connections_open = log_lines;
            ResourceSample {
                at_ms,
                process_rss_bytes,
                redis_used_memory_bytes,
                process_cpu_ms,
                redis_cpu_ms,
                connected,
                connection_attempts,
                connections_open,
                connections_accepted,
                log_lines,
            }
        },
    )
}

fn run(number: Number) -> impl Strategy<Value = Run> {
    let cause = (any::<String>(), outcome(), any::<u64>()).prop_map(|(cause, outcome, count)| CauseCount {
        cause,
        outcome,
        count,
    });
    let judged = (verdict(), vec(any::<String>(), 0..3), vec(gate(&number), 0..3), vec(check(&number), 0..3));
    let suffered = (generator(&number), vec(fault(&number), 0..3), fallback(&number), vec(cause, 0..3));
    let measured = (
        vec(phase(&number), 0..3),
        timeline(&number),
        vec(curve(&number), 0..3),
        vec(resource(&number), 0..3),
        option::of(number.clone()),
        option::of(number.clone()),
    );
    (any::<String>(), any::<u64>(), number, judged, suffered, measured).prop_map(
        |(word, seed, load_seconds, judged, suffered, measured)| {
            let (verdict, reasons, gates, checks) = judged;
            let (generator, faults, fallback, errors) = suffered;
            let (phases, timeline, percentile_curves, resources, recovery_ms, recovered_at_ms) = measured;
            let mut run = Run {
                scenario: Scenario { name: word.clone(), about: word.clone(), tags: vec![word.clone()] },
                verdict,
                reasons,
                seed,
                replay: word.clone(),
                started_at: word.clone(),
                load_seconds,
                config: word.clone(),
                gates,
                checks,
                generator,
                faults,
                phases,
                recovery_ms,
                recovered_at_ms,
                fallback,
                timeline,
                percentile_curves,
                errors,
                resources,
                ..Run::default()
            };
            run.fact(word.clone(), word.clone());
            run.file(word.clone(), word);
            run
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn a_run_of_finite_numbers_is_loaded_as_it_was_saved(saved in run(tame())) {
        let dir = tempfile::tempdir().unwrap();
        saved.save(dir.path()).unwrap();
        prop_assert_eq!(Run::load(dir.path()).unwrap(), saved);
    }

    #[test]
    fn a_run_of_any_numbers_is_saved_whole_or_refused_by_name(run in run(wild())) {
        let dir = tempfile::tempdir().unwrap();
        match run.save(dir.path()) {
            Ok(path) => prop_assert!(Run::load(&path).is_ok()),
            Err(RunError::NotFinite { field }) => prop_assert!(!field.is_empty()),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn a_run_of_any_numbers_is_rendered(run in run(wild()), width in any::<u16>(), colour in any::<bool>()) {
        let page = render_html(&run);
        prop_assert!(page.ends_with("</html>"));
        prop_assert_eq!(page.matches("<script>").count(), 1);
        let style = Style { colour, width };
        let says_verdict = terminal::drill(&run, style).contains(&run.verdict.name().to_uppercase());
        prop_assert!(says_verdict);
        let counts_one = terminal::summary([&run], style).contains("1 drill: ");
        prop_assert!(counts_one);
    }
}

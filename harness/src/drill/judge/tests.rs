//! Statements that were once wrong, each checked on a handwritten drill.

use std::time::Duration;

use firedrill_reports::run::{GateVerdict, PhaseName, Verdict};
use firedrill_storage::{Event, FallbackCause};

use super::fixture::{Drill, MS, S, read, standstill, timed_out};
use crate::clock::Nanos;
use crate::history::{Note, OpKind, OpRecord, Outcome, Presence, Step};

const LOAD: &str = "[[load]]\nrate = \"400/s\"\nfor = \"10s\"\n";
/// An application that takes its deadline from the drill.
const APPLICATION: &str = r#"
[app]
command = ["shop"]
env     = { PORT = "{{port}}", REDIS = "{{redis.url}}", TIMEOUT = "{{store.timeout}}" }
[op.create]
steps = [{ post = "/login" }]
[op.read]
steps  = [{ get = "/cart" }]
tokens = { regex = "\\d+" }
absent = { status = [401] }
[op.append]
steps = [{ post = "/cart" }]
"#;
const FAULT: &str = "[[fault]]\nkind = \"proxy.down\"\nat = \"2s\"\nfor = \"4s\"\n";

fn near(actual: f64, expected: f64) -> bool {
    (actual - expected).abs() <= expected.abs() * 0.002 + 1e-9
}

/// No answers from 2 s to 6 s, then all of them at once.
fn waiting(at: Nanos) -> OpRecord {
    OpRecord { ended: if (2 * S..6 * S).contains(&at) { 6 * S + MS } else { at + MS }, ..read(at) }
}

#[test]
fn a_rate_during_an_outage_counts_what_was_acknowledged_by_the_clock() {
    let gates = "[gates]\n\"during.rate\" = \">= 300/s\"\n\"during.errors\" = \"<= 0%\"\n";
    let drill = Drill::of(&format!("{LOAD}{FAULT}{gates}")).fault(2 * S, 6 * S).reads(S / 400, 10 * S, waiting);
    let gate = drill.gate("during.rate");
    assert_eq!((gate.verdict, gate.actual), (GateVerdict::Fail, Some(0.0)));
    let run = drill.run();
    assert_eq!(run.verdict, Verdict::Failed);
    assert_eq!(run.phase(PhaseName::During).unwrap().figures.ops, 1600);
}

#[test]
fn a_stall_does_not_explain_an_outage_that_was_longer() {
    let gates = "[gates]\n\"during.rate\" = \">= 300/s\"\n";
    let mut drill = Drill::of(&format!("{LOAD}{FAULT}{gates}")).fault(2 * S, 6 * S).reads(S / 400, 10 * S, waiting);
    drill.stalls = vec![standstill(3 * S, S)];
    assert_eq!(drill.verdict_of("during.rate"), GateVerdict::Fail);
}

#[test]
fn what_is_settled_after_the_load_is_not_delivered() {
    let slow = |at: Nanos| OpRecord { ended: at + 4 * S, ..read(at) };
    let run = Drill::of(LOAD).reads(S / 400, 10 * S, slow).run();
    assert_eq!(run.generator.target_rate, Some(400.0));
    assert!(near(run.generator.delivered_rate, 240.0), "{}", run.generator.delivered_rate);
    assert_eq!((run.generator.in_time, run.generator.completed), (2400, 4000));
    let last = run.timeline.buckets.last().unwrap();
    assert!(last.from_ms == 13_800.0 && last.outcomes.ok <= 80, "{last:?}");
}

#[test]
fn figures_of_a_slow_load_come_from_the_scenario() {
    let load = "[[load]]\nrate = \"0.5/s\"\nfor = \"24s\"\n";
    let fault = "[[fault]]\nkind = \"proxy.down\"\nat = \"4s\"\nfor = \"16s\"\n[gates]\n\"during.errors\" = \"= 0%\"\n";
    let run = Drill::of(&format!("{load}{fault}")).fault(4 * S, 20 * S).reads(2 * S, 24 * S, read).run();
    assert_eq!(run.verdict, Verdict::Passed, "{:?}", run.reasons);
    assert_eq!((run.recovery_ms, run.load_seconds, run.generator.target_rate), (Some(0.0), 24.0, Some(0.5)));
    assert_eq!(run.phases.last().unwrap().figures.to_ms, 24_000.0);
}

#[test]
fn a_session_that_must_be_there_and_is_denied_is_missing() {
    let made = OpRecord { kind: OpKind::Create, step: Step::Preload, presence: Presence::Unsaid, ..read(-S) };
    let denied = |at: Nanos| match at >= 5 * S {
        true => OpRecord { presence: Presence::Absent, ..read(at) },
        false => read(at),
    };
    let gates = "[gates]\n\"all.errors\" = \"= 0%\"\n\"all.missing\" = \"= 0%\"\n";
    let mut drill = Drill::of(&format!("{LOAD}{gates}")).reads(S / 400, 10 * S, denied);
    drill.ops.insert(0, made);
    let run = drill.run();
    let outcomes = run.phases[0].figures.outcomes;
    assert_eq!((outcomes.ok, outcomes.missing, outcomes.errors()), (2000, 2000, 0));
    let gate = drill.gate("all.missing");
    assert_eq!((gate.verdict, gate.actual), (GateVerdict::Fail, Some(0.5)));
    assert_eq!(drill.verdict_of("all.errors"), GateVerdict::Pass);
    assert_eq!((run.errors[0].cause.as_str(), run.errors[0].count), ("no-such-session", 2000));

    // The session may be gone once its lifetime is over.
    drill.ttl = 2 * S;
    drill.ops.retain(|op| op.planned < 2 * S || op.planned >= 5 * S);
    assert_eq!(drill.run().phases[0].figures.outcomes.missing, 0);
}

#[test]
fn a_stalled_machine_accuses_nobody_and_a_blocking_target_is_accused() {
    let gates = "[gates]\n\"all.read.p99\" = \"<= 50ms\"\n\"all.errors\" = \"= 0%\"\n";
    let held_up = |at: Nanos| match (5 * S..5 * S + 300 * MS).contains(&at) {
        // Due during the standstill, sent afterwards.
        true => OpRecord { started: 5 * S + 300 * MS, ended: 5 * S + 301 * MS, ..read(at) },
        false => read(at),
    };
    let mut drill = Drill::of(&format!("{LOAD}{gates}")).reads(S / 400, 10 * S, held_up);
    drill.late = 120;
    assert_eq!(drill.verdict_of("all.read.p99"), GateVerdict::Fail, "the executor slept: that is the target's own");
    assert_eq!(drill.run().verdict, Verdict::Failed);
    drill.stalls = vec![standstill(5 * S, 300 * MS)];
    let gate = drill.gate("all.read.p99");
    assert_eq!(gate.verdict, GateVerdict::Unknown);
    assert!(gate.note.starts_with("the machine stalled for 300 ms"), "{}", gate.note);
    assert_eq!(drill.verdict_of("all.errors"), GateVerdict::Pass);
    let run = drill.run();
    assert_eq!((run.verdict, run.machine.stalls.len()), (Verdict::Inconclusive, 1));
}

#[test]
fn timeouts_of_a_standstill_are_explained_and_others_are_not() {
    let gates = "[gates]\n\"all.errors\" = \"= 0%\"\n";
    let some = |at: Nanos| if (5 * S..5 * S + 400 * MS).contains(&at) { timed_out(at) } else { read(at) };
    let mut drill = Drill::of(&format!("{LOAD}{gates}")).reads(S / 400, 10 * S, some);
    assert_eq!(drill.verdict_of("all.errors"), GateVerdict::Fail);
    drill.stalls = vec![standstill(5 * S, 500 * MS)];
    assert_eq!(drill.verdict_of("all.errors"), GateVerdict::Unknown);
    drill.stalls = vec![standstill(8 * S, 500 * MS)];
    assert_eq!(drill.verdict_of("all.errors"), GateVerdict::Fail);
}

#[test]
fn what_the_contents_prove_stays_proven_on_a_machine_that_stood_still() {
    let made = OpRecord { kind: OpKind::Create, step: Step::Preload, presence: Presence::Unsaid, ..read(-S) };
    let denied = |at: Nanos| OpRecord { presence: Presence::Absent, ..read(at) };
    let mut drill = Drill::of(&format!("{LOAD}[gates]\n\"all.missing\" = \"= 0%\"\n")).reads(S / 400, 10 * S, denied);
    drill.ops.insert(0, made);
    drill.stalls = vec![standstill(0, 10 * S)];
    assert_eq!(drill.verdict_of("all.missing"), GateVerdict::Fail);
}

#[test]
fn a_gate_on_what_a_fault_should_have_caused_is_unknown_where_it_never_bit() {
    let gates =
        "[gates]\n\"during.errors\" = \"= 0%\"\n\"fallback.activations\" = \">= 1\"\n\"all.p50\" = \"<= 1us\"\n";
    let mut drill = Drill::of(&format!("{LOAD}{FAULT}{gates}")).fault(2 * S, 6 * S).reads(S / 400, 10 * S, read);
    assert_eq!(drill.verdict_of("fallback.activations"), GateVerdict::Fail);
    drill.faults[0].bit = false;
    let gate = drill.gate("fallback.activations");
    assert_eq!((gate.verdict, gate.note.as_str()), (GateVerdict::Unknown, "fault 0 (proxy.down) never bit"));
    assert_eq!(drill.verdict_of("all.p50"), GateVerdict::Fail, "it has nothing to do with the fault");
}

#[test]
fn a_fallback_that_takes_over_without_a_fault_is_reported_and_judged() {
    let degraded = |at: Nanos| match (4 * S..5 * S).contains(&at) {
        true => OpRecord { outcome: Outcome::Degraded, ..read(at) },
        false => read(at),
    };
    let mut drill = Drill::of(LOAD).reads(S / 400, 10 * S, degraded);
    drill.notes.extend([
        Note::Store { at: 4 * S, instance: 0, event: Event::FallbackStarted { cause: FallbackCause::Timeout } },
        Note::Store { at: 5 * S, instance: 0, event: Event::FallbackEnded { lasted: Duration::ZERO, served: 400 } },
    ]);
    let run = drill.run();
    assert_eq!(run.verdict, Verdict::Failed);
    assert!(run.fallback.activations[0].unprovoked);
    let gate = drill.gate("fallback.unprovoked");
    assert_eq!((gate.verdict, gate.implied), (GateVerdict::Fail, true));
    drill.stalls = vec![standstill(4 * S - 500 * MS, 500 * MS)];
    assert_eq!(drill.verdict_of("fallback.unprovoked"), GateVerdict::Unknown);
    assert_eq!(drill.run().verdict, Verdict::Inconclusive);
}

#[test]
fn activations_that_a_stall_explains_are_of_unknown_number() {
    let gates = "[gates]\n\"fallback.activations\" = \"= 1\"\n";
    let mut drill = Drill::of(&format!("{LOAD}{FAULT}{gates}")).fault(2 * S, 6 * S).reads(S / 400, 10 * S, read);
    for (started, ended) in [(2_100 * MS, 2_900 * MS), (3_200 * MS, 6_100 * MS)] {
        drill.notes.push(Note::Store {
            at: started,
            instance: 0,
            event: Event::FallbackStarted { cause: FallbackCause::Timeout },
        });
        let lasted = Duration::from_nanos((ended - started) as u64);
        drill.notes.push(Note::Store { at: ended, instance: 0, event: Event::FallbackEnded { lasted, served: 1 } });
    }
    assert_eq!(drill.verdict_of("fallback.activations"), GateVerdict::Fail);
    drill.stalls = vec![standstill(2 * S, 1_200 * MS)];
    assert_eq!(drill.verdict_of("fallback.activations"), GateVerdict::Unknown);
    drill.stalls = vec![standstill(8 * S, S)];
    assert_eq!(drill.verdict_of("fallback.activations"), GateVerdict::Fail);
}

#[test]
fn outside_the_faults_the_steady_state_is_the_limit_unless_a_gate_gives_another() {
    let failing = |at: Nanos| if at % S == 0 { timed_out(at) } else { read(at) };
    let drill = |gates: &str| Drill::of(&format!("{LOAD}{gates}")).reads(S / 400, 10 * S, failing);
    let gate = drill("").gate("before.steady");
    assert_eq!((gate.verdict, gate.implied), (GateVerdict::Fail, true));
    let lenient = drill("[steady]\nerrors = \"1%\"\n");
    assert_eq!(lenient.verdict_of("before.steady"), GateVerdict::Pass);
    let gated = drill("[gates]\n\"all.errors\" = \"<= 1%\"\n").run();
    assert_eq!((gated.verdict, gated.gates.len()), (Verdict::Passed, 1), "{:?}", gated.reasons);
}

#[test]
fn a_fault_whose_cost_nothing_limits_is_inconclusive() {
    let down = |at: Nanos| if (2 * S..6 * S).contains(&at) { timed_out(at) } else { read(at) };
    let run = Drill::of(&format!("{LOAD}{FAULT}")).fault(2 * S, 6 * S).reads(S / 400, 10 * S, down).run();
    assert_eq!(run.verdict, Verdict::Inconclusive);
    assert!(run.reasons.iter().any(|reason| reason.contains("say what the outage may cost")), "{:?}", run.reasons);
}

#[test]
fn a_situation_that_did_not_occur_often_enough_is_inconclusive_and_a_failure_wins_over_it() {
    let failing = |at: Nanos| if at % S == 0 { timed_out(at) } else { read(at) };
    let drill = |wanted: &str, errors: &str| {
        let limits = format!("[situations]\n\"unknown.read\" = \"{wanted}\"\n[gates]\n\"all.errors\" = \"{errors}\"\n");
        Drill::of(&format!("{LOAD}{limits}")).reads(S / 400, 10 * S, failing).run()
    };
    let enough = drill(">= 10", "<= 1%");
    assert_eq!(enough.verdict, Verdict::Passed, "{:?}", enough.reasons);
    assert!(enough.situations[0].met && enough.situations[0].found == 10, "{:?}", enough.situations);
    let few = drill("> 10", "<= 1%");
    assert_eq!((few.verdict, few.situations[0].met), (Verdict::Inconclusive, false));
    assert_eq!(few.reasons, ["the situation did not occur: 10 reads of unknown outcome, more than 10 wanted"]);
    let failed = drill("> 10", "= 0%");
    assert_eq!((failed.verdict, failed.reasons.len()), (Verdict::Failed, 2));
    let reached = enough.reached.iter().find(|cell| cell.op == "create").unwrap();
    assert_eq!((reached.state.as_str(), reached.outcomes.total()), ("before", 0), "the mix has it, and there was none");
}

#[test]
fn a_closed_loop_says_what_its_quantiles_leave_out() {
    let load = "[[load]]\nusers = 1\nthink = \"5ms\"\nfor = \"12s\"\n";
    let gates = "[gates]\n\"all.p95\" = \"<= 50ms\"\n\"all.corrected.p95\" = \"<= 50ms\"\n";
    let stalled = |at: Nanos| match at {
        at if at == 3 * S => OpRecord { ended: 5 * S, ..read(at) },
        at => read(at),
    };
    let mut drill = Drill::of(&format!("{load}{gates}")).reads(6 * MS, 12 * S, stalled);
    drill.ops.retain(|op| op.planned <= 3 * S || op.planned >= 5 * S);
    let plain = drill.gate("all.p95");
    assert_eq!(plain.verdict, GateVerdict::Pass);
    assert!(plain.note.starts_with("closed loop: 1."), "{}", plain.note);
    assert_eq!(drill.verdict_of("all.corrected.p95"), GateVerdict::Fail);
    let figures = &drill.run().phases[0].figures;
    assert!(figures.corrected.unwrap().p95 > 1_000.0 && figures.response.unwrap().p95 < 2.0);
}

#[test]
fn each_load_block_has_its_own_row_and_gates() {
    let loads = "[[load]]\nname = \"small\"\nrate = \"200/s\"\nfor = \"5s\"\n[[load]]\nname = \"large\"\nrate = \"5/s\"\nfor = \"5s\"\n";
    let gates = "[gates]\n\"load.small.p95\" = \"<= 20ms\"\n\"load.large.p95\" = \"<= 20ms\"\n";
    let mut drill = Drill::of(&format!("{loads}{gates}"));
    for n in 0..1000 {
        drill.push(0, read(n * 5 * MS));
    }
    for n in 0..25 {
        let at = n * 200 * MS;
        drill.push(1, OpRecord { ended: at + 60 * MS, ..read(at) });
    }
    assert_eq!(drill.verdict_of("load.small.p95"), GateVerdict::Pass);
    assert_eq!(drill.verdict_of("load.large.p95"), GateVerdict::Fail);
    let run = drill.run();
    let rows: Vec<(&str, u64)> =
        run.stretches.iter().map(|stretch| (stretch.scope.as_str(), stretch.figures.ops)).collect();
    assert_eq!(
        rows,
        [("load.small", 1000), ("load.small.before", 1000), ("load.large", 25), ("load.large.before", 25)]
    );
}

#[test]
fn each_of_several_faults_has_its_own_figures() {
    let second = "[[fault]]\nname = \"again\"\nkind = \"proxy.down\"\nat = \"8s\"\nfor = \"1s\"\n";
    let gates = "[gates]\n\"fault.0.errors\" = \"= 0%\"\n\"fault.again.errors\" = \"= 0%\"\n";
    let down = |at: Nanos| if (8 * S..9 * S).contains(&at) { timed_out(at) } else { read(at) };
    let drill = Drill::of(&format!("{LOAD}{FAULT}{second}{gates}")).fault(2 * S, 6 * S).fault(8 * S, 9 * S).reads(
        S / 400,
        10 * S,
        down,
    );
    assert_eq!(drill.verdict_of("fault.0.errors"), GateVerdict::Pass);
    let gate = drill.gate("fault.again.errors");
    assert_eq!((gate.verdict, gate.actual), (GateVerdict::Fail, Some(1.0)));
}

#[test]
fn calls_that_outlast_the_stores_deadline_fail_the_drill_unless_a_gate_allows_them() {
    let drill = |rest: &str, read: fn(Nanos) -> OpRecord| {
        Drill::of(&format!("{LOAD}{FAULT}{rest}")).fault(2 * S, 6 * S).reads(S / 400, 10 * S, read)
    };
    let gate = drill("", waiting).gate("calls.longest");
    assert_eq!((gate.verdict, gate.implied, gate.limit.as_str()), (GateVerdict::Fail, true, "<= 1.25s"));
    assert!(near(gate.actual.unwrap(), 4_001.0), "{gate:?}");
    assert_eq!(drill("", timed_out).verdict_of("calls.longest"), GateVerdict::Pass);
    assert_eq!(drill("[store]\ntimeout = \"2s\"\n", waiting).verdict_of("calls.longest"), GateVerdict::Pass);
    let gated = drill("[gates]\n\"calls.longest\" = \"<= 5s\"\n", waiting).gate("calls.longest");
    assert_eq!((gated.verdict, gated.implied), (GateVerdict::Pass, false));
    let claims = drill("", |at| OpRecord { kind: OpKind::Award, ..waiting(at) }).run();
    assert!(claims.gates.iter().all(|gate| gate.name != "calls.longest"), "a claim is several calls");
}

#[test]
fn a_long_call_is_excused_by_what_the_machine_did_and_by_a_target_that_was_stopped() {
    let mut stalled = Drill::of(&format!("{LOAD}{FAULT}")).fault(2 * S, 6 * S).reads(S / 400, 10 * S, waiting);
    stalled.stalls = vec![standstill(2 * S, 4 * S)];
    assert_eq!(stalled.verdict_of("calls.longest"), GateVerdict::Unknown);
    let stop = "[[fault]]\nkind = \"app.stop\"\nat = \"2s\"\nfor = \"4s\"\n";
    let stopped = Drill::of(&format!("{APPLICATION}{LOAD}{stop}")).fault(2 * S, 6 * S).reads(S / 400, 10 * S, waiting);
    assert_eq!(stopped.verdict_of("calls.longest"), GateVerdict::Pass);
}

#[test]
fn a_half_open_breaker_lets_no_more_probes_through_than_the_scenario_says() {
    let drill = |probes: u64| {
        let mut drill = Drill::of(&format!("{LOAD}{FAULT}[store]\nbreaker = {{ probes = 2 }}\n"));
        for (at, opens, probes) in [(2 * S, 1, 0), (3 * S, 2, probes)] {
            drill.notes.push(Note::Store { at, instance: 0, event: Event::BreakerOpened { opens, probes } });
        }
        drill.fault(2 * S, 6 * S).reads(S / 400, 10 * S, read).gate("breaker.probes-at-once")
    };
    assert_eq!((drill(2).verdict, drill(2).limit.as_str()), (GateVerdict::Pass, "<= 2"));
    assert_eq!(drill(3).verdict, GateVerdict::Fail);
}

//! Turns gates, checks, faults and the generator's figures into one verdict. A failure wins over anything unclear,
//! anything unclear makes a drill inconclusive, and everything else passes.

use firedrill_reports::Run;
use firedrill_reports::run::{Check, CheckVerdict, GateVerdict, Verdict};

use super::evidence::Evidence;

/// The verdict, with a sentence for each reason why it is not `passed`, the most important first.
pub(super) fn verdict(evidence: &Evidence<'_>) -> (Verdict, Vec<String>) {
    let failed: Vec<String> = failures(evidence).collect();
    let doubtful: Vec<String> = doubts(evidence);
    let verdict = match () {
        () if evidence.interrupted => Verdict::Interrupted,
        () if !failed.is_empty() => Verdict::Failed,
        () if !doubtful.is_empty() => Verdict::Inconclusive,
        () => Verdict::Passed,
    };
    let mut reasons = Vec::new();
    if evidence.interrupted {
        reasons.push("a signal ended the drill before its end".to_owned());
    }
    reasons.extend(failed);
    reasons.extend(doubtful);
    (verdict, reasons)
}

/// Adds a check of what a drill left behind to its judged record: it can fail the drill or leave it inconclusive.
pub fn add(run: &mut Run, check: Check) {
    let (verdict, reason) = match check.verdict {
        CheckVerdict::Valid => (run.verdict, None),
        CheckVerdict::Invalid => (Verdict::Failed, Some(invalid(&check))),
        CheckVerdict::Unknown => (Verdict::Inconclusive, Some(unsure(&check))),
    };
    if run.verdict == Verdict::Passed || (run.verdict == Verdict::Inconclusive && verdict == Verdict::Failed) {
        run.verdict = verdict;
        run.exit_status = verdict.exit_status();
    }
    match (&check.verdict, run.verdict) {
        (CheckVerdict::Invalid, Verdict::Failed) => run.reasons.splice(0..0, reason).for_each(drop),
        _ => run.reasons.extend(reason),
    }
    run.checks.push(check);
}

fn invalid(check: &Check) -> String {
    format!("check {}: {}", check.name, check.summary)
}

fn unsure(check: &Check) -> String {
    format!("check {} cannot tell: {}", check.name, check.summary)
}

fn failures<'a>(evidence: &'a Evidence<'_>) -> impl Iterator<Item = String> + 'a {
    let checks =
        evidence.checks.iter().filter(|check| check.counts && check.verdict == CheckVerdict::Invalid).map(invalid);
    let gates = evidence.gates.iter().filter(|gate| gate.verdict == GateVerdict::Fail).map(|gate| match gate.actual {
        Some(_) => format!("gate {}: {} is not {}", gate.name, gate.actual_text, gate.limit),
        None => format!("gate {} ({}): {}", gate.name, gate.limit, gate.note),
    });
    checks.chain(gates)
}

fn doubts(evidence: &Evidence<'_>) -> Vec<String> {
    let mut found = evidence.doubts.clone();
    for fault in evidence.faults.iter().filter(|fault| !fault.bit) {
        found.push(format!("fault {} ({}) never bit: {}", fault.index, fault.kind, fault.evidence));
    }
    // What a fault left behind goes on harming: figures of the time after it, and a recovery, are those of another situation.
    for fault in evidence.faults.iter().filter(|fault| fault.bit) {
        found.extend(fault.error.iter().map(|error| format!("fault {} ({}): {error}", fault.index, fault.kind)));
    }
    found.extend(evidence.unmet.iter().cloned());
    let generator = evidence.generator;
    if generator.started == 0 {
        found.push("the generator started no operation".to_owned());
    } else if generator.fell_short() {
        found.push(format!(
            "the generator never sent {} of {} planned operations",
            generator.planned - generator.started,
            generator.planned
        ));
    }
    if generator.saturated {
        found.push(format!("the generator was saturated: {}", generator.note));
    }
    for check in evidence.checks.iter().filter(|check| check.counts) {
        match check.verdict {
            CheckVerdict::Unknown => found.push(unsure(check)),
            CheckVerdict::Valid if check.vacuous() && evidence.requires(check) => {
                found.push(format!("check {} had nothing to examine", check.name));
            }
            _ => {}
        }
    }
    for gate in evidence.gates.iter().filter(|gate| gate.verdict == GateVerdict::Unknown) {
        let what = if gate.actual.is_some() { "is unknown" } else { "was not measured" };
        found.push(format!("gate {} {what}: {}", gate.name, gate.note));
    }
    if !evidence.examined_anything() {
        found.push("nothing was examined: no gate held, and no check had anything to look at".to_owned());
    }
    if !evidence.plan.faults.is_empty() && !evidence.limits_the_faults() {
        found.push(
            "nothing limits what the faults may do: say what the outage may cost, such as \"during.errors\" = \"<= 1%\" \
             under [gates]"
                .to_owned(),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use firedrill_reports::run::{Check, Fault, Gate, Generator, Unit};

    use super::*;
    use crate::plan::Plan;
    use crate::scenario::{Source, parse};

    fn check(verdict: CheckVerdict, examined: u64) -> Check {
        Check {
            name: "lost-writes".to_owned(),
            about: String::new(),
            verdict,
            counts: true,
            examined,
            offences: 0,
            sessions: 0,
            summary: "2 of 5 writes are gone".to_owned(),
            causes: Vec::new(),
            samples: Vec::new(),
        }
    }

    fn gate(verdict: GateVerdict) -> Gate {
        Gate::new("during.errors", "<= 1%", Unit::Share, Some(0.02), verdict)
    }

    fn plan(rest: &str) -> Plan {
        let text = format!("name = \"x\"\nabout = \"y\"\n[[load]]\nrate = \"9/s\"\nfor = \"5s\"\n{rest}");
        Plan::of(parse(&Source { name: "x.toml".to_owned(), text }, &[]).unwrap(), 1).unwrap()
    }

    const FAULT: &str = "[[fault]]\nkind = \"proxy.down\"\nat = \"1s\"\nfor = \"1s\"\n";

    /// A drill of `plan` with these gates and checks and no other flaws.
    struct Drill {
        plan: Plan,
        gates: Vec<Gate>,
        checks: Vec<Check>,
        faults: Vec<Fault>,
        generator: Generator,
        interrupted: bool,
    }

    impl Drill {
        fn of(rest: &str) -> Self {
            let generator = Generator { planned: 100, started: 100, completed: 100, ..Generator::default() };
            let (gates, checks) = (vec![gate(GateVerdict::Pass)], Vec::new());
            Self { plan: plan(rest), gates, checks, faults: Vec::new(), generator, interrupted: false }
        }

        fn verdict(&self) -> (Verdict, Vec<String>) {
            verdict(&Evidence {
                plan: &self.plan,
                gates: &self.gates,
                checks: &self.checks,
                faults: &self.faults,
                generator: &self.generator,
                doubts: Vec::new(),
                unmet: Vec::new(),
                interrupted: self.interrupted,
            })
        }
    }

    #[test]
    fn a_drill_in_which_everything_held_passes_without_reasons() {
        let mut drill = Drill::of(&format!("{FAULT}[gates]\n\"during.errors\" = \"<= 2%\""));
        drill.checks = vec![check(CheckVerdict::Valid, 5)];
        drill.faults = vec![Fault { bit: true, ..Fault::default() }];
        assert_eq!(drill.verdict(), (Verdict::Passed, Vec::new()));
    }

    #[test]
    fn a_drill_in_which_nothing_was_examined_does_not_pass() {
        let drill = Drill { gates: Vec::new(), checks: vec![check(CheckVerdict::Valid, 0)], ..Drill::of("") };
        let (verdict, reasons) = drill.verdict();
        assert_eq!(verdict, Verdict::Inconclusive);
        assert!(reasons[0].starts_with("nothing was examined"), "{reasons:?}");
    }

    #[test]
    fn a_fault_without_a_limit_is_inconclusive_and_a_required_checker_that_it_tests_is_a_limit() {
        let verdict = |rest: &str, name: &str| {
            let mut drill = Drill::of(&format!("{FAULT}{rest}"));
            drill.faults = vec![Fault { bit: true, ..Fault::default() }];
            drill.checks = vec![Check { name: name.to_owned(), ..check(CheckVerdict::Valid, 5) }];
            drill.verdict().0
        };
        assert_eq!(verdict("", "lost-writes"), Verdict::Inconclusive);
        assert_eq!(verdict("[gates]\n\"before.errors\" = \"= 0%\"", "lost-writes"), Verdict::Inconclusive);
        assert_eq!(verdict("[gates]\n\"fault.0.errors\" = \"= 0%\"", "lost-writes"), Verdict::Passed);
        assert_eq!(verdict("[gates]\n\"all.errors\" = \"= 0%\"", "lost-writes"), Verdict::Passed);
        assert_eq!(verdict("[checks]\nlost-writes = \"valid\"", "lost-writes"), Verdict::Passed);
        assert_eq!(verdict("[checks]\nisolation = \"valid\"", "isolation"), Verdict::Inconclusive);
    }

    #[test]
    fn an_invalid_check_fails_the_drill_also_where_the_fault_never_bit() {
        let mut drill = Drill::of(&format!("{FAULT}[gates]\n\"during.errors\" = \"<= 2%\""));
        drill.checks = vec![check(CheckVerdict::Invalid, 5)];
        let evidence = "no connection was cut".to_owned();
        drill.faults = vec![Fault { kind: "proxy.down".to_owned(), evidence, ..Fault::default() }];
        assert_eq!(
            drill.verdict(),
            (
                Verdict::Failed,
                vec![
                    "check lost-writes: 2 of 5 writes are gone".to_owned(),
                    "fault 0 (proxy.down) never bit: no connection was cut".to_owned()
                ]
            )
        );
    }

    #[test]
    fn a_fault_that_could_not_be_undone_makes_a_pass_inconclusive() {
        let mut drill = Drill::of(&format!("{FAULT}[gates]\n\"during.errors\" = \"<= 2%\""));
        let bit = Fault { kind: "proxy.down".to_owned(), bit: true, ..Fault::default() };
        drill.faults = vec![bit.clone()];
        assert_eq!(drill.verdict().0, Verdict::Passed);
        let error = "it could not be undone: no answer within 5 s".to_owned();
        drill.faults = vec![Fault { error: Some(error), ..bit }];
        let reason = "fault 0 (proxy.down): it could not be undone: no answer within 5 s".to_owned();
        assert_eq!(drill.verdict(), (Verdict::Inconclusive, vec![reason]));
    }

    #[test]
    fn operations_never_sent_an_unmeasured_gate_and_an_unknown_check_are_inconclusive() {
        let unsent = Generator { planned: 100, started: 94, ..Generator::default() };
        assert_eq!(Drill { generator: unsent, ..Drill::of("") }.verdict().0, Verdict::Inconclusive);
        let unknown = vec![gate(GateVerdict::Pass), gate(GateVerdict::Unknown)];
        assert_eq!(Drill { gates: unknown, ..Drill::of("") }.verdict().0, Verdict::Inconclusive);
        let unknown = vec![check(CheckVerdict::Unknown, 5)];
        assert_eq!(Drill { checks: unknown, ..Drill::of("") }.verdict().0, Verdict::Inconclusive);
    }

    #[test]
    fn a_required_check_must_have_had_something_to_examine() {
        let vacuous = || vec![check(CheckVerdict::Valid, 0)];
        assert_eq!(Drill { checks: vacuous(), ..Drill::of("") }.verdict().0, Verdict::Passed);
        let asked = Drill::of("[checks]\nlost-writes = \"valid\"");
        assert_eq!(Drill { checks: vacuous(), ..asked }.verdict().0, Verdict::Inconclusive);
    }

    #[test]
    fn a_check_that_is_only_reported_does_not_count() {
        for reported in [CheckVerdict::Invalid, CheckVerdict::Unknown] {
            let reported = vec![Check { counts: false, ..check(reported, 5) }];
            assert_eq!(Drill { checks: reported, ..Drill::of("") }.verdict().0, Verdict::Passed);
        }
    }

    #[test]
    fn a_gate_on_what_never_came_says_so_instead_of_a_figure() {
        let gate = Gate::new("recovery", "<= 1s", Unit::Milliseconds, None, GateVerdict::Fail)
            .with_note("the steady state did not return before the load ended");
        let (verdict, reasons) =
            Drill { gates: vec![gate], checks: vec![check(CheckVerdict::Valid, 5)], ..Drill::of("") }.verdict();
        assert_eq!(verdict, Verdict::Failed);
        assert_eq!(reasons, ["gate recovery (<= 1s): the steady state did not return before the load ended"]);
    }

    #[test]
    fn an_interrupted_drill_says_so_first() {
        let drill = Drill { gates: vec![gate(GateVerdict::Fail)], interrupted: true, ..Drill::of("") };
        let (verdict, reasons) = drill.verdict();
        assert_eq!(verdict, Verdict::Interrupted);
        assert_eq!(reasons[0], "a signal ended the drill before its end");
        assert_eq!(verdict.exit_status(), 130);
    }
}

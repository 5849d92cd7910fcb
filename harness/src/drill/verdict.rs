//! From gates, checks, faults and the generator's account to one verdict. False beats unknown beats true: what certainly
//! failed makes a drill failed, what is not certain makes it inconclusive, and only the rest passes.

use firedrill_reports::run::{Check, CheckVerdict, Fault, Gate, GateVerdict, Generator, Verdict};

use indexmap::IndexMap;

use crate::scenario::Expectation;

/// What a verdict is made from.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// Every gate, judged.
    pub gates: &'a [Gate],
    /// Every checker's answer.
    pub checks: &'a [Check],
    /// What the scenario expects of checkers.
    pub expected: &'a IndexMap<String, Expectation>,
    /// Every fault, as observed.
    pub faults: &'a [Fault],
    /// Whether the generator delivered.
    pub generator: &'a Generator,
    /// Why the drill cannot count for other reasons: the target was not healthy at the start, the history is torn.
    pub doubts: &'a [String],
    /// A signal ended the drill.
    pub interrupted: bool,
}

/// At least this share of the planned operations must have been started for a rate to count as delivered.
const DELIVERED: f64 = 0.95;

/// The verdict, and a sentence for each reason why it is not `passed`, the most important first.
pub fn verdict(evidence: &Evidence<'_>) -> (Verdict, Vec<String>) {
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

/// The exit status that a verdict alone leads to.
pub fn exit_status(verdict: Verdict) -> i32 {
    match verdict {
        Verdict::Passed => 0,
        Verdict::Failed => 1,
        Verdict::Inconclusive => 3,
        Verdict::Interrupted => 130,
    }
}

fn failures<'a>(evidence: &'a Evidence<'_>) -> impl Iterator<Item = String> + 'a {
    let checks = evidence
        .checks
        .iter()
        .filter(|check| check.counts && check.verdict == CheckVerdict::Invalid)
        .map(|check| format!("check {}: {}", check.name, check.summary));
    let gates = evidence.gates.iter().filter(|gate| gate.verdict == GateVerdict::Fail).map(|gate| match gate.actual {
        Some(_) => format!("gate {}: {} is not {}", gate.name, gate.actual_text, gate.limit),
        None => format!("gate {} ({}): {}", gate.name, gate.limit, gate.note),
    });
    checks.chain(gates)
}

fn doubts(evidence: &Evidence<'_>) -> Vec<String> {
    let mut found = evidence.doubts.to_vec();
    for fault in evidence.faults.iter().filter(|fault| !fault.bit) {
        found.push(format!("fault {} ({}) never bit: {}", fault.index, fault.kind, fault.evidence));
    }
    let generator = evidence.generator;
    if generator.started == 0 {
        found.push("the generator started no operation".to_owned());
    } else if (generator.started as f64) < generator.planned as f64 * DELIVERED {
        found.push(format!(
            "the generator missed its rate: {} of {} planned operations were started",
            generator.started, generator.planned
        ));
    }
    if generator.saturated {
        found.push(format!("the generator was saturated: {}", generator.note));
    }
    for check in evidence.checks.iter().filter(|check| check.counts) {
        let expected = evidence.expected.get(&check.name);
        match (check.verdict, expected) {
            (CheckVerdict::Unknown, _) => found.push(format!("check {} cannot tell: {}", check.name, check.summary)),
            (CheckVerdict::Valid, Some(Expectation::Valid)) if check.examined == 0 => {
                found.push(format!("check {} had nothing to examine", check.name));
            }
            _ => {}
        }
    }
    for gate in evidence.gates.iter().filter(|gate| gate.verdict == GateVerdict::Unknown) {
        found.push(format!("gate {} was not measured: {}", gate.name, gate.note));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use firedrill_reports::run::Unit;

    use super::*;

    fn check(verdict: CheckVerdict, examined: u64) -> Check {
        Check {
            name: "lost-answers".to_owned(),
            about: String::new(),
            verdict,
            counts: true,
            examined,
            offences: 0,
            summary: "2 of 5 answers are gone".to_owned(),
            samples: Vec::new(),
        }
    }

    fn gate(verdict: GateVerdict) -> Gate {
        Gate::new("during.errors", "<= 1%", Unit::Share, Some(0.02), verdict)
    }

    #[test]
    fn a_drill_in_which_everything_held_passes_without_reasons() {
        let evidence = Evidence {
            gates: &[gate(GateVerdict::Pass)],
            checks: &[check(CheckVerdict::Valid, 5)],
            faults: &[Fault { bit: true, ..Fault::default() }],
            ..sound()
        };
        assert_eq!(verdict(&evidence), (Verdict::Passed, Vec::new()));
    }

    fn asked(expectation: Expectation) -> IndexMap<String, Expectation> {
        IndexMap::from([("lost-answers".to_owned(), expectation)])
    }

    static NOTHING: LazyLock<IndexMap<String, Expectation>> = LazyLock::new(IndexMap::new);
    static DELIVERED: LazyLock<Generator> =
        LazyLock::new(|| Generator { planned: 100, started: 100, completed: 100, ..Generator::default() });

    /// A drill with nothing to be said against it.
    fn sound() -> Evidence<'static> {
        Evidence {
            gates: &[],
            checks: &[],
            expected: &NOTHING,
            faults: &[],
            generator: &DELIVERED,
            doubts: &[],
            interrupted: false,
        }
    }

    #[test]
    fn an_invalid_check_fails_the_drill_also_where_the_fault_never_bit() {
        let evidence = Evidence {
            checks: &[check(CheckVerdict::Invalid, 5)],
            faults: &[Fault {
                kind: "proxy.down".to_owned(),
                evidence: "no connection was cut".to_owned(),
                ..Fault::default()
            }],
            ..sound()
        };
        assert_eq!(
            verdict(&evidence),
            (
                Verdict::Failed,
                vec![
                    "check lost-answers: 2 of 5 answers are gone".to_owned(),
                    "fault 0 (proxy.down) never bit: no connection was cut".to_owned()
                ]
            )
        );
    }

    #[test]
    fn a_missed_rate_an_unmeasured_gate_and_an_unknown_check_are_inconclusive() {
        let missed = Generator { planned: 100, started: 94, ..Generator::default() };
        assert_eq!(verdict(&Evidence { generator: &missed, ..sound() }).0, Verdict::Inconclusive);
        assert_eq!(verdict(&Evidence { gates: &[gate(GateVerdict::Unknown)], ..sound() }).0, Verdict::Inconclusive);
        let unknown = [check(CheckVerdict::Unknown, 5)];
        assert_eq!(verdict(&Evidence { checks: &unknown, ..sound() }).0, Verdict::Inconclusive);
    }

    #[test]
    fn a_check_that_is_asked_for_must_have_had_something_to_examine() {
        let vacuous = [check(CheckVerdict::Valid, 0)];
        let expected = asked(Expectation::Valid);
        assert_eq!(verdict(&Evidence { checks: &vacuous, ..sound() }).0, Verdict::Passed);
        assert_eq!(verdict(&Evidence { checks: &vacuous, expected: &expected, ..sound() }).0, Verdict::Inconclusive);
    }

    #[test]
    fn a_check_that_is_only_reported_does_not_count() {
        for reported in [CheckVerdict::Invalid, CheckVerdict::Unknown] {
            let reported = [Check { counts: false, ..check(reported, 5) }];
            assert_eq!(verdict(&Evidence { checks: &reported, ..sound() }).0, Verdict::Passed);
        }
    }

    #[test]
    fn a_gate_on_what_never_came_says_so_instead_of_a_figure() {
        let gate = Gate::new("recovery", "<= 1s", Unit::Milliseconds, None, GateVerdict::Fail)
            .with_note("the steady state did not return before the load ended");
        let (verdict, reasons) = verdict(&Evidence { gates: &[gate], ..sound() });
        assert_eq!(verdict, Verdict::Failed);
        assert_eq!(reasons, ["gate recovery (<= 1s): the steady state did not return before the load ended"]);
    }

    #[test]
    fn an_interrupted_drill_says_so_first() {
        let evidence = Evidence { gates: &[gate(GateVerdict::Fail)], interrupted: true, ..sound() };
        let (verdict, reasons) = verdict(&evidence);
        assert_eq!(verdict, Verdict::Interrupted);
        assert_eq!(reasons[0], "a signal ended the drill before its end");
        assert_eq!(exit_status(verdict), 130);
    }
}

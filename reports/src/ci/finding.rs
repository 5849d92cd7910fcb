//! What a drill was judged on, as one list: the formats differ in how they show it, not in what it is.

use std::collections::BTreeMap;

use crate::describe;
use crate::run::{Check, CheckVerdict, Fault, Gate, GateVerdict, Generator, Run, Situation};
use crate::text;

/// Offences described per check; `run.json` may hold more.
const OFFENCES: usize = 20;

/// A gate, a check, a fault's bite: something that has an answer of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub what: What,
    /// Its name in the scenario, such as `during.errors`; of a fault without a name, its kind.
    pub name: String,
    /// Its name among all findings of the drill. It holds no measured value, so it is the same in every run.
    pub id: String,
    /// The answer.
    pub answer: Answer,
    /// The answer in a sentence, with the measured value.
    pub says: String,
    /// A limit, and the value that was measured; absent without a limit.
    pub limit: Option<(String, String)>,
    /// The first offences, one line each.
    pub details: Vec<String>,
    /// Where it stands in the scenario's file: keys and positions from the root. It may not be there, as with a check
    /// that the scenario leaves at its default.
    pub path: Vec<String>,
}

/// The kind of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A limit of the scenario.
    Gate,
    /// A claim about the store, which is reported and decides nothing.
    Claim,
    /// A checker's answer.
    Check,
    /// Something that must have happened.
    Situation,
    /// Whether a fault had an effect.
    Fault,
    /// Whether the generator delivered the load.
    Generator,
    /// A figure compared with that of the baseline.
    Baseline,
}

impl What {
    /// Its name in outputs.
    pub fn name(self) -> &'static str {
        match self {
            What::Gate => "gate",
            What::Claim => "claim",
            What::Check => "check",
            What::Situation => "situation",
            What::Fault => "fault",
            What::Generator => "generator",
            What::Baseline => "baseline",
        }
    }
}

/// The answer of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It held.
    Held,
    /// It did not, so the drill failed.
    Broken,
    /// Nobody can tell, so the drill proves nothing.
    Unclear,
    /// It is only reported, whatever it is.
    Reported,
}

impl Finding {
    /// All findings of `run`, in the report's order.
    pub(super) fn all(run: &Run) -> Vec<Self> {
        let mut all: Vec<Self> = run.gates.iter().map(gate).collect();
        all.extend(run.claims.iter().map(claim));
        all.extend(run.checks.iter().map(check));
        all.extend(run.situations.iter().map(situation));
        all.extend(run.faults.iter().map(fault));
        all.push(generator(&run.generator));
        tell_apart(&mut all);
        all
    }

    /// Whether the drill did not pass because of it.
    pub fn counts_against(&self) -> bool {
        matches!(self.answer, Answer::Broken | Answer::Unclear)
    }

    pub(super) fn new(what: What, name: &str, answer: Answer, says: String) -> Self {
        let table = match what {
            What::Gate => "gates",
            What::Claim => "claims",
            What::Check => "checks",
            What::Situation => "situations",
            What::Fault => "fault",
            What::Generator => "load",
            // It stands nowhere in the scenario.
            What::Baseline => "",
        };
        Self {
            what,
            name: name.to_owned(),
            id: format!("{} {name}", what.name()),
            answer,
            says,
            limit: None,
            details: Vec::new(),
            path: vec![table.to_owned(), name.to_owned()],
        }
    }
}

/// Readers such as GitLab drop all but the first of several cases with one name.
fn tell_apart(all: &mut [Finding]) {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for finding in all {
        let count = seen.entry(finding.id.clone()).or_default();
        *count += 1;
        if *count > 1 {
            finding.id = format!("{} ({count})", finding.id);
        }
    }
}

fn gate(gate: &Gate) -> Finding {
    let answer = match gate.verdict {
        GateVerdict::Pass => Answer::Held,
        GateVerdict::Fail => Answer::Broken,
        GateVerdict::Unknown => Answer::Unclear,
    };
    let is = match (gate.verdict, gate.actual) {
        (GateVerdict::Pass, _) => format!("{}, within {}", gate.actual_text, gate.limit),
        (GateVerdict::Fail, Some(_)) => format!("{} is not {}", gate.actual_text, gate.limit),
        (_, None) => format!("not measured, wanted {}", gate.limit),
        (GateVerdict::Unknown, Some(_)) => format!("unknown, wanted {}", gate.limit),
    };
    Finding { limit: limit(gate), ..Finding::new(What::Gate, &gate.name, answer, noted(is, &gate.note)) }
}

fn claim(claim: &Gate) -> Finding {
    let is = format!("{}: {}, claimed {}", claim.verdict.of_claim(), claim.actual_text, claim.limit);
    Finding { limit: limit(claim), ..Finding::new(What::Claim, &claim.name, Answer::Reported, noted(is, &claim.note)) }
}

fn limit(gate: &Gate) -> Option<(String, String)> {
    Some((gate.limit.clone(), gate.actual_text.clone()))
}

fn noted(text: String, note: &str) -> String {
    if note.is_empty() { text } else { format!("{text} ({note})") }
}

fn check(check: &Check) -> Finding {
    let answer = match check.verdict {
        _ if !check.counts => Answer::Reported,
        CheckVerdict::Valid => Answer::Held,
        CheckVerdict::Invalid => Answer::Broken,
        CheckVerdict::Unknown => Answer::Unclear,
    };
    let mut details: Vec<String> = check.samples.iter().take(OFFENCES).map(describe::offence).collect();
    let more = check.offences.saturating_sub(details.len() as u64);
    if more > 0 && !details.is_empty() {
        details.push(format!("and {} more", text::count(more)));
    }
    let says = format!("{}: {}", check.verdict.name(), describe::finding(check));
    Finding { details, ..Finding::new(What::Check, &check.name, answer, says) }
}

fn situation(situation: &Situation) -> Finding {
    let answer = if situation.met { Answer::Held } else { Answer::Unclear };
    let says = format!("{}, wanted {}", situation.found_text, situation.wanted);
    let limit = Some((situation.wanted.clone(), situation.found_text.clone()));
    Finding { limit, ..Finding::new(What::Situation, &situation.name, answer, says) }
}

fn fault(fault: &Fault) -> Finding {
    let answer = if fault.bit { Answer::Held } else { Answer::Unclear };
    let path = vec!["fault".to_owned(), fault.index.to_string(), "kind".to_owned()];
    Finding { path, ..Finding::new(What::Fault, &describe::fault_name(fault), answer, describe::impact(fault)) }
}

fn generator(generator: &Generator) -> Finding {
    let answer = if generator.saturated || generator.fell_short() { Answer::Unclear } else { Answer::Held };
    let says = noted(describe::generator_line(generator), &generator.note);
    let path = ["load", "0", "rate"].map(str::to_owned).to_vec();
    let id = What::Generator.name().to_owned();
    Finding { path, id, ..Finding::new(What::Generator, "", answer, says) }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{check, failed, passed};
    use super::*;

    fn ids(run: &Run) -> Vec<String> {
        Finding::all(run).into_iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn the_ids_hold_no_measured_value() {
        let expected =
            ["gate during.errors", "check lost-writes", "situation unknown.append", "fault proxy.down", "generator"];
        assert_eq!(ids(&passed("x")), expected);
        assert_eq!(ids(&failed("x")), expected, "whatever the outcome");
    }

    #[test]
    fn no_two_findings_of_a_drill_have_one_id() {
        let mut run = passed("x");
        run.faults.push(run.faults[0].clone());
        assert_eq!(ids(&run)[3..], ["fault proxy.down", "fault proxy.down (2)", "generator"]);
    }

    #[test]
    fn what_is_only_reported_never_counts_against_the_drill() {
        let mut reported = check("lost-writes", CheckVerdict::Invalid, 2);
        reported.counts = false;
        let found = super::check(&reported);
        assert_eq!(found.answer, Answer::Reported);
        assert!(!found.counts_against());
        assert_eq!(found.says, "invalid: 2 of 40 writes are gone");
    }

    #[test]
    fn a_failed_gate_says_its_value_and_its_limit() {
        let found = &Finding::all(&failed("x"))[0];
        assert_eq!((found.answer, found.says.as_str()), (Answer::Broken, "5 % is not <= 1%"));
        assert_eq!(found.path, ["gates", "during.errors"]);
    }

    #[test]
    fn only_the_first_twenty_offences_are_described() {
        let found = super::check(&check("lost-writes", CheckVerdict::Invalid, 25));
        assert_eq!(found.details.len(), 21);
        assert_eq!(found.details[0], "session 1, at 1.50 s, op 1: write 1 is gone");
        assert_eq!(found.details[20], "and 5 more");
    }

    #[test]
    fn a_generator_that_sent_too_little_proves_nothing() {
        let short = Generator { planned: 100, started: 94, ..Generator::default() };
        assert_eq!(super::generator(&short).answer, Answer::Unclear);
        let enough = Generator { planned: 100, started: 95, ..Generator::default() };
        assert_eq!(super::generator(&enough).answer, Answer::Held);
    }
}

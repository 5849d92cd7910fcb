//! The input of a verdict.

use firedrill_reports::run::{Check, Fault, Gate, GateVerdict, Generator};

use crate::check;
use crate::plan::Plan;
use crate::property::Property;
use crate::scenario::Expectation;

/// The basis of a verdict.
pub(super) struct Evidence<'a> {
    /// The plan of the drill.
    pub(super) plan: &'a Plan,
    /// Every gate, judged.
    pub(super) gates: &'a [Gate],
    /// Every checker's answer.
    pub(super) checks: &'a [Check],
    /// Every fault, as observed.
    pub(super) faults: &'a [Fault],
    /// Whether the generator delivered the load.
    pub(super) generator: &'a Generator,
    /// Other reasons why the drill does not count: the target was unhealthy at the start, the history is incomplete.
    pub(super) doubts: Vec<String>,
    /// What must have happened and did not, a sentence each.
    pub(super) unmet: Vec<String>,
    /// Whether a signal ended the drill.
    pub(super) interrupted: bool,
}

impl Evidence<'_> {
    /// Whether the scenario requires this checker to have something to examine.
    pub(super) fn requires(&self, check: &Check) -> bool {
        self.plan.scenario.checks.get(&check.name) == Some(&Expectation::Valid)
    }

    /// Whether anything was judged: a gate that held, or a check that counts and had something to examine.
    pub(super) fn examined_anything(&self) -> bool {
        let held = self.gates.iter().any(|gate| gate.verdict == GateVerdict::Pass);
        held || self.checks.iter().any(|check| check.counts && check.examined > 0)
    }

    /// Whether the scenario limits what its faults may cost: by a gate on the time in which they are active, or by a
    /// required checker of something that an outage puts to the test.
    pub(super) fn limits_the_faults(&self) -> bool {
        let tested = |check: &&Check| self.requires(check) && check.examined > 0 && is_tested_by_outages(&check.name);
        self.plan.scenario.gates.iter().any(|gate| gate.of.covers_faults())
            || self.checks.iter().any(|check| tested(&check))
    }
}

/// Whether an outage can break what a checker judges, because it relies on the contents of Redis.
fn is_tested_by_outages(name: &str) -> bool {
    check::named(name).is_ok_and(|checker| {
        checker
            .facts()
            .relies_on
            .intersects(Property::WRITES | Property::DESTROYS | Property::CLAIMS | Property::EXPIRY)
    })
}

#[cfg(test)]
mod tests {
    use crate::scenario::{parse, shipped};

    #[test]
    fn every_shipped_scenario_with_a_fault_says_what_it_may_cost() {
        for shipped in shipped() {
            let scenario = parse(&shipped.source(), &[]).unwrap();
            let limited = scenario.fault.is_empty() || scenario.gates.iter().any(|gate| gate.of.covers_faults());
            assert!(limited, "{} has no gate on `during`, `all` or a fault", shipped.name);
        }
    }
}

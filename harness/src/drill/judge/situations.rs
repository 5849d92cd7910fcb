//! What the scenario says must have happened, counted; and what operations met in which state of the target.

use firedrill_reports::run;

use super::windows::Course;
use crate::gate::LimitSpec;
use crate::history::{History, OpKind};
use crate::measure::Load;
use crate::plan::Plan;
use crate::situation::{Situation, States, count};

/// Every situation of the plan, in its order.
pub(super) fn stated(plan: &Plan, history: &History, load: &Load<'_>) -> Vec<run::Situation> {
    let specs: Vec<&LimitSpec<Situation>> = plan.scenario.situations.iter().collect();
    let asked: Vec<Situation> = specs.iter().map(|spec| spec.of).collect();
    let found = count(&asked, history, load);
    let record = |(spec, found): (&&LimitSpec<Situation>, u64)| run::Situation {
        name: spec.key.clone(),
        wanted: spec.limit.to_string(),
        found,
        found_text: spec.of.counted(found),
        met: spec.limit.holds(found as f64),
    };
    specs.iter().zip(found).map(record).collect()
}

/// A sentence for each of `stated`, the situations of the plan, that did not happen often enough.
pub(super) fn doubts(plan: &Plan, stated: &[run::Situation]) -> Vec<String> {
    let pairs = plan.scenario.situations.iter().zip(stated).filter(|(_, stated)| !stated.met);
    let doubt = |(spec, stated): (&LimitSpec<Situation>, &run::Situation)| {
        let (found, wanted) = (&stated.found_text, spec.limit.in_words());
        format!("the situation did not occur: {found}, {wanted} wanted")
    };
    pairs.map(doubt).collect()
}

/// The operations of the mix in each state that there was.
pub(super) fn reached(plan: &Plan, history: &History, load: &Load<'_>, course: &Course) -> Vec<run::Reached> {
    let weights = || plan.scenario.load.iter().flat_map(|block| block.mix.weights());
    let is_in_mix = |kind: &OpKind| weights().any(|(of, weight)| of == *kind && weight > 0.0);
    let mix: Vec<OpKind> = OpKind::ALL.into_iter().filter(is_in_mix).collect();
    crate::situation::reached(load, &States::of(history, &course.phases, course.load_end), &mix)
}

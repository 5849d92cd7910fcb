//! The slices of a phase, by which two runs are compared. They go into `run.json` rather than being read from the history
//! when runs are compared: a baseline is kept for months, often as this one small file.

use firedrill_reports::run::Batch;

use super::ms;
use super::ops::LoadOp;
use super::stretch::Cut;
use crate::clock::Nanos;

/// The slices of the stretch at position `place` of `cut`, which has one window. An operation that was planned before it but
/// belongs to it counts in its first slice.
pub fn batches(cut: &Cut, place: usize, ops: impl Iterator<Item = LoadOp>) -> Vec<Batch> {
    let Some((layout, &(from, to))) = cut.layouts.get(place).and_then(|one| Some((one, one.windows.first()?))) else {
        return Vec::new();
    };
    let within: Vec<LoadOp> = ops.filter(|op| layout.takes(op, cut.onset)).collect();
    let slices = Batch::slices(within.len() as u64) as Nanos;
    let length = (to - from).max(1);
    let mut slots = vec![(Vec::new(), 0); slices as usize];
    for op in &within {
        let slot = ((i128::from(op.planned - from) * i128::from(slices)) / i128::from(length)).max(0) as usize;
        let last = slots.len().saturating_sub(1);
        if let Some((response, errors)) = slots.get_mut(slot.min(last)) {
            response.push(ms((op.ended - op.planned).max(0)));
            *errors += u64::from(!op.outcome.acknowledged());
        }
    }
    slots.into_iter().map(|(response, errors)| Batch::of(response, errors)).collect()
}

#[cfg(test)]
mod tests {
    use firedrill_reports::run::{Outcome, PhaseName};

    use super::super::stretch::{Layout, Scope};
    use super::super::tests::{MS, load_op};
    use super::*;

    #[test]
    fn every_operation_of_a_phase_is_in_one_slice_and_no_other_is() {
        let layout =
            Layout { scope: Scope::Phase(PhaseName::During), windows: vec![(100 * MS, 500 * MS)], block: None };
        let cut = Cut { layouts: vec![layout], onset: Some(100 * MS), intervals: vec![None] };
        let mut ops: Vec<LoadOp> = (0..600).map(|n| load_op(n * MS, Outcome::Ok)).collect();
        // In flight when the fault began: it counts for the fault.
        ops[99].ended = 350 * MS;
        ops[499].outcome = Outcome::Failed;
        let slices = batches(&cut, 0, ops.iter().copied());
        assert_eq!(slices.len(), 20);
        assert_eq!(slices.iter().map(|slice| slice.ops).sum::<u64>(), 401);
        assert_eq!((slices[0].ops, slices[1].ops, slices[19].errors), (21, 20, 1));
        assert_eq!(slices[0].response.map(|response| response.p99), Some(251.0));
    }

    #[test]
    fn a_phase_of_few_operations_has_no_slices() {
        let layout = Layout { scope: Scope::Phase(PhaseName::Before), windows: vec![(0, 0)], block: None };
        let cut = Cut { layouts: vec![layout], ..Cut::default() };
        assert!(batches(&cut, 0, std::iter::once(load_op(0, Outcome::Ok))).is_empty());
        assert!(batches(&cut, 7, std::iter::empty()).is_empty());
    }
}

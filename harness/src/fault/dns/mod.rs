//! Faults of the name under which the store finds its Redis.

pub(super) mod fails;
pub(super) mod moved;

use super::context::FaultContext;
use crate::names::Answer;

/// Answers the store's lookups like this for `fault`.
fn answer(context: &FaultContext, fault: u32, answer: Answer) {
    let mut answers = context.answers.lock();
    answers.want(fault, answer);
    context.names.set(Some(answer));
}

/// Ends that for `fault`: lookups are answered as another fault wants, or as the machine does. Does nothing if there was
/// none.
fn usual(context: &FaultContext, fault: u32) {
    let mut answers = context.answers.lock();
    if answers.is_wanted_by(fault) {
        context.names.set(answers.without(fault).copied());
        answers.leave(fault);
    }
}

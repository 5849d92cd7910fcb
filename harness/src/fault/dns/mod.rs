//! Faults of the name under which the store finds its Redis.

pub(super) mod fails;
pub(super) mod moved;

use super::context::FaultContext;
use crate::lab::LabError;
use crate::names::Answer;

/// Answers lookups like this for `fault`.
///
/// # Errors
/// Same as [`OwnHosts::lead`](crate::lab::OwnHosts::lead).
fn answer(context: &FaultContext, fault: u32, answer: Answer) -> Result<(), LabError> {
    let mut answers = context.answers.lock();
    answers.want(fault, answer);
    tell(context, Some(answer))
}

/// Ends that for `fault`: lookups are answered as another fault wants, or as usual. Does nothing if there was none.
///
/// # Errors
/// Same as [`answer`].
fn usual(context: &FaultContext, fault: u32) -> Result<(), LabError> {
    let mut answers = context.answers.lock();
    if answers.is_wanted_by(fault) {
        tell(context, answers.without(fault).copied())?;
        answers.leave(fault);
    }
    Ok(())
}

/// Tells the store in the harness, and the application if it has a hosts file of its own.
fn tell(context: &FaultContext, answer: Option<Answer>) -> Result<(), LabError> {
    context.names.set(answer);
    match (&context.hosts, answer) {
        (Some((hosts, _)), Some(Answer::Address(address))) => hosts.lead(address.ip()),
        (Some((hosts, usual)), None) => hosts.lead(*usual),
        _ => Ok(()),
    }
}

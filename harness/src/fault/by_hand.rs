//! Faults that a person starts and ends while the load runs, instead of the timeline.

use std::sync::Arc;

use tokio::sync::watch;

/// The switches of a drill's faults: whether each is wanted now. Clones are the same switches.
#[derive(Debug, Clone)]
pub struct ByHand(Arc<[watch::Sender<bool>]>);

/// There is no such fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the scenario has no fault {0}")]
pub struct NoSuchFault(pub u32);

impl ByHand {
    /// Switches for `faults` faults, all off.
    pub fn of(faults: usize) -> Self {
        Self((0..faults).map(|_| watch::Sender::new(false)).collect())
    }

    /// Asks for the fault at this position in the scenario to begin, or to end. Whether it is on, the drill's observer is
    /// told.
    ///
    /// # Errors
    /// [`NoSuchFault`].
    pub fn want(&self, fault: u32, on: bool) -> Result<(), NoSuchFault> {
        let switch = self.0.get(fault as usize).ok_or(NoSuchFault(fault))?;
        switch.send_if_modified(|wanted| std::mem::replace(wanted, on) != on);
        Ok(())
    }

    /// Whether somebody wants the fault to be on.
    pub fn is_wanted(&self, fault: u32) -> bool {
        self.0.get(fault as usize).is_some_and(|switch| *switch.borrow())
    }

    /// What is wanted of one fault; `None` if there is no such fault.
    pub(super) fn wishes(&self, fault: u32) -> Option<watch::Receiver<bool>> {
        self.0.get(fault as usize).map(watch::Sender::subscribe)
    }
}

/// Who decides when the faults begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cue {
    /// The scenario: by time, or by what the store reports.
    #[default]
    Scenario,
    /// A person, while the load runs.
    Hand,
    /// A person did in an earlier run, and the timeline has those times.
    Repeated,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_seen_by_its_fault_alone() {
        let by_hand = ByHand::of(2);
        let (first, second) = (by_hand.wishes(0).unwrap(), by_hand.wishes(1).unwrap());
        by_hand.clone().want(1, true).unwrap();
        by_hand.want(1, true).unwrap();
        assert!(!first.has_changed().unwrap() && second.has_changed().unwrap() && by_hand.is_wanted(1));
        assert_eq!(by_hand.want(2, true), Err(NoSuchFault(2)));
        assert!(by_hand.wishes(2).is_none() && !by_hand.is_wanted(2));
    }
}

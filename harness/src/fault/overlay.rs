//! Lets overlapping faults change the same value: the latest active fault decides it, and the original is restored when
//! the last of them is over.

use parking_lot::Mutex;

/// The original of a value, and what the active faults want it to be.
#[derive(Debug)]
pub(super) struct Overlay<V> {
    /// `None` while no fault changes it.
    original: Option<V>,
    /// The active faults (by position in the scenario), in the order of their requests.
    wanted: Vec<(u32, V)>,
}

impl<V> Default for Overlay<V> {
    fn default() -> Self {
        Self { original: None, wanted: Vec::new() }
    }
}

impl<V> Overlay<V> {
    /// An overlay on the current value, `original`.
    pub fn over(original: V) -> Self {
        Self { original: Some(original), wanted: Vec::new() }
    }

    /// Whether no fault changes it.
    pub fn is_free(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Whether `fault` changes it.
    pub fn is_wanted_by(&self, fault: u32) -> bool {
        self.wanted.iter().any(|(other, _)| *other == fault)
    }

    /// Whether only `fault` changes it.
    pub fn is_wanted_only_by(&self, fault: u32) -> bool {
        self.is_wanted_by(fault) && self.wanted.len() == 1
    }

    /// From now on, `fault` wants it to be `value`.
    pub fn want(&mut self, fault: u32, value: V) {
        self.leave(fault);
        self.wanted.push((fault, value));
    }

    /// Its value once `fault` is over; `None` if the original is unknown.
    pub fn without(&self, fault: u32) -> Option<&V> {
        let others = self.wanted.iter().rev().find(|(other, _)| *other != fault);
        others.map(|(_, value)| value).or(self.original.as_ref())
    }

    /// `fault` no longer changes it.
    pub fn leave(&mut self, fault: u32) {
        self.wanted.retain(|(other, _)| *other != fault);
    }
}

/// Tracks which faults hold something that is either changed or not.
#[derive(Debug, Default)]
pub(super) struct Hold(Mutex<Overlay<()>>);

impl Hold {
    /// `fault` now holds it. Returns whether another fault already did.
    pub fn take(&self, fault: u32) -> bool {
        let mut holders = self.0.lock();
        holders.want(fault, ());
        holders.without(fault).is_some()
    }

    /// Whether any fault holds it.
    pub fn is_taken(&self) -> bool {
        !self.0.lock().is_free()
    }

    /// `fault` no longer holds it. Returns whether no fault does.
    pub fn release(&self, fault: u32) -> bool {
        let mut holders = self.0.lock();
        holders.leave(fault);
        holders.is_free()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_latest_wants_and_in_the_end_what_it_was() {
        let mut overlay = Overlay::over("was");
        assert_eq!(overlay.without(0), Some(&"was"));
        overlay.want(0, "first");
        overlay.want(1, "second");
        assert_eq!((overlay.without(0), overlay.without(1)), (Some(&"second"), Some(&"first")));
        overlay.leave(1);
        overlay.leave(1);
        assert!(overlay.is_wanted_by(0) && !overlay.is_wanted_by(1) && !overlay.is_free());
        assert_eq!(overlay.without(0), Some(&"was"));
        overlay.leave(0);
        assert!(overlay.is_free());
    }

    #[test]
    fn a_fault_that_changes_its_mind_becomes_the_latest() {
        let mut overlay = Overlay::over("was");
        overlay.want(0, "first");
        overlay.want(1, "second");
        overlay.want(0, "third");
        assert_eq!(overlay.without(1), Some(&"third"));
        assert_eq!(overlay.without(0), Some(&"second"));
    }

    #[test]
    fn a_thing_is_free_when_the_last_holder_lets_go_however_often_it_says_so() {
        let hold = Hold::default();
        assert!(!hold.take(0));
        assert!(!hold.take(0));
        assert!(hold.is_taken());
        assert!(hold.take(1));
        assert!(!hold.release(0));
        assert!(!hold.release(0));
        assert!(hold.release(1));
        assert!(hold.release(1));
        assert!(!hold.is_taken());
    }
}

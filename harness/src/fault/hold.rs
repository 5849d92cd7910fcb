//! Who wants a thing to be down. Two faults may keep the same thing down at overlapping times: it comes back when the
//! last of them is over, not when the first is.

use hashbrown::HashSet;
use parking_lot::Mutex;

/// The faults (by position in the scenario) that hold one thing.
#[derive(Debug, Default)]
pub(super) struct Hold(Mutex<HashSet<u32>>);

impl Hold {
    /// `fault` holds it from now on. Whether another one did already.
    pub fn take(&self, fault: u32) -> bool {
        let mut holders = self.0.lock();
        holders.insert(fault);
        holders.len() > 1
    }

    /// Whether anybody holds it.
    pub fn is_taken(&self) -> bool {
        !self.0.lock().is_empty()
    }

    /// `fault` holds it no more. Whether nobody does.
    pub fn release(&self, fault: u32) -> bool {
        let mut holders = self.0.lock();
        holders.remove(&fault);
        holders.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_free_when_the_last_holder_lets_go_however_often_it_says_so() {
        let hold = Hold::default();
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

//! A map from session ids to values that can also be walked by position, which is what choosing a victim for eviction
//! needs: the least recently used of all values of a small map, of a random sample of a large one (as Redis itself
//! does; a read then only stamps its value and needs no list under a lock).

use hashbrown::HashMap;
use rand::RngExt;

use crate::store::SessionId;

/// Values looked at to find the least recently used one. Maps up to this size are looked at whole: there the choice is
/// exact.
const SAMPLE: usize = 64;

#[derive(Debug)]
pub(crate) struct Slab<V> {
    index: HashMap<SessionId, usize>,
    slots: Vec<(SessionId, V)>,
}

impl<V> Default for Slab<V> {
    fn default() -> Self {
        Self { index: HashMap::new(), slots: Vec::new() }
    }
}

impl<V> Slab<V> {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<&V> {
        self.index.get(id).map(|at| &self.slots[*at].1)
    }

    pub(crate) fn get_mut(&mut self, id: &SessionId) -> Option<&mut V> {
        self.index.get(id).map(|at| &mut self.slots[*at].1)
    }

    pub(crate) fn insert(&mut self, id: SessionId, value: V) -> Option<V> {
        if let Some(known) = self.get_mut(&id) {
            return Some(std::mem::replace(known, value));
        }
        self.index.insert(id.clone(), self.slots.len());
        self.slots.push((id, value));
        None
    }

    pub(crate) fn remove(&mut self, id: &SessionId) -> Option<V> {
        let at = self.index.remove(id)?;
        let (_, value) = self.slots.swap_remove(at);
        if let Some((moved, _)) = self.slots.get(at) {
            self.index.insert(moved.clone(), at);
        }
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&SessionId, &V)> {
        self.slots.iter().map(|(id, value)| (id, value))
    }

    /// Removes every value that `gone` says yes to and says how many these were.
    pub(crate) fn remove_where(&mut self, mut gone: impl FnMut(&V) -> bool) -> u64 {
        let ids: Vec<SessionId> =
            self.slots.iter().filter(|(_, value)| gone(value)).map(|(id, _)| id.clone()).collect();
        for id in &ids {
            self.remove(id);
        }
        ids.len() as u64
    }

    /// The id of the value used longest ago, by the stamp that `used` gives; values without a stamp may not go.
    pub(crate) fn least_recently_used(&self, used: impl Fn(&V) -> Option<u64>) -> Option<SessionId> {
        let stamped = |at: usize| used(&self.slots[at].1).map(|stamp| (stamp, at));
        let oldest = if self.slots.len() <= SAMPLE {
            (0..self.slots.len()).filter_map(stamped).min()
        } else {
            let mut rng = rand::rng();
            (0..SAMPLE).filter_map(|_| stamped(rng.random_range(0..self.slots.len()))).min()
        };
        oldest.map(|(_, at)| self.slots[at].0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> SessionId {
        SessionId::new(&format!("s{n}")).unwrap()
    }

    #[test]
    fn values_are_found_after_others_were_removed() {
        let mut slab = Slab::default();
        for n in 0..100 {
            slab.insert(id(n), n);
        }
        for n in (0..100).step_by(3) {
            assert_eq!(slab.remove(&id(n)), Some(n));
        }
        for n in 0..100 {
            assert_eq!(slab.get(&id(n)).copied(), (n % 3 != 0).then_some(n));
        }
        assert_eq!(slab.len(), 66);
    }

    #[test]
    fn the_least_recently_used_of_a_small_map_is_exact_and_leaves_out_what_may_not_go() {
        let mut slab = Slab::default();
        for (n, stamp) in [(1, Some(30)), (2, None), (3, Some(10)), (4, Some(20))] {
            slab.insert(id(n), stamp);
        }
        assert_eq!(slab.least_recently_used(|stamp| *stamp), Some(id(3)));
        slab.remove(&id(3));
        assert_eq!(slab.least_recently_used(|stamp| *stamp), Some(id(4)));
    }
}

//! A map from session ids to values that can also be accessed by position, which eviction needs to choose a victim: the
//! least recently used of all values in a small map, or of a random sample in a large one (as in Redis itself). A read
//! then only stamps its value and needs no list under a lock.

use std::hash::BuildHasher as _;

use foldhash::fast::SeedableRandomState;
use hashbrown::HashTable;
use rand::RngExt;

use crate::store::SessionId;

/// Number of values sampled to find the least recently used one. In maps up to this size all are checked, so the choice
/// is exact.
const SAMPLE: usize = 64;

#[derive(Debug)]
pub(crate) struct Slab<V> {
    hasher: SeedableRandomState,
    /// Positions of the slots, by their hashes.
    index: HashTable<usize>,
    slots: Vec<Slot<V>>,
}

/// Aligned to the processor's cache lines: a session of [`MemoryStore`](crate::MemoryStore) then fills one line, and
/// reading any part of it waits for memory once.
#[derive(Debug)]
#[repr(align(64))]
struct Slot<V> {
    hash: u64,
    id: SessionId,
    value: V,
}

impl<V> Slab<V> {
    /// An empty one. Callers that choose among several maps with a clone of `hasher` can reuse the hash
    /// ([`Slab::get_hashed`]).
    pub(crate) fn new(hasher: SeedableRandomState) -> Self {
        Self { hasher, index: HashTable::new(), slots: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<&V> {
        self.get_hashed(self.hasher.hash_one(id), id)
    }

    pub(crate) fn get_mut(&mut self, id: &SessionId) -> Option<&mut V> {
        self.get_mut_hashed(self.hasher.hash_one(id), id)
    }

    pub(crate) fn get_hashed(&self, hash: u64, id: &SessionId) -> Option<&V> {
        self.find(hash, id).map(|at| &self.slots[at].value)
    }

    pub(crate) fn get_mut_hashed(&mut self, hash: u64, id: &SessionId) -> Option<&mut V> {
        self.find(hash, id).map(|at| &mut self.slots[at].value)
    }

    fn find(&self, hash: u64, id: &SessionId) -> Option<usize> {
        let is_it = |at: &usize| self.slots[*at].hash == hash && self.slots[*at].id == *id;
        self.index.find(hash, is_it).copied()
    }

    pub(crate) fn insert(&mut self, id: SessionId, value: V) -> Option<V> {
        let hash = self.hasher.hash_one(&id);
        if let Some(known) = self.get_mut_hashed(hash, &id) {
            return Some(std::mem::replace(known, value));
        }
        let slots = &self.slots;
        self.index.insert_unique(hash, slots.len(), |at| slots[*at].hash);
        self.slots.push(Slot { hash, id, value });
        None
    }

    pub(crate) fn remove(&mut self, id: &SessionId) -> Option<V> {
        let hash = self.hasher.hash_one(id);
        let at = self.find(hash, id)?;
        self.index.find_entry(hash, |known| *known == at).ok()?.remove();
        let gone = self.slots.swap_remove(at);
        if let Some(moved) = self.slots.get(at) {
            let last = self.slots.len();
            if let Some(known) = self.index.find_mut(moved.hash, |known| *known == last) {
                *known = at;
            }
        }
        Some(gone.value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&SessionId, &V)> {
        self.slots.iter().map(|slot| (&slot.id, &slot.value))
    }

    pub(crate) fn for_each_mut(&mut self, mut change: impl FnMut(&mut V)) {
        self.slots.iter_mut().for_each(|slot| change(&mut slot.value));
    }

    /// Removes every value for which `gone` returns true, and returns their number.
    pub(crate) fn remove_where(&mut self, mut gone: impl FnMut(&V) -> bool) -> u64 {
        let ids: Vec<SessionId> =
            self.slots.iter().filter(|slot| gone(&slot.value)).map(|slot| slot.id.clone()).collect();
        for id in &ids {
            self.remove(id);
        }
        ids.len() as u64
    }

    /// The id of the value used longest ago, by the stamp from `used`; a value without a stamp must stay.
    pub(crate) fn least_recently_used(&self, used: impl Fn(&V) -> Option<u64>) -> Option<SessionId> {
        let stamped = |at: usize| used(&self.slots[at].value).map(|stamp| (stamp, at));
        let oldest = if self.slots.len() <= SAMPLE {
            (0..self.slots.len()).filter_map(stamped).min()
        } else {
            let mut rng = rand::rng();
            (0..SAMPLE).filter_map(|_| stamped(rng.random_range(0..self.slots.len()))).min()
        };
        oldest.map(|(_, at)| self.slots[at].id.clone())
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
        let mut slab = Slab::new(SeedableRandomState::random());
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
        let mut slab = Slab::new(SeedableRandomState::random());
        for (n, stamp) in [(1, Some(30)), (2, None), (3, Some(10)), (4, Some(20))] {
            slab.insert(id(n), stamp);
        }
        assert_eq!(slab.least_recently_used(|stamp| *stamp), Some(id(3)));
        slab.remove(&id(3));
        assert_eq!(slab.least_recently_used(|stamp| *stamp), Some(id(4)));
    }
}

//! Which link leads to the node of which slot.

use std::sync::Arc;

use super::layout::Range;
use super::slot::SLOTS;
use crate::redis_store::address::Address;
use crate::redis_store::link::Link;

const NOBODY: u16 = u16::MAX;

pub(super) struct Node {
    pub(super) address: Address,
    pub(super) link: Arc<Link>,
}

impl Node {
    /// The node that this one names in a redirection; a port alone means the same host.
    pub(super) fn beside(&self, named: &str) -> Address {
        let port = || named.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(self.address.port);
        Address::parse(named, None).unwrap_or_else(|| Address::new(self.address.host.as_str(), port()))
    }
}

/// A snapshot; every change creates a new one.
pub(super) struct Map {
    /// Index into `nodes` by slot.
    slots: Vec<u16>,
    pub(super) nodes: Vec<Arc<Node>>,
    /// Nodes that lead no slot yet, known because a slot is moving to them.
    guests: Vec<Arc<Node>>,
    /// Nodes that lead no slot, but can be asked for the layout.
    pub(super) replicas: Vec<Address>,
}

impl Map {
    pub(super) fn empty() -> Self {
        Self { slots: vec![NOBODY; SLOTS], nodes: Vec::new(), guests: Vec::new(), replicas: Vec::new() }
    }

    pub(super) fn owner(&self, slot: u16) -> Option<&Arc<Node>> {
        self.nodes.get(usize::from(*self.slots.get(usize::from(slot))?))
    }

    pub(super) fn node(&self, address: &Address) -> Option<&Arc<Node>> {
        self.nodes.iter().chain(&self.guests).find(|node| node.address == *address)
    }

    /// The same map with one more guest.
    pub(super) fn with_guest(&self, guest: &Arc<Node>) -> Self {
        let mut map = self.copy();
        map.guests.push(Arc::clone(guest));
        map
    }

    fn copy(&self) -> Self {
        Self {
            slots: self.slots.clone(),
            nodes: self.nodes.clone(),
            guests: self.guests.clone(),
            replicas: self.replicas.clone(),
        }
    }

    /// The map of a new layout. It keeps links to nodes that still lead slots; the others end with their last call.
    pub(super) fn of(ranges: &[Range], before: &Map, connect: impl Fn(&Address) -> Arc<Node>) -> Self {
        let mut map = Self::empty();
        // A node that leads no slot and cannot be reached is not kept.
        map.guests = before.guests.iter().filter(|guest| guest.link.is_up()).cloned().collect();
        for range in ranges {
            let index =
                map.enter(&range.primary, |address| before.node(address).cloned().unwrap_or_else(|| connect(address)));
            if let Some(slots) = map.slots.get_mut(usize::from(range.first)..=usize::from(range.last)) {
                slots.fill(index);
            }
            for replica in &range.replicas {
                if !map.replicas.contains(replica) {
                    map.replicas.push(replica.clone());
                }
            }
        }
        map.replicas.sort_unstable_by(|a, b| (&a.host, a.port).cmp(&(&b.host, b.port)));
        map
    }

    /// The same map with one slot moved.
    pub(super) fn moved(&self, slot: u16, to: &Address, connect: impl Fn(&Address) -> Arc<Node>) -> Self {
        let mut map = self.copy();
        let index = map.enter(to, |address| self.node(address).cloned().unwrap_or_else(|| connect(address)));
        if let Some(owner) = map.slots.get_mut(usize::from(slot)) {
            *owner = index;
        }
        map
    }

    fn enter(&mut self, address: &Address, connect: impl Fn(&Address) -> Arc<Node>) -> u16 {
        let at = self.nodes.iter().position(|node| node.address == *address).unwrap_or_else(|| {
            let node = connect(address);
            self.guests.retain(|guest| guest.address != *address);
            self.nodes.push(node);
            self.nodes.len() - 1
        });
        // There are at most as many nodes as slots.
        u16::try_from(at).unwrap_or(NOBODY)
    }

    /// Whether the same addresses lead the slots, and the replicas are the same.
    pub(super) fn same_as(&self, other: &Map) -> bool {
        let leader =
            |map: &Map, slot: usize| map.nodes.get(usize::from(map.slots[slot])).map(|node| node.address.clone());
        self.nodes.len() == other.nodes.len()
            && self.replicas == other.replicas
            && (0..SLOTS).all(|slot| leader(self, slot) == leader(other, slot))
    }
}

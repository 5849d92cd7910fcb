//! Faults of a cluster: what happens among its nodes while clients use them.

pub(super) mod migrate_slots;

//! Cluster faults: what happens among its nodes while clients use them.

pub(super) mod migrate_slots;

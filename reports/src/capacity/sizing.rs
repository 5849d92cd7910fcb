//! Head-room and nodes.

use serde::{Deserialize, Serialize};

/// How long a capacity lasts at today's rate and its growth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadRoom {
    /// Today's rate, operations per second.
    pub now: f64,
    /// The share by which it grows each month.
    pub growth: f64,
    /// Until what: the survivable rate, the highest rate.
    pub until: Vec<Until>,
}

/// When a rate is reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Until {
    /// Which rate.
    pub what: String,
    /// That rate, operations per second.
    pub rate: f64,
    /// Whether it is a lower bound.
    pub at_least: bool,
    /// In how many months: estimate, and what the bounds of the rate's interval give. 0 if it is exceeded today; absent if the
    /// rate does not grow.
    pub months: Option<[f64; 3]>,
}

/// How many nodes of which type a demand takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sizing {
    /// Operations per second that all nodes together carry.
    pub rate: f64,
    /// Sessions alive at once, if given.
    pub sessions: Option<f64>,
    /// The rate that one Redis was seen to carry, if it was searched for.
    pub measured_rate: Option<f64>,
    /// Bytes per session, if they were measured.
    pub session_bytes: Option<f64>,
    /// The share of its limits that a node is to be used to.
    pub utilisation: f64,
    /// Nodes that may fail.
    pub spare: u32,
    /// One for each type, the cheapest first.
    pub types: Vec<NodeAnswer>,
}

/// What a demand takes of one type of node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeAnswer {
    /// The type.
    pub name: String,
    /// Its processors.
    pub vcpu: u32,
    /// Its memory, bytes.
    pub memory: u64,
    /// The `maxmemory` recommended for it, bytes; absent if memory was not measured.
    pub maxmemory: Option<f64>,
    /// Nodes that the sessions take: scaled by memory, which is sound.
    pub by_memory: Option<u32>,
    /// Nodes that the rate takes: one Redis on any processor is assumed to carry what it carried here.
    pub by_cpu: Option<u32>,
    /// All nodes, with the spare ones.
    pub nodes: Option<u32>,
    /// The share of its memory that a node uses while all run.
    pub memory_used: Option<f64>,
    /// The share of its rate that a node uses while all run.
    pub cpu_used: Option<f64>,
    /// The price of all nodes per month.
    pub price: Option<f64>,
}

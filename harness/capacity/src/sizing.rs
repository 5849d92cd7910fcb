//! How many nodes of a type a demand takes.

/// What the nodes must carry together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Operations per second; `None` if no rate is known to size by.
    pub rate: Option<f64>,
    /// Sessions alive at once; `None` if their size is not known.
    pub sessions: Option<f64>,
    /// The share of its limits that a node is to be used to, above 0 and at most 1.
    pub utilisation: f64,
    /// Nodes that may fail.
    pub spare: u32,
}

/// What one node carries at its limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeLimits {
    /// Operations per second.
    pub rate: Option<f64>,
    /// Sessions.
    pub sessions: Option<f64>,
}

/// What a demand takes of one type of node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sized {
    /// Nodes that the sessions take; `None` if nothing is known of them.
    pub by_memory: Option<u32>,
    /// Nodes that the rate takes; `None` if nothing is known of it.
    pub by_rate: Option<u32>,
    /// All nodes, with the spare ones.
    pub nodes: u32,
    /// The share of its memory that a node uses while all run.
    pub memory_used: Option<f64>,
    /// The share of its rate that a node uses while all run.
    pub rate_used: Option<f64>,
}

/// The nodes that `demand` takes; `None` if nothing is demanded, or if a node carries nothing.
pub fn size(demand: Demand, node: NodeLimits) -> Option<Sized> {
    let count = |wanted: Option<f64>, carries: Option<f64>| -> Option<Option<u32>> {
        let Some((wanted, carries)) = wanted.zip(carries) else { return Some(None) };
        let nodes = (wanted / (carries * demand.utilisation)).ceil();
        (nodes.is_finite() && nodes <= f64::from(u32::MAX / 2)).then(|| Some((nodes as u32).max(1)))
    };
    let by_memory = count(demand.sessions, node.sessions)?;
    let by_rate = count(demand.rate, node.rate)?;
    let nodes = by_memory.max(by_rate)?.saturating_add(demand.spare);
    let used = |wanted: Option<f64>, carries: Option<f64>| Some(wanted? / carries? / f64::from(nodes));
    Some(Sized {
        by_memory,
        by_rate,
        nodes,
        memory_used: used(demand.sessions, node.sessions),
        rate_used: used(demand.rate, node.rate),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMAND: Demand = Demand { rate: Some(30_000.0), sessions: Some(100_000.0), utilisation: 0.6, spare: 1 };

    #[test]
    fn the_scarcer_of_memory_and_rate_decides_and_a_node_may_fail() {
        let node = NodeLimits { rate: Some(20_000.0), sessions: Some(35_000.0) };
        let sized = size(DEMAND, node).unwrap();
        assert_eq!((sized.by_memory, sized.by_rate, sized.nodes), (Some(5), Some(3), 6));
        assert!((sized.memory_used.unwrap() - 100.0 / 210.0).abs() < 1e-9, "{sized:?}");
        assert_eq!(sized.rate_used, Some(0.25));
    }

    #[test]
    fn what_is_not_known_sizes_nothing() {
        let sized = size(DEMAND, NodeLimits { rate: Some(20_000.0), sessions: None }).unwrap();
        assert_eq!((sized.by_memory, sized.by_rate, sized.memory_used), (None, Some(3), None));
        assert_eq!(size(DEMAND, NodeLimits { rate: None, sessions: None }), None);
        assert_eq!(size(DEMAND, NodeLimits { rate: None, sessions: Some(0.0) }), None, "too small for a session");
    }

    #[test]
    fn a_small_demand_takes_one_node_and_the_spare() {
        let little = Demand { rate: Some(1.0), sessions: Some(1.0), ..DEMAND };
        assert_eq!(size(little, NodeLimits { rate: Some(9.0), sessions: Some(9.0) }).unwrap().nodes, 2);
    }
}

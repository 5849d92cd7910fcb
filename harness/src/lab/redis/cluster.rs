//! A cluster: three primaries that share the slots, each with a replica that takes over if its primary is lost.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::Deployment;

use super::external::{Existing, ExternalRedis};
use super::managed::{ManagedConfig, ManagedRedis, ServerRole};
use super::replica::{AT_ONCE, is_linked};
use super::topology_kind::{Reached, TopologyKind, together};
use crate::lab::access::Access;
use crate::lab::error::{LabError, RedisFailure, ServerError};
use crate::lab::server::{Server, Servers, position_of};

/// The description of this topology.
pub const KIND: TopologyKind = TopologyKind {
    name: "cluster",
    about: "A cluster of three primaries, each with a replica.",
    servers: "three primaries, three replicas (`cluster-node-timeout 1000`); Redis 7 or newer",
    processes: 6,
    proxied: 2 * PRIMARIES,
    reached: Reached::ByAnnouncement,
    fails_over: true,
    start: |config| Box::pin(start(config)),
    find: Some(|existing| Box::pin(find(existing))),
};

const PRIMARIES: usize = 3;
const SLOTS: usize = 16_384;

/// How long a node must be silent before the others consider it lost. Redis's default is 15 s; a drill should be short.
const NODE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a node may take to report its view.
const PATIENCE: Duration = Duration::from_millis(500);

/// The nodes: the primaries first, then the replica of each.
struct Cluster {
    nodes: Vec<Arc<dyn Server>>,
    access: Access,
}

/// Starts the nodes, and returns once they all know each other and every replica has its primary's data. Redis before 7
/// does not know the setting `cluster-port`.
async fn start(config: &ManagedConfig) -> Result<Box<dyn Servers>, LabError> {
    let directives = format!(
        "{}{AT_ONCE}cluster-enabled yes\ncluster-node-timeout {}\ncluster-require-full-coverage no\n",
        config.directives,
        NODE_TIMEOUT.as_millis()
    );
    let config = ManagedConfig { role: ServerRole::Node, directives, ..config.clone() };
    let mut nodes = Vec::new();
    for _ in 0..PRIMARIES * 2 {
        nodes.push(ManagedRedis::start(&config).await?);
    }
    introduce(&nodes).await?;
    for (replica, primary) in nodes[PRIMARIES..].iter().zip(&nodes) {
        replicate(replica, primary, config.start_deadline).await?;
    }
    together("the cluster did not become whole", config.start_deadline, || lacks(&nodes)).await?;
    let access = Access {
        url: nodes[1].url().clone(),
        deployment: Deployment::Cluster { nodes: nodes.iter().map(|node| node.announced().to_string()).collect() },
    };
    let nodes = nodes.into_iter().map(|node| Arc::new(node) as Arc<dyn Server>).collect();
    Ok(Box::new(Cluster { nodes, access }))
}

/// Finds all nodes by asking the one that the URL names.
async fn find(existing: &Existing) -> Result<Box<dyn Servers>, LabError> {
    let Existing { url, deadline, .. } = existing;
    let first = ExternalRedis::connect(url.clone(), *deadline, KIND.name).await?;
    let slots: redis::Value = first.admin().query(redis::cmd("CLUSTER").arg("SLOTS")).await?;
    let (primaries, replicas) = members(slots, url.host());
    let mut nodes = Vec::new();
    for (host, port) in primaries.iter().chain(&replicas) {
        nodes.push(existing.server(host, *port).await?);
    }
    let Some(first) = nodes.first() else {
        let seen = format!("{} says that no slot is served", url.address());
        let what = "the cluster is not whole";
        return Err(LabError::Server(ServerError::NotTogether { what, deadline: *deadline, seen }));
    };
    for primary in &nodes[..primaries.len()] {
        primary.admin().ping().await?;
    }
    let access = Access {
        url: first.url().clone(),
        deployment: Deployment::Cluster { nodes: nodes.iter().map(|node| node.url().address()).collect() },
    };
    let nodes = nodes.into_iter().map(|node| Arc::new(node) as Arc<dyn Server>).collect();
    Ok(Box::new(Cluster { nodes, access }))
}

#[async_trait::async_trait]
impl Servers for Cluster {
    fn access(&self) -> Access {
        self.access.clone()
    }

    fn all(&self) -> &[Arc<dyn Server>] {
        &self.nodes
    }

    async fn leading(&self) -> Result<Vec<usize>, LabError> {
        let leaders = leaders(&self.nodes).await?;
        Ok(leaders.iter().filter_map(|place| position_of(&self.nodes, place)).collect())
    }
}

/// Assigns the slots to the primaries and introduces every node to the first.
async fn introduce(nodes: &[ManagedRedis]) -> Result<(), LabError> {
    let first = &nodes[0];
    for (at, node) in nodes.iter().enumerate() {
        let ask = async |words: &[&str]| node.admin().query::<()>(redis::cmd("CLUSTER").arg(words)).await;
        ask(&["SET-CONFIG-EPOCH", &(at + 1).to_string()]).await?;
        if at < PRIMARIES {
            let (from, to) = (at * SLOTS / PRIMARIES, (at + 1) * SLOTS / PRIMARIES - 1);
            ask(&["ADDSLOTSRANGE", &from.to_string(), &to.to_string()]).await?;
        }
        let (port, bus) = (first.announced().port(), first.second_port().unwrap_or_default());
        ask(&["MEET", "127.0.0.1", &port.to_string(), &bus.to_string()]).await?;
    }
    Ok(())
}

/// Makes one node the replica of another once it knows that node.
async fn replicate(replica: &ManagedRedis, primary: &ManagedRedis, deadline: Duration) -> Result<(), LabError> {
    let name: String = primary.admin().query(redis::cmd("CLUSTER").arg("MYID")).await?;
    let command = redis::cmd("CLUSTER").arg("REPLICATE").arg(name).clone();
    let refused = || async { replica.admin().query::<()>(&command).await.err().map(|error| error.to_string()) };
    together("a replica did not meet its primary", deadline, refused).await
}

/// What the cluster still lacks to be complete.
async fn lacks(nodes: &[ManagedRedis]) -> Option<String> {
    for (at, node) in nodes.iter().enumerate() {
        let info = match node.admin().query::<String>(redis::cmd("CLUSTER").arg("INFO")).await {
            Ok(info) => info,
            Err(error) => return Some(error.to_string()),
        };
        for wanted in ["cluster_state:ok", &format!("cluster_known_nodes:{}\r", nodes.len()), "cluster_slots_ok:16384"]
        {
            if !info.contains(wanted) {
                return Some(format!("{} lacks {}", node.address(), wanted.trim_end()));
            }
        }
        if at >= PRIMARIES
            && let Some(seen) = is_linked(node).await
        {
            return Some(seen);
        }
    }
    None
}

/// Hosts and ports.
type Places = Vec<(String, u16)>;

/// The addresses of the primaries, according to the node with the latest epoch.
async fn leaders(nodes: &[Arc<dyn Server>]) -> Result<Places, LabError> {
    let mut latest: Option<(u64, Places)> = None;
    let mut seen = String::new();
    for node in nodes {
        // A stopped node must not hold up the query of the others.
        let answered = tokio::time::timeout(PATIENCE, view(&**node)).await;
        let silent = || LabError::Redis(RedisFailure::NoAnswer { address: node.url().address(), deadline: PATIENCE });
        match answered.unwrap_or_else(|_| Err(silent())) {
            Ok(view) if latest.as_ref().is_none_or(|(epoch, _)| view.0 > *epoch) => latest = Some(view),
            Ok(_) => {}
            Err(error) => seen = error.to_string(),
        }
    }
    let nobody =
        LabError::Server(ServerError::NotTogether { what: "no node knew the cluster", deadline: PATIENCE, seen });
    latest.map(|(_, primaries)| primaries).ok_or(nobody)
}

/// A node's epoch, and the primaries' addresses in slot order.
async fn view(node: &dyn Server) -> Result<(u64, Places), LabError> {
    let info: String = node.admin().query(redis::cmd("CLUSTER").arg("INFO")).await?;
    let epoch = info.lines().find_map(|line| line.strip_prefix("cluster_current_epoch:")?.trim().parse().ok());
    let slots: redis::Value = node.admin().query(redis::cmd("CLUSTER").arg("SLOTS")).await?;
    Ok((epoch.unwrap_or(0), members(slots, node.url().host()).0))
}

/// The primaries and the replicas in the answer of the node at `asked` to CLUSTER SLOTS, in slot order and without
/// duplicates.
fn members(slots: redis::Value, asked: &str) -> (Places, Places) {
    let (mut primaries, mut replicas) = (Vec::new(), Vec::new());
    let redis::Value::Array(stretches) = slots else { return (primaries, replicas) };
    for stretch in stretches {
        // Its first slot, its last slot, its primary, its replicas.
        let redis::Value::Array(parts) = stretch else { continue };
        for (at, node) in parts.iter().skip(2).enumerate() {
            let known = if at == 0 { &mut primaries } else { &mut replicas };
            match place(node, asked) {
                Some(place) if !known.contains(&place) => known.push(place),
                _ => {}
            }
        }
    }
    (primaries, replicas)
}

/// The address of a node in CLUSTER SLOTS. A node that does not know its own host leaves it out.
fn place(node: &redis::Value, asked: &str) -> Option<(String, u16)> {
    let redis::Value::Array(fields) = node else { return None };
    let host = match fields.first()? {
        redis::Value::Nil => String::new(),
        host => redis::from_redis_value_ref(host).ok()?,
    };
    let host = if host.is_empty() { asked.to_owned() } else { host };
    match fields.get(1)? {
        redis::Value::Int(port) => Some((host, u16::try_from(*port).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use redis::Value::{Array, BulkString, Int, Nil};

    use super::*;

    #[test]
    fn the_nodes_of_a_cluster_are_named_once_each_the_primaries_apart() {
        let node = |host: Option<&str>, port| {
            let host = host.map_or(Nil, |host| BulkString(host.as_bytes().to_vec()));
            Array(vec![host, Int(port), BulkString(b"id".to_vec())])
        };
        let stretch = |from, to, nodes: Vec<redis::Value>| Array([vec![Int(from), Int(to)], nodes].concat());
        let slots = Array(vec![
            stretch(0, 99, vec![node(Some("10.0.0.1"), 1), node(Some("10.0.0.4"), 4)]),
            stretch(100, 199, vec![node(None, 2), node(Some("10.0.0.5"), 5)]),
            stretch(200, 16_383, vec![node(Some("10.0.0.1"), 1), node(Some("10.0.0.4"), 4)]),
        ]);
        let at = |host: &str, port| (host.to_owned(), port);
        let (primaries, replicas) = members(slots, "asked");
        assert_eq!(primaries, [at("10.0.0.1", 1), at("asked", 2)]);
        assert_eq!(replicas, [at("10.0.0.4", 4), at("10.0.0.5", 5)]);
        assert_eq!(members(Nil, "asked"), (vec![], vec![]));
    }
}

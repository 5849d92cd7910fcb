//! Which node of a cluster has a key, as the nodes themselves say.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::dialler::{Dialler, Node, layout_by};

/// The slots of a cluster.
const SLOTS: usize = 16_384;

/// No node is known to have the slot.
const NOBODY: u16 = u16::MAX;

/// The layout is asked for at most this often: while a node is away, every lane wants to know who took over.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// The layout of a cluster, which all lanes share and correct.
pub(super) struct Cluster {
    owners: Box<[AtomicU16]>,
    /// Every node that was ever heard of: a number keeps its node.
    nodes: RwLock<Vec<Arc<Node>>>,
    stale: AtomicBool,
    asked: Mutex<Option<Instant>>,
}

impl Cluster {
    /// A cluster of which only these nodes are known.
    pub(super) fn found_by(nodes: impl IntoIterator<Item = Node>) -> Self {
        Self {
            owners: (0..SLOTS).map(|_| AtomicU16::new(NOBODY)).collect(),
            nodes: RwLock::new(nodes.into_iter().map(Arc::new).collect()),
            stale: AtomicBool::new(true),
            asked: Mutex::new(None),
        }
    }

    /// The number and the name of the node that has `slot`; `None` if none is known to.
    pub(super) async fn owner(&self, slot: u16, dialler: &Dialler) -> Option<(usize, Arc<Node>)> {
        if self.stale.load(Relaxed) {
            self.ask(dialler).await;
        }
        let number = self.owners.get(usize::from(slot))?.load(Relaxed);
        let node = self.nodes.read().get(usize::from(number))?.clone();
        Some((usize::from(number), node))
    }

    /// Every node that is known to have slots.
    pub(super) async fn primaries(&self, dialler: &Dialler) -> Vec<(usize, Arc<Node>)> {
        if self.stale.load(Relaxed) {
            self.ask(dialler).await;
        }
        let owners: BTreeSet<u16> = self.owners.iter().map(|owner| owner.load(Relaxed)).collect();
        let nodes = self.nodes.read();
        owners.into_iter().filter_map(|number| Some((number.into(), nodes.get(usize::from(number))?.clone()))).collect()
    }

    /// A node said that `slot` is at another one.
    pub(super) fn moved(&self, slot: u16, to: Node) {
        let number = self.number_of(to);
        if let Some(owner) = self.owners.get(usize::from(slot)) {
            owner.store(number, Relaxed);
        }
        self.stale.store(true, Relaxed);
    }

    /// A node does not answer: another one may have taken over.
    pub(super) fn doubt(&self) {
        self.stale.store(true, Relaxed);
    }

    async fn ask(&self, dialler: &Dialler) {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < ASK_EVERY) {
            return;
        }
        let nodes = self.nodes.read().clone();
        if let Some((asked_node, text)) = layout_by(dialler, &nodes).await {
            self.learn(&asked_node, &text);
            self.stale.store(false, Relaxed);
        }
        *asked = Some(Instant::now());
    }

    /// Takes in what `CLUSTER NODES` said at `asked`.
    fn learn(&self, asked: &Node, text: &str) {
        for (node, ranges) in primaries(asked, text) {
            let number = self.number_of(node);
            for slot in ranges.into_iter().flat_map(|(first, last)| first..=last) {
                if let Some(owner) = self.owners.get(usize::from(slot)) {
                    owner.store(number, Relaxed);
                }
            }
        }
    }

    fn number_of(&self, node: Node) -> u16 {
        let mut nodes = self.nodes.write();
        let place = nodes.iter().position(|known| **known == node).unwrap_or_else(|| {
            nodes.push(Arc::new(node));
            nodes.len() - 1
        });
        u16::try_from(place).unwrap_or(NOBODY)
    }
}

/// The primaries in an answer to `CLUSTER NODES`, with the first and last slot of each of their ranges. The lines are
/// `id ip:port@cport[,hostname] flags master ping pong epoch link slot...`; a slot that is on its way has brackets
/// (<https://redis.io/docs/latest/commands/cluster-nodes/>).
fn primaries(asked: &Node, text: &str) -> Vec<(Node, Vec<(u16, u16)>)> {
    let primary = |line: &str| {
        let mut fields = line.split(' ');
        let (address, flags) = (fields.nth(1)?, fields.next()?);
        if !flags.split(',').any(|flag| flag == "master") {
            return None;
        }
        let address = address.split(['@', ',']).next()?;
        let node = match address.strip_prefix(':') {
            // A node that was never told its own address does not know it.
            Some(port) => Node { host: asked.host.clone(), port: port.parse().ok()? },
            None => Node::parse(address, 0)?,
        };
        let range = |field: &str| {
            let (first, last) = field.split_once('-').unwrap_or((field, field));
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        Some((node, fields.skip(5).filter_map(range).collect()))
    };
    text.lines().filter_map(primary).collect()
}

/// Where a node sends an operation instead of carrying it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Redirect {
    /// The slot is there from now on.
    Moved(u16, Node),
    /// Only this operation belongs there: the slot is on its way.
    Ask(Node),
}

impl Redirect {
    /// From an error such as `MOVED 3999 127.0.0.1:6381`.
    pub(super) fn read(error: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(error).ok()?;
        let mut words = text.split(' ');
        let (word, slot, address) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        let node = Node::parse(address, 0)?;
        match word {
            "MOVED" => Some(Self::Moved(slot, node)),
            "ASK" => Some(Self::Ask(node)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: u16) -> Node {
        Node { host: host.to_owned(), port }
    }

    #[test]
    fn a_layout_names_the_primaries_with_their_slots() {
        // From Redis 7.0.15, shortened.
        let text = "67ed :7000@17000 myself,master - 0 0 1 connected 0-5460 [5461->-e7d1]\n\
                    e7d1 127.0.0.1:7001@17001,one.example master - 0 1 2 connected 5461 5463-10922\n\
                    1a2b 127.0.0.1:7002@17002 master,fail - 0 1 3 disconnected\n\
                    07c3 ::1:7003@17003 slave e7d1 0 1 2 connected\n";
        let found = primaries(&node("10.0.0.1", 7000), text);
        assert_eq!(
            found,
            [
                (node("10.0.0.1", 7000), vec![(0, 5460)]),
                (node("127.0.0.1", 7001), vec![(5461, 5461), (5463, 10922)]),
                (node("127.0.0.1", 7002), vec![]),
            ]
        );
    }

    #[test]
    fn a_redirection_is_read_and_other_errors_are_none() {
        assert_eq!(Redirect::read(b"MOVED 3999 127.0.0.1:6381"), Some(Redirect::Moved(3999, node("127.0.0.1", 6381))));
        assert_eq!(Redirect::read(b"ASK 7 [::1]:6381"), Some(Redirect::Ask(node("::1", 6381))));
        for other in [&b"CLUSTERDOWN The cluster is down"[..], b"MOVED x y", b"MOVED 3999", b"\xff"] {
            assert_eq!(Redirect::read(other), None);
        }
    }

    #[test]
    fn a_slot_that_moved_is_elsewhere_and_the_numbers_of_the_nodes_stay() {
        let cluster = Cluster::found_by([node("a", 1), node("b", 2)]);
        cluster.learn(&node("a", 1), "x b:2@3 master - 0 0 1 connected 0-16383\n");
        let owner = |slot: usize| cluster.owners[slot].load(Relaxed);
        assert_eq!((owner(0), owner(16_383)), (1, 1));
        cluster.moved(7, node("c", 3));
        assert_eq!((owner(7), owner(8)), (2, 1));
        cluster.moved(8, node("a", 1));
        assert_eq!(owner(8), 0);
    }
}

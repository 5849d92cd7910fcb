//! Moves cluster slots from one primary to another while clients use them, key by key, the way Redis's own tools do:
//! the two servers are prepared (IMPORTING, MIGRATING), the keys move (GETKEYSINSLOT, MIGRATE), and every primary
//! learns the new owner (NODE). During the move, clients are redirected: ASK for moved keys, TRYAGAIN for commands with
//! keys on both sides, and MOVED once the slot has its new owner.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use redis::Cmd;
use tokio::time::Instant;

use super::topology_kind::POLL;
use crate::lab::admin::Admin;
use crate::lab::error::{LabError, RedisFailure, ServerError};
use crate::lab::keyspace::{self, KeyPrefix};
use crate::lab::server::{Servers, position_of};

/// Keys requested per call.
const BATCH: usize = 200;

/// MIGRATE's timeout for one key, milliseconds.
const MIGRATE_MS: u64 = 5_000;

/// How long to retry completing half-moved slots: a killed server may have to come back first.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a node may take to answer before it counts as silent.
const SILENCE: Duration = Duration::from_millis(500);

/// The slots of one cluster.
#[derive(Clone, Copy)]
pub struct Slots<'l> {
    nodes: &'l dyn Servers,
}

/// The positions of the source and the destination node of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    from: usize,
    to: usize,
}

/// How often servers have redirected clients since their start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Redirections {
    /// ASK: for this command only, because the key has already moved.
    pub ask: u64,
    /// MOVED: permanently.
    pub moved: u64,
    /// TRYAGAIN: the keys are on both sides.
    pub try_again: u64,
}

impl Redirections {
    /// The increase since `then`; a restarted server counts from zero.
    #[must_use]
    pub fn since(self, then: Self) -> Self {
        Self {
            ask: self.ask.saturating_sub(then.ask),
            moved: self.moved.saturating_sub(then.moved),
            try_again: self.try_again.saturating_sub(then.try_again),
        }
    }

    /// The redirections of all kinds.
    pub fn total(self) -> u64 {
        self.ask + self.moved + self.try_again
    }
}

/// A node's own report.
struct Own {
    id: String,
    leads: bool,
    /// The epoch of its latest known change to its own slots.
    epoch: u64,
    /// Slots being moved, and the id of the other side.
    open: Vec<(u16, Side)>,
    /// The id and the address of every node it knows, itself included.
    everybody: Vec<(String, (String, u16))>,
}

enum Side {
    /// The slot is moving to this node.
    To(String),
    /// The slot is coming from this node.
    From(String),
}

impl<'l> Slots<'l> {
    /// The slots that the `nodes` of a cluster share.
    pub fn of(nodes: &'l dyn Servers) -> Self {
        Self { nodes }
    }

    /// The way from the primary with the first slots to the one with the next.
    ///
    /// # Errors
    /// [`ServerError::NotTogether`] if fewer than two primaries are known.
    pub async fn way(self) -> Result<Way, LabError> {
        match self.nodes.leading().await?.as_slice() {
            [from, to, ..] => Ok(Way { from: *from, to: *to }),
            _ => Err(LabError::Server(ServerError::NotTogether {
                what: "there are no two primaries to move slots between",
                deadline: Duration::ZERO,
                seen: "fewer lead slots".to_owned(),
            })),
        }
    }

    /// The same `way`, updated if a replica has taken over from one of its ends.
    ///
    /// # Errors
    /// Same as [`Servers::leading`].
    pub async fn again(self, way: Way) -> Result<Way, LabError> {
        let leading = self.nodes.leading().await?;
        let leader = |node: usize| match leading.contains(&node) {
            true => node,
            false => leading.iter().copied().find(|leader| *leader == self.twin(node)).unwrap_or(node),
        };
        Ok(Way { from: leader(way.from), to: leader(way.to) })
    }

    /// The slots at the start of `way` that hold sessions under `prefix`, in slot order.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn used(self, way: Way, prefix: &KeyPrefix) -> Result<Vec<u16>, LabError> {
        let admin = self.admin(way.from);
        let slots: BTreeSet<u16> =
            keyspace::slots_of(admin, &keyspace::sessions(admin, prefix).await?).await?.into_iter().collect();
        Ok(slots.into_iter().collect())
    }

    /// Starts to move `slot` along `way`. Doing so twice does no harm.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn open(self, slot: u16, way: Way) -> Result<(), LabError> {
        let (from, to) = (self.own(way.from).await?, self.own(way.to).await?);
        // This order keeps clients from being redirected to a node that does not expect the slot.
        self.admin(way.to).query::<()>(&set(slot, "IMPORTING", &from.id)).await?;
        self.admin(way.from).query::<()>(&set(slot, "MIGRATING", &to.id)).await
    }

    /// Moves the keys of an open `slot` one by one; returns how many there were.
    ///
    /// # Errors
    /// Same as [`Admin::query`]; keys moved before the error stay moved.
    pub async fn move_keys(self, slot: u16, way: Way) -> Result<u64, LabError> {
        let (from, to) = (self.admin(way.from), self.nodes.all()[way.to].url());
        let mut moved = 0;
        loop {
            let mut ask = redis::cmd("CLUSTER");
            ask.arg("GETKEYSINSLOT").arg(slot).arg(BATCH);
            let keys: Vec<Vec<u8>> = from.query(&ask).await?;
            if keys.is_empty() {
                return Ok(moved);
            }
            for key in keys {
                let mut migrate = redis::cmd("MIGRATE");
                // Clients use a key here as long as it is here, so a copy left by an earlier attempt is older.
                migrate.arg(to.host()).arg(to.port()).arg(key).arg(0).arg(MIGRATE_MS).arg("REPLACE");
                let said: String = from.query(&migrate).await?;
                // NOKEY: the key has been deleted or has expired.
                moved += u64::from(said == "OK");
            }
        }
    }

    /// Gives `slot` to the end of its `way` permanently, and tells every primary.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn close(self, slot: u16, way: Way) -> Result<(), LabError> {
        let command = set(slot, "NODE", &self.own(way.to).await?.id);
        // In this order, some node owns the slot at every moment.
        self.admin(way.to).query::<()>(&command).await?;
        self.admin(way.from).query::<()>(&command).await?;
        for node in (0..self.nodes.all().len()).filter(|node| *node != way.to && *node != way.from) {
            // Nodes that miss it, and replicas, which refuse it, learn it from the others.
            let answer = tokio::time::timeout(SILENCE, self.admin(node).query::<()>(&command)).await;
            tracing::trace!(node, slot, ?answer, "announced a slot's new owner");
        }
        Ok(())
    }

    /// Completes every half-moved slot, even if one of the two sides was lost and another has taken over. Returns how
    /// many there were.
    ///
    /// # Errors
    /// [`ServerError::NotTogether`] if a slot is still half moved after 20 s.
    pub async fn settle(self) -> Result<u64, LabError> {
        let (mut completed, until) = (0, Instant::now() + PATIENCE);
        loop {
            let seen = match self.settle_once().await {
                Ok(0) => return Ok(completed),
                Ok(some) => {
                    completed += some;
                    format!("{some} were")
                }
                Err(error) => error.to_string(),
            };
            if Instant::now() >= until {
                return Err(LabError::Server(ServerError::NotTogether {
                    what: "slots stay half moved",
                    deadline: PATIENCE,
                    seen,
                }));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Completes the slots that the primaries report as open now.
    async fn settle_once(self) -> Result<u64, LabError> {
        let mut alive: BTreeMap<usize, Own> = BTreeMap::new();
        for node in 0..self.nodes.all().len() {
            if let Ok(Ok(own)) = tokio::time::timeout(SILENCE, self.own(node)).await
                && own.leads
            {
                alive.insert(node, own);
            }
        }
        let mut known = BTreeMap::new();
        let mut open: BTreeMap<u16, (&str, &str)> = BTreeMap::new();
        for own in alive.values() {
            for (slot, side) in &own.open {
                match side {
                    Side::To(other) => drop(open.insert(*slot, (&own.id, other))),
                    Side::From(other) => drop(open.entry(*slot).or_insert((other, &own.id))),
                }
            }
            // A dead node cannot report its own id.
            let named = own.everybody.iter();
            known.extend(named.filter_map(|(id, at)| Some((id.as_str(), position_of(self.nodes.all(), at)?))));
        }
        // The nodes themselves say who leads, because a node that expects a slot still believes in the slot's old owner
        // after that owner has died. If two nodes with the same data both claim to lead, the one with the later epoch
        // does.
        let leader = |id: &str| {
            let node = known.get(id)?;
            let both = [*node, self.twin(*node)];
            both.into_iter().filter(|node| alive.contains_key(node)).max_by_key(|node| alive[node].epoch)
        };
        let some = open.len() as u64;
        for (slot, (from, to)) in &open {
            let (Some(from), Some(to)) = (leader(from), leader(to)) else {
                return Err(LabError::Server(ServerError::NotTogether {
                    what: "no server has taken over from a lost one",
                    deadline: Duration::ZERO,
                    seen: format!("slot {slot} is half moved"),
                }));
            };
            self.complete(*slot, Way { from, to }).await?;
        }
        Ok(some)
    }

    async fn complete(self, slot: u16, way: Way) -> Result<(), LabError> {
        match self.open(slot, way).await {
            Ok(()) => drop(self.move_keys(slot, way).await?),
            // All keys have already moved; only the other nodes do not know it yet.
            Err(LabError::Redis(RedisFailure::Refused { answer, .. })) if answer.contains("already the owner") => {}
            Err(error) => return Err(error),
        }
        self.close(slot, way).await
    }

    /// The redirections sent by the two ends of `way`.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn redirections(self, way: Way) -> Result<Redirections, LabError> {
        let mut counted = Redirections::default();
        for node in [way.from, way.to] {
            let text: String = self.admin(node).query(redis::cmd("INFO").arg("errorstats")).await?;
            let here = redirections(&text);
            counted.ask += here.ask;
            counted.moved += here.moved;
            counted.try_again += here.try_again;
        }
        Ok(counted)
    }

    fn admin(self, node: usize) -> &'l Admin {
        self.nodes.all()[node].admin()
    }

    /// The node with the same data: the first half of the nodes led at the start, the second half are their replicas.
    fn twin(self, node: usize) -> usize {
        let nodes = self.nodes.all().len();
        (node + nodes / 2) % nodes
    }

    async fn own(self, node: usize) -> Result<Own, LabError> {
        let text: String = self.admin(node).query(redis::cmd("CLUSTER").arg("NODES")).await?;
        own(&text).ok_or_else(|| {
            LabError::Redis(RedisFailure::Refused {
                address: self.nodes.all()[node].url().address(),
                answer: "it does not say which node of the cluster it is".to_owned(),
            })
        })
    }
}

fn set(slot: u16, what: &str, node: &str) -> Cmd {
    redis::cmd("CLUSTER").arg("SETSLOT").arg(slot).arg(what).arg(node).clone()
}

/// Reads what a node says about itself in CLUSTER NODES.
fn own(text: &str) -> Option<Own> {
    // <id> <host>:<port>@<bus port>[,<host name>] <flags> …
    let named = |line: &str| {
        let (id, rest) = line.split_once(' ')?;
        let (host, port) = rest.split_once('@')?.0.rsplit_once(':')?;
        Some((id.to_owned(), (host.to_owned(), port.parse().ok()?)))
    };
    let everybody = text.lines().filter_map(named).collect();
    let line = text.lines().find(|line| line.contains("myself"))?;
    let mut fields = line.split(' ');
    let id = fields.next()?.to_owned();
    let flags = fields.nth(1)?;
    // After the flags come primary, ping and pong.
    let epoch = fields.nth(3)?.parse().ok()?;
    let open = fields.filter_map(|field| {
        // [93-<-id] or [93->-id]
        let field = field.strip_prefix('[')?.strip_suffix(']')?;
        match (field.split_once("->-"), field.split_once("-<-")) {
            (Some((slot, other)), _) => Some((slot.parse().ok()?, Side::To(other.to_owned()))),
            (_, Some((slot, other))) => Some((slot.parse().ok()?, Side::From(other.to_owned()))),
            (None, None) => None,
        }
    });
    Some(Own { id, leads: flags.contains("master"), epoch, open: open.collect(), everybody })
}

/// Reads the lines of INFO errorstats: `errorstat_ASK:count=3`.
fn redirections(text: &str) -> Redirections {
    let count = |word: &str| {
        let find =
            |line: &str| line.strip_prefix("errorstat_")?.strip_prefix(word)?.strip_prefix(":count=")?.parse().ok();
        text.lines().find_map(find).unwrap_or(0)
    };
    Redirections { ask: count("ASK"), moved: count("MOVED"), try_again: count("TRYAGAIN") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_says_which_slots_are_on_their_way() {
        let text = "aa 127.0.0.1:1@2 master - 0 1 1 connected 0-5460\n\
                    bb 127.0.0.1:3@4 myself,master - 0 0 2 connected 5461-10922 [93-<-aa] [5461->-cc]\n";
        let own = own(text).unwrap();
        assert_eq!((own.id.as_str(), own.leads, own.epoch, own.open.len()), ("bb", true, 2, 2));
        let at = |port| ("127.0.0.1".to_owned(), port);
        assert_eq!(own.everybody, [("aa".to_owned(), at(1)), ("bb".to_owned(), at(3))]);
        assert!(matches!(&own.open[0], (93, Side::From(other)) if other == "aa"));
        assert!(matches!(&own.open[1], (5461, Side::To(other)) if other == "cc"));
        assert!(super::own("aa 127.0.0.1:1@2 master - 0 1 1 connected").is_none());
    }

    #[test]
    fn redirections_are_counted_by_their_words() {
        let counted = redirections(
            "# Errorstats\r\nerrorstat_ASK:count=3\r\nerrorstat_MOVED:count=20\r\nerrorstat_ERR:count=9\r\n",
        );
        assert_eq!(counted, Redirections { ask: 3, moved: 20, try_again: 0 });
        let before = Redirections { ask: 1, moved: 30, try_again: 0 };
        assert_eq!(counted.since(before), Redirections { ask: 2, moved: 0, try_again: 0 });
    }
}

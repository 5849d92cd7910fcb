//! A primary, its replica and three sentinels, two of which must agree that the primary is lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::Deployment;

use super::external::{Existing, ExternalRedis};
use super::managed::{ManagedConfig, ManagedRedis, ServerRole};
use super::replica::{AT_ONCE, follow};
use super::topology_kind::{Reached, TopologyKind, together};
use crate::lab::access::Access;
use crate::lab::error::{LabError, Mismatch, ServerError};
use crate::lab::server::{Server, Servers, position_of};
use crate::lab::url::RedisUrl;

/// The description of this topology.
pub const KIND: TopologyKind = TopologyKind {
    name: "sentinel",
    about: "A primary, its replica, and three sentinels that let it take over.",
    servers: "a primary, its replica, three sentinels (`down-after-milliseconds 500`, quorum 2)",
    processes: 5,
    proxied: 2,
    reached: Reached::ByAnnouncement,
    fails_over: true,
    start: |config| Box::pin(start(config)),
    find: Some(|existing| Box::pin(find(existing))),
};

const SENTINELS: usize = 3;

const INCOMPLETE: &str = "the sentinels did not find each other and the replica";

/// How long the sentinels may take to find each other again after some of them were dead.
const TOGETHER: Duration = Duration::from_secs(20);

/// The name under which the sentinels watch the primary.
const NAME: &str = "drill";

/// How long a primary must be silent before a sentinel considers it lost. Production usually has more; a drill should
/// be short.
const DOWN_AFTER: Duration = Duration::from_millis(500);

/// The primary and then its replicas, as they were at the start, and the sentinels that decide which of them leads.
struct Watched {
    name: String,
    nodes: Vec<Arc<dyn Server>>,
    sentinels: Vec<Arc<dyn Server>>,
    access: Access,
}

/// The sentinels of one lab, as faults use them.
#[derive(Clone, Copy)]
pub struct Sentinels<'l> {
    all: &'l [Arc<dyn Server>],
    /// The name under which they watch the primary.
    name: &'l str,
    /// How many replicas it has.
    replicas: usize,
}

impl<'l> Sentinels<'l> {
    /// Those of `servers`; `None` if there are none.
    pub fn of(servers: &'l dyn Servers) -> Option<Self> {
        let (all, name, replicas) = (servers.sentinels(), servers.watched_as(), servers.all().len() - 1);
        (!all.is_empty()).then_some(Self { all, name, replicas })
    }

    /// All of them, dead or alive.
    pub fn all(&self) -> &'l [Arc<dyn Server>] {
        self.all
    }

    /// Asks the first one that answers for a failover, as an operator does before maintenance: the replica is promoted
    /// although the primary is well.
    ///
    /// # Errors
    /// Same as [`Admin::query`](crate::lab::Admin::query), of the last one asked.
    pub async fn fail_over(&self) -> Result<(), LabError> {
        let command = redis::cmd("SENTINEL").arg("FAILOVER").arg(self.name).clone();
        let mut result = Ok(());
        for sentinel in self.all {
            result = sentinel.admin().query::<()>(&command).await;
            if result.is_ok() {
                break;
            }
        }
        result
    }

    /// Returns once all of them know each other and the replicas, so that a failover can happen.
    ///
    /// # Errors
    /// [`ServerError::NotTogether`].
    pub async fn together(&self) -> Result<(), LabError> {
        self.together_within(TOGETHER).await
    }

    async fn together_within(&self, deadline: Duration) -> Result<(), LabError> {
        together(INCOMPLETE, deadline, || self.first_lack()).await
    }

    /// What the first incomplete one has not found yet.
    async fn first_lack(&self) -> Option<String> {
        for sentinel in self.all {
            if let Some(seen) = self.lacks(sentinel).await {
                return Some(seen);
            }
        }
        None
    }

    /// What a sentinel has not found yet.
    async fn lacks(&self, sentinel: &Arc<dyn Server>) -> Option<String> {
        let ask = |about: &str| redis::cmd("SENTINEL").arg(about).arg(self.name).clone();
        match sentinel.admin().query::<String>(&ask("CKQUORUM")).await {
            Ok(said) if usable(&said).is_some_and(|usable| usable >= self.all.len()) => {}
            Ok(said) => return Some(said),
            Err(error) => return Some(error.to_string()),
        }
        match sentinel.admin().query::<Vec<redis::Value>>(&ask("REPLICAS")).await {
            Ok(replicas) if replicas.len() >= self.replicas => None,
            Ok(replicas) => Some(format!("{} replicas", replicas.len())),
            Err(error) => Some(error.to_string()),
        }
    }
}

/// How many sentinels are usable, as CKQUORUM says it: `OK 3 usable Sentinels. …`.
fn usable(said: &str) -> Option<usize> {
    said.strip_prefix("OK ")?.split(' ').next()?.parse().ok()
}

/// Starts all five, and returns once the sentinels know each other and the replica: until then, no failover can happen.
async fn start(config: &ManagedConfig) -> Result<Box<dyn Servers>, LabError> {
    let data = ManagedConfig { directives: format!("{}{AT_ONCE}", config.directives), ..config.clone() };
    let (primary, replica) = (ManagedRedis::start(&data).await?, ManagedRedis::start(&data).await?);
    follow(&replica, &primary).await?;
    let directives = format!(
        "sentinel monitor {NAME} 127.0.0.1 {} 2\nsentinel down-after-milliseconds {NAME} {}\n\
         sentinel failover-timeout {NAME} 5000\n",
        primary.announced().port(),
        DOWN_AFTER.as_millis()
    );
    let watcher = ManagedConfig { role: ServerRole::Sentinel, directives, ..config.clone() };
    let mut sentinels = Vec::new();
    for _ in 0..SENTINELS {
        sentinels.push(ManagedRedis::start(&watcher).await?);
    }
    let addresses = sentinels.iter().map(|sentinel| sentinel.address().to_string()).collect();
    let sentinels: Vec<_> = sentinels.into_iter().map(|sentinel| Arc::new(sentinel) as Arc<dyn Server>).collect();
    Sentinels { all: &sentinels, name: NAME, replicas: 1 }.together_within(config.start_deadline).await?;
    let access = Access {
        // Only the scheme and the login of this URL are used.
        url: primary.url().clone(),
        deployment: Deployment::Sentinel { master: NAME.to_owned(), sentinels: addresses, credentials: None },
    };
    Ok(Box::new(Watched {
        name: NAME.to_owned(),
        nodes: vec![Arc::new(primary), Arc::new(replica)],
        sentinels,
        access,
    }))
}

/// Finds the primary, its replicas and the other sentinels by asking the one that the URL names. Servers and sentinels
/// that this one considers lost are left out.
async fn find(existing: &Existing) -> Result<Box<dyn Servers>, LabError> {
    let Existing { url, deadline, .. } = existing;
    let first = ExternalRedis::connect(url.at_sentinel(url.host(), url.port())?, *deadline, KIND.name).await?;
    let name = watched_name(&first, url).await?;
    let sentinel = |about: &str| redis::cmd("SENTINEL").arg(about).arg(&name).clone();
    let (host, port): (String, u16) = first.admin().query(&sentinel("GET-MASTER-ADDR-BY-NAME")).await?;
    let replicas: Vec<Known> = first.admin().query(&sentinel("REPLICAS")).await?;
    let mut nodes = vec![existing.server(&host, port).await?];
    for (host, port) in replicas.iter().filter_map(reachable) {
        nodes.push(existing.server(&host, port).await?);
    }
    nodes[0].admin().ping().await?;
    let others: Vec<Known> = first.admin().query(&sentinel("SENTINELS")).await?;
    let mut sentinels = vec![first];
    for (host, port) in others.iter().filter_map(reachable) {
        sentinels.push(ExternalRedis::new(url.at_sentinel(&host, port)?, *deadline)?);
    }
    let access = Access {
        url: nodes[0].url().clone(),
        deployment: Deployment::Sentinel {
            master: name.clone(),
            sentinels: sentinels.iter().map(|sentinel| sentinel.url().address()).collect(),
            credentials: url.sentinel().credentials.clone(),
        },
    };
    Ok(Box::new(Watched { name, nodes: shared(nodes), sentinels: shared(sentinels), access }))
}

fn shared(servers: Vec<ExternalRedis>) -> Vec<Arc<dyn Server>> {
    servers.into_iter().map(|server| Arc::new(server) as Arc<dyn Server>).collect()
}

/// What a sentinel knows of a server or of another sentinel, by the names of its fields.
type Known = HashMap<String, String>;

/// The address of a server that a sentinel does not consider lost.
fn reachable(known: &Known) -> Option<(String, u16)> {
    let flags = known.get("flags").map_or("", String::as_str);
    let lost = flags.split(',').any(|flag| matches!(flag, "s_down" | "o_down"));
    let address = known.get("ip").cloned().zip(known.get("port").and_then(|port| port.parse().ok()));
    address.filter(|_| !lost)
}

/// The name under which the sentinel at `url` watches the primary that is meant.
async fn watched_name(sentinel: &ExternalRedis, url: &RedisUrl) -> Result<String, LabError> {
    let all: Vec<Known> = sentinel.admin().query(redis::cmd("SENTINEL").arg("MASTERS")).await?;
    let mut names: Vec<&String> = all.iter().filter_map(|known| known.get("name")).collect();
    names.sort();
    let named = url.sentinel().master.clone();
    match (&named, names.as_slice()) {
        (Some(named), names) if names.contains(&named) => Ok(named.clone()),
        (None, [only]) => Ok((*only).clone()),
        (_, names) => {
            let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let known = if quoted.is_empty() { "nothing".to_owned() } else { quoted.join(", ") };
            let (address, named) = (sentinel.url().address(), named.clone());
            Err(LabError::Mismatch(Mismatch::NoMaster { address, known, named }))
        }
    }
}

#[async_trait::async_trait]
impl Servers for Watched {
    fn access(&self) -> Access {
        self.access.clone()
    }

    fn all(&self) -> &[Arc<dyn Server>] {
        &self.nodes
    }

    fn sentinels(&self) -> &[Arc<dyn Server>] {
        &self.sentinels
    }

    fn watched_as(&self) -> &str {
        &self.name
    }

    async fn leading(&self) -> Result<Vec<usize>, LabError> {
        match leader(&self.sentinels, &self.name).await {
            Ok(place) => Ok(position_of(&self.nodes, &place).into_iter().collect()),
            // While no sentinel answers, nobody changes who leads.
            Err(silent) => match primaries(&self.nodes).await {
                none if none.is_empty() => Err(silent),
                some => Ok(some),
            },
        }
    }
}

/// The positions of the servers that call themselves primaries.
async fn primaries(nodes: &[Arc<dyn Server>]) -> Vec<usize> {
    let mut found = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        if node.admin().info().await.is_ok_and(|info| info.role == "master") {
            found.push(at);
        }
    }
    found
}

/// The address of the server that most sentinels name as the primary.
async fn leader(sentinels: &[Arc<dyn Server>], name: &str) -> Result<(String, u16), LabError> {
    let command = redis::cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name).clone();
    let mut named: Vec<(String, u16)> = Vec::new();
    let mut seen = String::new();
    for sentinel in sentinels {
        match sentinel.admin().query(&command).await {
            Ok(place) => named.push(place),
            Err(error) => seen = error.to_string(),
        }
    }
    let votes = |place: &&(String, u16)| named.iter().filter(|other| other == place).count();
    match named.iter().max_by_key(votes) {
        Some(place) => Ok(place.clone()),
        None => Err(LabError::Server(ServerError::NotTogether {
            what: "no sentinel names a primary",
            deadline: DOWN_AFTER,
            seen,
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sentinel_considers_lost_is_left_out() {
        let known = |flags: &str| {
            let fields = [("ip", "10.0.0.2"), ("port", "6379"), ("flags", flags)];
            fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect::<Known>()
        };
        assert_eq!(reachable(&known("slave")), Some(("10.0.0.2".to_owned(), 6379)));
        for lost in ["s_down,slave", "s_down,o_down,master"] {
            assert_eq!(reachable(&known(lost)), None, "{lost}");
        }
        assert_eq!(usable("OK 3 usable Sentinels. Quorum and failover authorization can be reached"), Some(3));
        assert_eq!(usable("NOQUORUM 1 usable Sentinels."), None);
    }
}

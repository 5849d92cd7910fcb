//! What a fault kind must provide. A kind is one file: its parameters (a struct that serde reads and schemars
//! describes), what it hits, what it breaks, where it cannot be injected, its documentation, and the fault itself. One
//! line in [`registry`](super::registry) makes it available to scenarios, the JSON Schema, `firedrill list --faults`,
//! the docs and the conformance tests.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Site;
pub use super::flaw::Flaw;
use super::reach::Reach;
use super::{Fault, FaultError};
use crate::lab::{Persistence, Reached, Topology};
use crate::property::Property;
use crate::proxy::command::Action;

/// One kind of fault: a value holds the parameters from a scenario. A kind without parameters is a struct without
/// fields (`struct Down {}`).
///
/// The doc comments of the fields become the descriptions in the JSON Schema and the docs. An optional field has
/// `#[serde(default)]`; a required one has `#[schemars(example = …)]`, which appears in the error message when the
/// field is missing.
pub trait Kind: Clone + Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Its name in scenarios, such as `proxy.latency`.
    const NAME: &'static str;

    /// What it hits.
    const HITS: Hits;

    /// Its documentation.
    const DOCS: Docs;

    /// What it makes Redis run out of: a Redis that reports this shortage does not indicate a fault of the machine.
    const ASKS_FOR: &'static [Shortage] = &[];

    /// What it does to a connection when it is limited to certain commands (`on`); `None` if it cannot be.
    const AT_COMMANDS: AtCommands<Self> = None;

    /// The keys of a [`Reach`] that it accepts: which connections and servers it reaches.
    const REACH: &'static [&'static str] = &[];

    /// Whether it shows something only where sessions are encrypted (`store.encryption`): without that, what it leaves is a session
    /// like any other.
    const NEEDS_ENCRYPTION: bool = false;

    /// Whether it needs servers that the drill runs itself.
    const OWN_SERVERS: bool = matches!(Self::HITS, Hits::Process | Hits::Certificate);

    /// Whether it needs a store that logs in with a password: a lab of the drill's own then gives it one.
    fn needs_password(&self) -> bool {
        false
    }

    /// Whether it tells the store another password.
    fn tells_password(&self) -> bool {
        false
    }

    /// Checks that every parameter is in range.
    ///
    /// # Errors
    /// The first parameter that is not.
    fn check(&self) -> Result<(), Flaw> {
        Ok(())
    }

    /// Checks that it can reach what `reach` says; the values themselves are in range.
    ///
    /// # Errors
    /// The first key that is meaningless here.
    fn check_reach(&self, _reach: &Reach) -> Result<(), Flaw> {
        Ok(())
    }

    /// Why it cannot be injected into a Redis of this topology; `None` if it can.
    fn unfit_on(&self, topology: Topology) -> Option<Unfit> {
        Self::HITS.unfit_on(topology)
    }

    /// Why it cannot be injected into a Redis with this persistence; `None` if it can.
    fn unfit_for(&self, _persistence: Persistence) -> Option<Unfit> {
        None
    }

    /// What it destroys on the server itself, whatever the store does.
    fn breaks(&self, topology: Topology, _persistence: Persistence) -> Property {
        Self::HITS.breaks(topology)
    }

    /// Builds the fault without injecting it.
    ///
    /// # Errors
    /// Why the lab of `site` does not support it.
    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError>;
}

/// What Redis can run out of, and reports or counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// Memory: writes are refused with OOM.
    Memory,
    /// Memory for the data: keys are evicted.
    Room,
    /// Disk: writes are refused with MISCONF.
    Disk,
}

/// What a kind does to a connection at a command, or which of its parameters is meaningless there.
pub type AtCommands<K> = Option<fn(&K) -> Result<Action, Flaw>>;

/// What a fault hits, which decides the labs that support it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hits {
    /// The path between the store and one server: affects only the drill's own load.
    Network,
    /// The process of one server, which must belong to the drill.
    Process,
    /// The settings of a server: affects every client.
    Server,
    /// Keys under the drill's own prefix.
    Keys,
    /// The clock of a store inside the harness, and the lifetimes of the drill's own keys.
    Clock,
    /// The process of the application that the drill started.
    App,
    /// The shared state of a cluster's nodes.
    Cluster,
    /// The sentinels that watch the servers, and which of these leads.
    Sentinels,
    /// The certificate of a server, which must belong to the drill.
    Certificate,
    /// The name under which a store inside the harness finds its server.
    Names,
    /// The address behind the name of the server, for the store or for an application that the drill started.
    Address,
}

impl Hits {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Hits::Network => "network",
            Hits::Process => "server process",
            Hits::Server => "server",
            Hits::Keys => "keys",
            Hits::Clock => "clock",
            Hits::App => "application",
            Hits::Cluster => "cluster",
            Hits::Sentinels => "sentinels",
            Hits::Certificate => "certificate",
            Hits::Names => "names",
            Hits::Address => "address",
        }
    }

    /// Whether other users of the server are affected too.
    pub fn touches_others(self) -> bool {
        matches!(self, Hits::Process | Hits::Server | Hits::Cluster | Hits::Sentinels | Hits::Certificate)
    }

    pub(super) fn unfit_on(self, topology: Topology) -> Option<Unfit> {
        match (topology.reached(), self) {
            (Reached::Plainly, _)
            | (_, Hits::Network)
            | (Reached::ByAnnouncement, Hits::Clock)
            | (Reached::ByTls, Hits::Names | Hits::Address) => None,
            (Reached::ByAnnouncement, Hits::Names | Hits::Address) => Some(Unfit {
                why: "the store goes to the addresses that the servers announce, not to a name",
                cure: "use a topology with one address, such as standalone",
            }),
            (Reached::ByTls, _) => Some(Unfit {
                why: "this fault needs more rights than the store's ACL user has here",
                cure: "lab.topology = \"tls\" has proxy.*, process.kill and process.stop; for the others, use \
                       --redis with a rediss:// URL",
            }),
            (Reached::ByAnnouncement, _) => Some(Unfit {
                why: "it would hit one server and then move to the one that takes over",
                cure: "use a fault of the network, process.kill or process.stop, which hit a primary",
            }),
        }
    }

    pub(super) fn breaks(self, topology: Topology) -> Property {
        match self {
            // An unreachable primary is replaced. Cluster nodes reach each other without the proxies.
            Hits::Network if topology == Topology::Sentinel => FAILOVER,
            _ => Property::empty(),
        }
    }
}

/// What a failover breaks: replication is asynchronous, so whatever the replica had not received is gone.
pub(super) const FAILOVER: Property =
    Property::WRITES.union(Property::DESTROYS).union(Property::CLAIMS).union(Property::EXPIRY).union(Property::INDEX);

/// Why a kind cannot be injected, and what to do instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit {
    /// The reason.
    pub why: &'static str,
    /// The remedy.
    pub cure: &'static str,
}

/// The documentation of a kind: phrases in Markdown, without a full stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Docs {
    /// What happens.
    pub about: &'static str,
    /// Where services encounter this outside of drills.
    pub seen_in: &'static str,
    /// How Firedrill causes it.
    pub injected_by: &'static str,
    /// What counts as proof that it took effect.
    pub evidence: &'static str,
    /// How it is undone.
    pub undone_by: &'static str,
}

/// Any kind, with its parameters.
#[derive(Clone)]
pub struct FaultKind {
    kind: Arc<dyn AnyKind>,
    /// The parameters that were given; `None` means all.
    given: Option<Vec<String>>,
}

impl FaultKind {
    /// `kind`, parsed from a table that contained the parameters `given`.
    pub(super) fn read<K: Kind>(kind: K, given: Vec<String>) -> Self {
        Self { kind: Arc::new(kind), given: Some(given) }
    }

    /// Its name in scenarios.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// What it hits.
    pub fn hits(&self) -> Hits {
        self.kind.hits()
    }

    /// Whether it makes Redis run out of `shortage`.
    pub fn asks_for(&self, shortage: Shortage) -> bool {
        self.kind.asks_for().contains(&shortage)
    }

    /// Whether it shows something only where sessions are encrypted.
    pub fn needs_encryption(&self) -> bool {
        self.kind.needs_encryption()
    }

    /// Whether it needs servers that the drill runs itself.
    pub fn needs_own_servers(&self) -> bool {
        self.kind.needs_own_servers()
    }

    /// Whether it needs a store that logs in with a password.
    pub fn needs_password(&self) -> bool {
        self.kind.needs_password()
    }

    /// Whether it tells the store another password.
    pub fn tells_password(&self) -> bool {
        self.kind.tells_password()
    }

    /// Why it cannot be injected into a Redis of this topology.
    pub fn unfit_on(&self, topology: Topology) -> Option<Unfit> {
        self.kind.unfit_on(topology)
    }

    /// Why it cannot be injected into a Redis of this topology or with this persistence.
    pub fn unfit(&self, topology: Topology, persistence: Persistence) -> Option<Unfit> {
        self.unfit_on(topology).or_else(|| self.kind.unfit_for(persistence))
    }

    /// What it destroys on the server itself.
    pub fn breaks(&self, topology: Topology, persistence: Persistence) -> Property {
        self.kind.breaks(topology, persistence)
    }

    /// Checks that every parameter is in range.
    pub(super) fn check(&self) -> Result<(), Flaw> {
        self.kind.check()
    }

    /// Checks that it can reach what `reach` says.
    pub(super) fn check_reach(&self, reach: &Reach) -> Result<(), Flaw> {
        self.kind.check_reach(reach)
    }

    /// What it does to connections at commands.
    ///
    /// # Errors
    /// The first parameter that is meaningless there.
    pub(super) fn at_commands(&self) -> Option<Result<Action, Flaw>> {
        self.kind.at_commands()
    }

    pub(super) fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        self.kind.build(site)
    }

    /// The parameters as given.
    pub(super) fn written(&self) -> toml::Table {
        let mut table = self.kind.parameters();
        if let Some(given) = &self.given {
            table.retain(|key, _| given.iter().any(|given| given == key));
        }
        table
    }
}

impl<K: Kind> From<K> for FaultKind {
    fn from(kind: K) -> Self {
        Self { kind: Arc::new(kind), given: None }
    }
}

/// Two kinds are equal if their names and all their parameters are.
impl PartialEq for FaultKind {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.kind.parameters() == other.kind.parameters()
    }
}

impl fmt::Debug for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name(), self.kind.parameters())
    }
}

/// [`Kind`] with its type erased.
trait AnyKind: Send + Sync {
    fn name(&self) -> &'static str;
    fn hits(&self) -> Hits;
    fn asks_for(&self) -> &'static [Shortage];
    fn needs_encryption(&self) -> bool;
    fn needs_own_servers(&self) -> bool;
    fn needs_password(&self) -> bool;
    fn tells_password(&self) -> bool;
    fn at_commands(&self) -> Option<Result<Action, Flaw>>;
    fn check(&self) -> Result<(), Flaw>;
    fn check_reach(&self, reach: &Reach) -> Result<(), Flaw>;
    fn unfit_on(&self, topology: Topology) -> Option<Unfit>;
    fn unfit_for(&self, persistence: Persistence) -> Option<Unfit>;
    fn breaks(&self, topology: Topology, persistence: Persistence) -> Property;
    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError>;
    /// All parameters by name, in the order of the struct.
    fn parameters(&self) -> toml::Table;
}

impl<K: Kind> AnyKind for K {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn hits(&self) -> Hits {
        K::HITS
    }

    fn asks_for(&self) -> &'static [Shortage] {
        K::ASKS_FOR
    }

    fn needs_encryption(&self) -> bool {
        K::NEEDS_ENCRYPTION
    }

    fn needs_own_servers(&self) -> bool {
        K::OWN_SERVERS
    }

    fn needs_password(&self) -> bool {
        Kind::needs_password(self)
    }

    fn tells_password(&self) -> bool {
        Kind::tells_password(self)
    }

    fn at_commands(&self) -> Option<Result<Action, Flaw>> {
        K::AT_COMMANDS.map(|action| action(self))
    }

    fn check(&self) -> Result<(), Flaw> {
        Kind::check(self)
    }

    fn check_reach(&self, reach: &Reach) -> Result<(), Flaw> {
        Kind::check_reach(self, reach)
    }

    fn unfit_on(&self, topology: Topology) -> Option<Unfit> {
        Kind::unfit_on(self, topology)
    }

    fn unfit_for(&self, persistence: Persistence) -> Option<Unfit> {
        Kind::unfit_for(self, persistence)
    }

    fn breaks(&self, topology: Topology, persistence: Persistence) -> Property {
        Kind::breaks(self, topology, persistence)
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Kind::build(self, site)
    }

    fn parameters(&self) -> toml::Table {
        // A struct of plain values is always a table; whatever was read from a table can be written to one.
        toml::Table::try_from(self).unwrap_or_default()
    }
}

//! Which connections and which servers a fault of the network reaches: an outage may be partial.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flaw::Flaw;
use crate::lab::Topology;
use crate::proxy::Connections;
use crate::units::Share;

/// All keys of a [`Reach`].
pub const ANY: &[&str] = &[TOXICITY, CONNECTIONS, TO];

/// The share of connections, a key of faults.
pub(super) const TOXICITY: &str = "toxicity";
/// The age of connections, a key of faults.
pub(super) const CONNECTIONS: &str = "connections";
/// The servers, a key of faults.
pub(super) const TO: &str = "to";

/// Which connections and servers a fault reaches; by default, all connections of the server that leads.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reach {
    /// The share of connections, drawn from the seed; `None` means all.
    pub toxicity: Option<Share>,
    /// Only connections of this age.
    pub connections: Option<ConnectionAge>,
    /// The servers; `None` means the one that leads when the fault begins.
    pub to: Option<Vec<To>>,
}

/// Connections by when they were opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConnectionAge {
    /// Those that are open when the fault begins, and those opened while it lasts.
    #[default]
    All,
    /// Only those that are open when it begins; new ones work.
    Open,
    /// Only those opened while it lasts; open ones go on.
    New,
}

impl From<ConnectionAge> for Connections {
    fn from(age: ConnectionAge) -> Self {
        match age {
            ConnectionAge::All => Connections::All,
            ConnectionAge::Open => Connections::Open,
            ConnectionAge::New => Connections::New,
        }
    }
}

/// A server of a lab with several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a server is a number from 1, \"primary\" or \"replica\"")]
pub enum To {
    /// By its number, counted from 1: first the servers that led at the start, then their replicas.
    Number(u32),
    /// By its role when the fault begins.
    Role(Role),
}

/// What a server is when a fault begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The first that accepts writes.
    Primary,
    /// The first that does not.
    Replica,
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            To::Number(number) => write!(f, "server {number}"),
            To::Role(Role::Primary) => f.write_str("the primary"),
            To::Role(Role::Replica) => f.write_str("the replica"),
        }
    }
}

impl Reach {
    /// Whether some connections of a server may be spared.
    pub(super) fn is_partial(&self) -> bool {
        self.share() < 1.0 || self.age() != ConnectionAge::All
    }

    /// The share of connections, 0 to 1.
    pub(super) fn share(&self) -> f64 {
        self.toxicity.map_or(1.0, |Share(share)| share)
    }

    /// The age of connections.
    pub(super) fn age(&self) -> ConnectionAge {
        self.connections.unwrap_or_default()
    }

    /// Checks the values, for a fault that does or does not strike `at_commands`.
    ///
    /// # Errors
    /// The first key that is out of range.
    pub(super) fn check(&self, at_commands: bool) -> Result<(), Flaw> {
        let flaw = |key, problem: &str| Err(Flaw::new(key, problem));
        if self.toxicity.is_some_and(|Share(share)| share <= 0.0) {
            return flaw(TOXICITY, "must be more than \"0%\": such a fault reaches nothing");
        }
        if at_commands && self.toxicity.is_some() {
            return flaw(TOXICITY, "makes no sense with `on`: use its `share`");
        }
        if at_commands && self.connections.is_some() {
            return flaw(CONNECTIONS, "makes no sense with `on`: it strikes at commands of every connection");
        }
        let to = self.to.as_deref();
        if to.is_some_and(<[To]>::is_empty) {
            return flaw(TO, "names no server");
        }
        if to.is_some_and(|to| to.contains(&To::Number(0))) {
            return flaw(TO, "counts servers from 1");
        }
        if to.is_some_and(|to| (1..to.len()).any(|at| to[..at].contains(&to[at]))) {
            return flaw(TO, "names a server twice");
        }
        Ok(())
    }

    /// Checks that a lab in `topology` has the servers.
    ///
    /// # Errors
    /// The first one that it does not have.
    pub fn check_servers(&self, topology: Topology) -> Result<(), Flaw> {
        let (has, name) = (topology.kind().proxied, topology.name());
        let missing = self.to.iter().flatten().find(|to| match to {
            To::Number(number) => *number as usize > has,
            To::Role(Role::Primary) => false,
            To::Role(Role::Replica) => has == 1,
        });
        match missing {
            Some(To::Number(number)) => {
                let servers = if has == 1 { "one server".to_owned() } else { format!("{has} servers") };
                Err(Flaw::new(
                    TO,
                    format!("names server {number}; with lab.topology = \"{name}\" the load reaches {servers}"),
                ))
            }
            Some(_) => {
                Err(Flaw::new(TO, format!("names a replica; with lab.topology = \"{name}\" the load reaches none")))
            }
            None => Ok(()),
        }
    }

    /// Checks that an application of so many instances has those that it names.
    ///
    /// # Errors
    /// The first one that it does not have.
    pub fn check_instances(&self, instances: u32) -> Result<(), Flaw> {
        let numbers = self.to.iter().flatten().filter_map(|to| match to {
            To::Number(number) => Some(*number),
            To::Role(_) => None,
        });
        match numbers.max() {
            Some(number) if number > instances => {
                Err(Flaw::new(TO, format!("names instance {number}; the application has {instances} (app.instances)")))
            }
            _ => Ok(()),
        }
    }

    /// The words after a fault's parameters: `20% of connections, new ones only, to server 2`; empty for the default.
    pub(super) fn words(&self) -> String {
        let mut words = Vec::new();
        if let Some(share) = self.toxicity.filter(|Share(share)| *share < 1.0) {
            words.push(format!("{share} of the connections"));
        }
        match self.age() {
            ConnectionAge::All => {}
            ConnectionAge::Open => words.push("open connections only".to_owned()),
            ConnectionAge::New => words.push("new connections only".to_owned()),
        }
        if let Some(to) = &self.to {
            let to: Vec<String> = to.iter().map(To::to_string).collect();
            words.push(format!("to {}", to.join(" and ")));
        }
        words.join(", ")
    }
}

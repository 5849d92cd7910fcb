//! The keys of `[target.redis]`. The comments here are the descriptions in the JSON Schema.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::OpKind;

/// What the `redis` target can be asked for: what plain commands do, and what commands of one's own may do. With plain commands
/// alone, an append to a missing session looks the same as a create, a value has no room for a claimant, and nothing
/// records which user owns a session.
pub(super) const OPERATIONS: &[OpKind] =
    &[OpKind::Create, OpKind::Read, OpKind::Append, OpKind::Put, OpKind::Touch, OpKind::Destroy, OpKind::Command];

/// How the `redis` target speaks to Redis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RedisTargetSpec {
    /// How many operations share a connection, each sent without waiting for the replies to those before it.
    pub pipeline: NonZeroU32,
    /// The version of RESP: 2 or 3.
    pub protocol: Protocol,
    /// Whether it uses the Unix socket of the drill's own server instead of TCP; or the path of another server's socket, which
    /// must be the server of --redis.
    pub unix_socket: UnixSocket,
    /// A connection is closed and replaced after so many operations. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnect_after: Option<NonZeroU64>,
    /// Commands of your own, which carry out an operation instead of the usual one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<CommandSpec>,
}

impl Default for RedisTargetSpec {
    fn default() -> Self {
        Self {
            pipeline: NonZeroU32::MIN,
            protocol: Protocol::default(),
            unix_socket: UnixSocket::default(),
            reconnect_after: None,
            command: Vec::new(),
        }
    }
}

/// A version of RESP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u8", into = "u8")]
#[schemars(with = "u8")]
pub enum Protocol {
    /// RESP2.
    #[default]
    Resp2,
    /// RESP3: Redis 6 or newer.
    Resp3,
}

impl TryFrom<u8> for Protocol {
    type Error = String;

    fn try_from(version: u8) -> Result<Self, String> {
        match version {
            2 => Ok(Self::Resp2),
            3 => Ok(Self::Resp3),
            other => Err(format!("there is no RESP{other}: write 2 or 3")),
        }
    }
}

impl From<Protocol> for u8 {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        }
    }
}

/// Which Unix socket is used, if any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "write true, or the path of a socket")]
pub enum UnixSocket {
    /// That of the drill's own server, or none.
    Lab(bool),
    /// This one.
    Path(PathBuf),
}

impl Default for UnixSocket {
    fn default() -> Self {
        Self::Lab(false)
    }
}

/// A command of one's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandSpec {
    /// The command, `"SET {{key}} {{value}} EX 60"`, or its words as a list. `{{key}}` is the session's key, `{{value}}` a value of
    /// the payload's size that names session and write, `{{token}}` the number of the write, `{{session}}` that of the session,
    /// `{{store.ttl}}` that setting in seconds.
    pub send: Words,
    /// The operation of the mix that it carries out: `create`, `read`, `append`, `put`, `touch`, `destroy`. Default: `command`, which
    /// means nothing to the checkers but for whose data is in its reply.
    #[serde(default, rename = "as")]
    pub carries: Carries,
    /// How often it is sent, relative to the other commands for the same operation.
    #[serde(default = "one")]
    pub weight: f64,
}

fn one() -> f64 {
    1.0
}

/// The words of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "write the command, or its words as a list")]
pub enum Words {
    /// Separated by spaces.
    Line(String),
    /// One by one.
    List(Vec<String>),
}

impl Words {
    /// One by one.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Line(line) => line.split_whitespace().map(str::to_owned).collect(),
            Self::List(words) => words.clone(),
        }
    }
}

/// The operation that a command carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Carries {
    /// Makes a session.
    Create,
    /// Reads a session: every value in the reply is looked at.
    Read,
    /// Adds to a session.
    Append,
    /// Overwrites a session.
    Put,
    /// Extends a session's life.
    Touch,
    /// Ends a session.
    Destroy,
    /// Anything else.
    #[default]
    Command,
}

impl Carries {
    /// The operation.
    pub fn kind(self) -> OpKind {
        match self {
            Self::Create => OpKind::Create,
            Self::Read => OpKind::Read,
            Self::Append => OpKind::Append,
            Self::Put => OpKind::Put,
            Self::Touch => OpKind::Touch,
            Self::Destroy => OpKind::Destroy,
            Self::Command => OpKind::Command,
        }
    }
}

impl RedisTargetSpec {
    /// Whether it says nothing that is not so anyway.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The operations that it carries out: those that plain commands can, and those that commands of one's own do.
    pub fn offers(&self, kind: OpKind) -> bool {
        OPERATIONS.contains(&kind) && (!matches!(kind, OpKind::Append | OpKind::Command) || self.carries(kind))
    }

    /// Whether a command of one's own carries it out.
    pub fn carries(&self, kind: OpKind) -> bool {
        self.command.iter().any(|command| command.carries.kind() == kind)
    }

    /// Whether its sessions get `store.ttl` as their lifetime.
    pub fn expires(&self) -> bool {
        self.prolongs(OpKind::Create)
    }

    /// Whether the command of one's own for this operation gives the session `store.ttl` as its lifetime.
    pub fn prolongs(&self, kind: OpKind) -> bool {
        let mut mine = self.command.iter().filter(|command| command.carries.kind() == kind).peekable();
        mine.peek().is_some()
            && mine.all(|command| command.send.words().iter().any(|word| word.contains("{{store.ttl}}")))
    }

    /// The shortest lifetime that a command gives by itself: `EX 60`, `PX 500`, `SETEX {{key}} 60 …`.
    pub fn shortest_lifetime(&self) -> Option<Duration> {
        let given = |command: &CommandSpec| {
            let words: Vec<String> = command.send.words().iter().map(|word| word.to_uppercase()).collect();
            let number = |place: usize| words.get(place)?.parse::<u64>().ok();
            match words.first()?.as_str() {
                "SETEX" | "EXPIRE" => number(2).map(Duration::from_secs),
                "PSETEX" | "PEXPIRE" => number(2).map(Duration::from_millis),
                _ => words.iter().enumerate().find_map(|(place, word)| match word.as_str() {
                    "EX" => number(place + 1).map(Duration::from_secs),
                    "PX" => number(place + 1).map(Duration::from_millis),
                    _ => None,
                }),
            }
        };
        self.command.iter().filter_map(given).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appending_needs_a_command_and_a_lifetime_its_place() {
        let spec = |text: &str| toml::from_str::<RedisTargetSpec>(text).unwrap();
        let lists = "command = [{ send = \"RPUSH {{key}} {{value}}\", as = \"append\" }]";
        assert!(!spec("").offers(OpKind::Append) && spec(lists).offers(OpKind::Append));
        assert!(!spec(lists).expires());
        assert!(spec("command = [{ send = \"SET {{key}} {{value}} EX {{store.ttl}}\", as = \"create\" }]").expires());
    }

    #[test]
    fn a_lifetime_that_a_command_gives_by_itself_is_found() {
        let shortest = |send: &str| {
            let text = format!("command = [{{ send = \"{send}\", as = \"put\" }}, {{ send = \"PING\" }}]");
            toml::from_str::<RedisTargetSpec>(&text).unwrap().shortest_lifetime()
        };
        assert_eq!(shortest("SET {{key}} {{value}} EX 60"), Some(Duration::from_secs(60)));
        assert_eq!(shortest("set {{key}} {{value}} px 500"), Some(Duration::from_millis(500)));
        assert_eq!(shortest("SETEX {{key}} 7 {{value}}"), Some(Duration::from_secs(7)));
        assert_eq!(shortest("SET {{key}} {{value}} EX {{store.ttl}}"), None);
    }
}

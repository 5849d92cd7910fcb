//! How Redis is deployed, as far as a client must know.

use std::fmt;

/// Where to find the server that accepts writes. User, password, database and TLS always come from the URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Deployment {
    /// The server that the URL names.
    #[default]
    Standalone,
    /// The primary that the sentinels name; they are asked at every attempt to connect. The URL's host is not used.
    Sentinel {
        /// The name under which the sentinels watch the primary (`mymaster` in Redis's own example).
        master: String,
        /// `host[:port]` of each sentinel, in any order; the default port is 26379. The answer of a majority counts,
        /// or, once all have replied or timed out, the most frequent one.
        sentinels: Vec<String>,
        /// For sentinels with their own password; the servers' password is not used.
        credentials: Option<Credentials>,
    },
    /// A cluster, found through the URL's host and these nodes. The session's prefix and id decide its slot (see the
    /// crate's guide). Database 0 only.
    Cluster {
        /// `host[:port]` of further nodes to ask for the layout at the start; the default port is 6379.
        nodes: Vec<String>,
    },
}

/// A user and a password; the password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The ACL user; `None`: the default user.
    pub user: Option<String>,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).field("password", &"…").finish()
    }
}

/// Why a store cannot be built for a deployment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeploymentError {
    /// No sentinel was named.
    #[error("Sentinel: name at least one sentinel as host:port")]
    NoSentinel,
    /// No master name was given.
    #[error("Sentinel: the name of the primary is empty")]
    NoMaster,
    /// A node is not written as `host:port`. Its text is hidden, because it may be a URL with a password.
    #[error("{what} number {number} is not host:port")]
    NotAnAddress {
        /// "sentinel" or "cluster node".
        what: &'static str,
        /// Which one, counted from 1.
        number: usize,
    },
    /// A cluster has one database only.
    #[error("a cluster has database 0 only: take /{database} out of the Redis URL")]
    Database {
        /// The database that the URL asks for.
        database: i64,
    },
    /// The prefix would put a session and its tombstone into different slots.
    #[error("in a cluster the key prefix may have braces only as a hash tag, such as `{{app}}:session:`")]
    Braces,
}

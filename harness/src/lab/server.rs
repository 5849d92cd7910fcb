//! The servers of a lab, as the rest of a drill sees them. A [`Server`] is one Redis: the handle that a fault gets. The
//! [`Servers`] of a lab are one Redis or several that work together. An unsupported capability is `None`, so callers
//! need not know the kind of server.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::access::Access;
use super::admin::Admin;
use super::append_file::AppendFile;
use super::certificates::Certificates;
use super::error::{LabError, Mismatch};
use super::persistence::Persistence;
use super::process::ServerProcess;
use super::url::RedisUrl;

/// One Redis server.
#[async_trait::async_trait]
pub trait Server: Send + Sync {
    /// Its direct URL, bypassing every proxy, for a user with all rights.
    fn url(&self) -> &RedisUrl;

    /// A direct line to it, bypassing every proxy.
    fn admin(&self) -> &Admin;

    /// Whether the drill owns it and ends it.
    fn is_ours(&self) -> bool {
        true
    }

    /// The address it listens on, if that is known without a name lookup.
    fn address(&self) -> Option<SocketAddr> {
        None
    }

    /// The address at which clients reach it if the drill decides that: its own, or that of the proxy in front of it. The
    /// drill's own servers announce it.
    fn announced(&self) -> Option<SocketAddr> {
        self.address()
    }

    /// Whether the servers and sentinels of its group know it by this address.
    fn is_known_as(&self, _host: &str, port: u16) -> bool {
        // All servers of the drill's own have the same host.
        self.announced().is_some_and(|address| address.port() == port)
    }

    /// Its process, if the drill owns it.
    fn process(&self) -> Option<&dyn ServerProcess> {
        None
    }

    /// Its process, for a fault of kind `fault`.
    ///
    /// # Errors
    /// [`Mismatch::ProcessFaultOnExternal`] if the drill does not own it.
    fn process_for(&self, fault: &'static str) -> Result<&dyn ServerProcess, LabError> {
        self.process()
            .ok_or_else(|| LabError::Mismatch(Mismatch::ProcessFaultOnExternal { fault, url: self.url().to_string() }))
    }

    /// Its Unix socket, if it belongs to the drill and has one.
    fn unix_socket(&self) -> Option<&Path> {
        None
    }

    /// Access to its files and its start, if they belong to the drill.
    fn own(&self) -> Option<&dyn OwnServer> {
        None
    }

    /// Like [`Server::own`], for a fault of kind `fault`.
    ///
    /// # Errors
    /// [`Mismatch::NotOurs`] if they do not belong to the drill.
    fn own_for(&self, fault: &'static str) -> Result<&dyn OwnServer, LabError> {
        self.own().ok_or_else(|| LabError::Mismatch(Mismatch::NotOurs { fault, url: self.url().to_string() }))
    }

    /// Its image, if it runs in a container.
    fn image(&self) -> Option<&str> {
        None
    }

    /// Removes what would remain after a drop.
    ///
    /// # Errors
    /// Why something is left.
    async fn remove(&self) -> Result<(), LabError> {
        Ok(())
    }
}

/// A server whose files and start belong to the drill.
#[async_trait::async_trait]
pub trait OwnServer: ServerProcess {
    /// Its persistence.
    fn persistence(&self) -> Persistence;

    /// Its append-only file.
    fn append_file(&self) -> AppendFile;

    /// Keeps its process from growing any file beyond `bytes` (RLIMIT_FSIZE): a write beyond that fails, as on a full
    /// disk. `None` lifts the limit.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`](crate::lab::ServerError::NotRunning); [`LabError::System`] if the system has no such
    /// limit.
    fn limit_files(&self, bytes: Option<u64>) -> Result<(), LabError>;

    /// Shuts it down and starts it on its data with additional `arguments`. Returns as soon as it is loading.
    ///
    /// # Errors
    /// Same as [`ServerProcess::ensure_running`], and
    /// [`ServerError::NothingToLoad`](crate::lab::ServerError::NothingToLoad).
    async fn restart_loading(&self, arguments: &[String]) -> Result<(), LabError>;

    /// Deletes its data on disk, so that its next start finds nothing. Call it only while it is dead.
    ///
    /// # Errors
    /// [`LabError::System`] if a file cannot be deleted.
    async fn discard_data(&self) -> Result<(), LabError>;
}

/// The servers of one lab.
#[async_trait::async_trait]
pub trait Servers: Send + Sync {
    /// How the store reaches them.
    fn access(&self) -> Access;

    /// All servers that hold data, at least one, in a fixed order: first those that led at the start, then their
    /// replicas.
    fn all(&self) -> &[Arc<dyn Server>];

    /// The certificates that the server can present, if it has any.
    fn certificates(&self) -> Option<&Certificates> {
        None
    }

    /// The sentinels that watch them, if any do.
    fn sentinels(&self) -> &[Arc<dyn Server>] {
        &[]
    }

    /// The name under which the sentinels watch them.
    fn watched_as(&self) -> &str {
        ""
    }

    /// The positions of those that accept writes now.
    ///
    /// # Errors
    /// [`ServerError::NotTogether`](crate::lab::ServerError::NotTogether) if no server names them.
    async fn leading(&self) -> Result<Vec<usize>, LabError> {
        Ok(vec![0])
    }
}

/// The position of the server that its group knows by this address.
pub fn position_of(servers: &[Arc<dyn Server>], (host, port): &(String, u16)) -> Option<usize> {
    servers.iter().position(|server| server.is_known_as(host, *port))
}

/// Puts proxies in front of servers that clients find by asking.
#[async_trait::async_trait]
pub trait AnnouncedProxies: Debug + Send + Sync {
    /// Puts a proxy in front of the server at `address` (`host:port`) and returns the local address at which clients must
    /// find it from now on.
    ///
    /// # Errors
    /// Why the proxy could not be set up.
    async fn before(&self, address: &str) -> Result<SocketAddr, LabError>;
}

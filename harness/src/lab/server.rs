//! The servers of a lab as the rest of a drill sees them. A [`Server`] is one Redis: the handle that a fault is given. The
//! [`Servers`] of a lab are one Redis or several that work together. An unsupported capability is `None` here, so
//! that callers need not know its kind.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;

use super::access::Access;
use super::admin::Admin;
use super::append_file::AppendFile;
use super::error::{LabError, Mismatch};
use super::persistence::Persistence;
use super::process::ServerProcess;
use super::url::RedisUrl;

/// One Redis server.
#[async_trait::async_trait]
pub trait Server: Send + Sync {
    /// Its direct URL, past every proxy, for a user with all rights.
    fn url(&self) -> &RedisUrl;

    /// A direct line to it, past every proxy.
    fn admin(&self) -> &Admin;

    /// Whether it belongs to the drill, and ends with it.
    fn is_ours(&self) -> bool {
        true
    }

    /// The address it listens on, where that is known without asking a name server.
    fn address(&self) -> Option<SocketAddr> {
        None
    }

    /// The address that it tells clients and other servers: its own, or that of the proxy before it.
    fn announced(&self) -> Option<SocketAddr> {
        self.address()
    }

    /// Its process, where the drill owns it.
    fn process(&self) -> Option<&dyn ServerProcess> {
        None
    }

    /// Its process, for a fault of kind `fault`.
    ///
    /// # Errors
    /// [`Mismatch::ProcessFaultOnExternal`] where the drill does not own it.
    fn process_for(&self, fault: &'static str) -> Result<&dyn ServerProcess, LabError> {
        self.process()
            .ok_or_else(|| LabError::Mismatch(Mismatch::ProcessFaultOnExternal { fault, url: self.url().to_string() }))
    }

    /// Its files and the way it is started, where they are the drill's.
    fn own(&self) -> Option<&dyn OwnServer> {
        None
    }

    /// The same, for a fault of kind `fault`.
    ///
    /// # Errors
    /// [`Mismatch::NotOurs`] where they are not the drill's.
    fn own_for(&self, fault: &'static str) -> Result<&dyn OwnServer, LabError> {
        self.own().ok_or_else(|| LabError::Mismatch(Mismatch::NotOurs { fault, url: self.url().to_string() }))
    }

    /// The image that it runs, where that is in a container.
    fn image(&self) -> Option<&str> {
        None
    }

    /// Removes what dropping this value would leave.
    ///
    /// # Errors
    /// Why something is left.
    async fn remove(&self) -> Result<(), LabError> {
        Ok(())
    }
}

/// A server whose files and start are the drill's.
#[async_trait::async_trait]
pub trait OwnServer: ServerProcess {
    /// Its persistence.
    fn persistence(&self) -> Persistence;

    /// Its append-only file.
    fn append_file(&self) -> AppendFile;

    /// Lets no file of its process grow beyond `bytes` (RLIMIT_FSIZE): a write that would is refused, as on a full disk.
    /// `None` lifts the limit.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`](crate::lab::ServerError::NotRunning); [`LabError::System`] where the system has no such limit.
    fn limit_files(&self, bytes: Option<u64>) -> Result<(), LabError>;

    /// Ends it in order and starts it on its data with the further `arguments`. Returns when it is seen loading.
    ///
    /// # Errors
    /// As [`ServerProcess::ensure_running`], and [`ServerError::NothingToLoad`](crate::lab::ServerError::NothingToLoad).
    async fn restart_loading(&self, arguments: &[String]) -> Result<(), LabError>;

    /// Throws away what it has written to disk, so that its next start finds nothing. Only while it is dead.
    ///
    /// # Errors
    /// [`LabError::System`] where a file cannot be deleted.
    async fn discard_data(&self) -> Result<(), LabError>;
}

/// The servers of one lab.
#[async_trait::async_trait]
pub trait Servers: Send + Sync {
    /// How a store reaches them.
    fn access(&self) -> Access;

    /// All servers that hold data, at least one, in a fixed order: those that led at the start, then their replicas.
    fn all(&self) -> &[Arc<dyn Server>];

    /// The positions of those that take writes now.
    ///
    /// # Errors
    /// [`ServerError::NotTogether`](crate::lab::ServerError::NotTogether) if no server names them.
    async fn leading(&self) -> Result<Vec<usize>, LabError> {
        Ok(vec![0])
    }
}

/// The position of the server that the others know by this port.
pub fn position_at(servers: &[Arc<dyn Server>], port: u16) -> Option<usize> {
    servers.iter().position(|server| server.announced().is_some_and(|address| address.port() == port))
}

/// Puts proxies before servers that announce an address of their own.
#[async_trait::async_trait]
pub trait AnnouncedProxies: Debug + Send + Sync {
    /// The address, of this machine, under which the server at `server` is to be known from now on.
    ///
    /// # Errors
    /// Why there can be no proxy.
    async fn before(&self, server: SocketAddr) -> Result<SocketAddr, LabError>;
}

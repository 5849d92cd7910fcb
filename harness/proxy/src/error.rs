//! Errors of the proxy.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a proxy or a toxic could not be created, changed or found.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The proxy's thread could not be started.
    #[error("cannot start the proxy's thread: {0}")]
    Start(#[source] io::Error),
    /// The server that owned this proxy is gone.
    #[error("the proxy server has been stopped; start a new one")]
    Stopped,
    /// No proxy has this name.
    #[error("no proxy is called \"{0}\"; create it first")]
    NoProxy(String),
    /// A proxy with this name already exists.
    #[error("a proxy called \"{0}\" exists already; delete it first or choose another name")]
    ProxyExists(String),
    /// An address that is not host:port, or whose host is unknown.
    #[error("\"{address}\" is not an address to listen on; write it as 127.0.0.1:6380 ({reason})")]
    Address {
        /// The address as given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The port is not available.
    #[error("cannot listen on {address}: {source}; choose a free port, or port 0 for any")]
    Listen {
        /// The requested address.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The process has no free file descriptors.
    #[error(
        "no file descriptors are left for another proxy: this process may have {limit}, and {reserve} of them are the \
         API's; raise the limit (ulimit -n) or delete proxies"
    )]
    Descriptors {
        /// The maximum number of descriptors of this process.
        limit: u64,
        /// The size of the reserve.
        reserve: u64,
    },
    /// The configuration file of the stand-alone proxy cannot be applied.
    #[error("cannot create the proxies of {}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A proxy of another program does not read commands.
    #[error("a Toxiproxy server reads no commands; run the drill without --toxiproxy, on its embedded proxy")]
    CommandsUnread,
    /// A proxy of another program cannot do this.
    #[error("a Toxiproxy server cannot {0}; run the drill without --toxiproxy, on its embedded proxy")]
    EmbeddedOnly(&'static str),
    /// Connecting cannot be made to hang.
    #[error("connecting to {address} cannot be made to hang: {source}")]
    Hang {
        /// The proxy's address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// A Toxiproxy server did not do what it was asked to.
    #[error("Toxiproxy at {api}, {doing}: {reason}")]
    Remote {
        /// Its API.
        api: String,
        /// The request.
        doing: String,
        /// What it answered, or what was observed.
        reason: String,
    },
    /// A Toxiproxy server cannot be reached.
    #[error("Toxiproxy at {api} cannot be reached: {reason}")]
    Unreachable {
        /// Its API.
        api: String,
        /// The system's error.
        reason: String,
    },
    /// The proxy has no toxic of this name.
    #[error("no toxic is called \"{0}\"; list the proxy's toxics to see what is there")]
    NoToxic(String),
    /// The proxy already has a toxic with this name.
    #[error("a toxic called \"{0}\" exists already; remove it first or give this one another name")]
    ToxicExists(String),
    /// There is no such kind of toxic.
    #[error("\"{kind}\" is not a kind of toxic; the kinds are {kinds}")]
    ToxicKind {
        /// The requested kind.
        kind: String,
        /// The existing kinds, separated by commas.
        kinds: String,
    },
    /// The toxic's attributes do not fit its kind.
    #[error("{0}")]
    Attributes(String),
}

impl ProxyError {
    /// Whether the call certainly had no effect, because no server was reached.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, ProxyError::Unreachable { .. })
    }
}

//! Errors of a drill's environment. Every message says what to do; none contains a password. The kinds are split by who
//! can fix them: [`Mismatch`] is for the author of the command or the scenario (exit status 2), everything else is for
//! the operator of the environment.

use std::path::PathBuf;
use std::time::Duration;

use firedrill_storage::redis_store::{HandshakeError, TlsError};

/// Why a lab failed or could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The request does not fit the Redis.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The machine lacks something.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// A server of the drill's own failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A Redis answered with an error, or not at all.
    #[error(transparent)]
    Redis(#[from] RedisFailure),
    /// The journal failed, or another drill is in the way.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The operating system refused an operation on a folder, a file, a process or a signal.
    #[error("{doing}: {source}")]
    System {
        /// The action that failed.
        doing: String,
        /// The system's error.
        source: std::io::Error,
    },
}

/// The request does not fit this Redis, or the URL is wrong: the author of the command or the scenario must change it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// A process fault targets a Redis that the drill did not start.
    #[error(
        "{fault} needs a Redis that the drill owns, and {url} is external: Firedrill never stops a server it did not \
         start. Run it on a managed one (leave out --redis) or use a proxy fault"
    )]
    ProcessFaultOnExternal {
        /// The fault's kind.
        fault: &'static str,
        /// The external Redis, without its password.
        url: String,
    },
    /// A fault needs more than commands and signals: the server's files, or control over its start.
    #[error(
        "{fault} needs a redis-server that the drill runs itself, and {url} is not: leave out --redis, or use another \
         fault"
    )]
    NotOurs {
        /// The fault's kind.
        fault: &'static str,
        /// The Redis, without its password.
        url: String,
    },
    /// A fault is not available in this topology.
    #[error("{fault} is not available under lab.topology = \"{topology}\": docs/labs.md lists what is")]
    NotThere {
        /// The fault's kind.
        fault: &'static str,
        /// How Redis is run.
        topology: &'static str,
    },
    /// A scenario needs its own servers, but an existing Redis was named.
    #[error("lab.topology = \"{topology}\" needs servers that the drill starts itself: leave out --redis")]
    TopologyOnExternal {
        /// The topology.
        topology: &'static str,
    },
    /// A scenario needs a proxy in front of each of several servers, but an external proxy was named.
    #[error("lab.topology = \"{topology}\" needs the embedded proxy in front of each server: leave out --toxiproxy")]
    TopologyBehindToxiproxy {
        /// The topology.
        topology: &'static str,
    },
    /// The Redis is run in another way than the scenario says.
    #[error(
        "Redis at {address} is {}, and lab.topology is \"{wanted}\": take a scenario for it (firedrill list --tag topology), or \
         add --set lab.topology={is}; docs/labs.md says which faults it has",
        what_runs(is)
    )]
    OtherMode {
        /// Host and port.
        address: String,
        /// What it says it is (`redis_mode`).
        is: String,
        /// The topology.
        wanted: &'static str,
    },
    /// It is unclear which of the servers that a sentinel watches is meant.
    #[error("the sentinel at {address} watches {known}{}", no_master(named.as_deref()))]
    NoMaster {
        /// Host and port.
        address: String,
        /// The names that it knows, in words.
        known: String,
        /// The name that was given.
        named: Option<String>,
    },
    /// The URL is not a Redis URL.
    #[error("not a Redis URL ({reason}); expected redis[s]://[[user]:password@]host[:port][/db]")]
    BadUrl {
        /// What is wrong with it; never the URL itself, which may hold a password.
        reason: String,
    },
    /// TLS cannot be set up from the URL and its CA file.
    #[error(transparent)]
    TlsSetup(#[from] TlsError),
}

/// Something missing on the machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Missing {
    /// There is no `redis-server` on this machine.
    #[error(
        "no redis-server found (looked at {looked}).\nGet one with one of:\n  \
         apt-get install redis-server      (Debian, Ubuntu)\n  \
         brew install redis                (macOS)\n  \
         docker compose up -d              then: firedrill run --redis redis://127.0.0.1:6379\n\
         or name one: --redis-server PATH, FIREDRILL_REDIS_SERVER=PATH, or --redis URL for a Redis that already runs"
    )]
    NoRedisServer {
        /// Where it was looked for.
        looked: String,
    },
    /// The named `redis-server` does not behave like one.
    #[error("{path} is not a usable redis-server: {reason}; name another with --redis-server PATH")]
    BadBinary {
        /// The file.
        path: PathBuf,
        /// What it did instead.
        reason: String,
    },
    /// There is no `session-server` to drill.
    #[error(
        "no session-server found (looked at {looked}); build it with: cargo build --release -p firedrill-storage --bin \
         session-server\nor name one: --session-server PATH, FIREDRILL_SESSION_SERVER=PATH"
    )]
    NoSessionServer {
        /// Where it was looked for.
        looked: String,
    },
    /// There is no Docker engine.
    #[error(
        "no Docker engine: {reason}; start Docker, or set DOCKER_HOST, or leave out --lab docker to use this \
         machine's redis-server"
    )]
    NoDocker {
        /// What was observed.
        reason: String,
    },
    /// There is no tool that reads Compose files.
    #[error(
        "no Docker Compose: neither `docker compose` nor `docker-compose` runs here; install one (Debian: apt-get install \
         docker-compose)"
    )]
    NoCompose,
    /// The image is neither present nor obtainable.
    #[error(
        "the image {image} is not available: {reason}; name one that the engine has with --image, or build one from \
         this machine's redis-server: scripts/redis-image.sh"
    )]
    NoImage {
        /// Its name.
        image: String,
        /// The engine's message.
        reason: String,
    },
    /// A process cannot have a hosts file of its own.
    #[error(
        "the application would find Redis's new address in a hosts file of its own, and this machine gives it none ({reason}): \
         run as root, or let users make namespaces (sysctl user.max_user_namespaces, in a container --privileged), or drill \
         the store ([target] kind = \"store\")"
    )]
    NoMountNamespace {
        /// The system's message.
        reason: String,
    },
    /// There is no place to store journals.
    #[error("no place for the journal of a drill's changes: set FIREDRILL_STATE to a writable folder")]
    NoStateFolder,
}

/// Errors of the servers, containers and applications that the drill runs itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The server process ended before it was ready.
    #[error("{server} ended while it was starting ({status}); the end of its log:\n{log_tail}")]
    Exited {
        /// Which server.
        server: &'static str,
        /// Its exit status.
        status: String,
        /// The last lines of its log.
        log_tail: String,
    },
    /// The server process runs but was not ready in time.
    #[error("{server} was not ready within {deadline:?}; the end of its log:\n{log_tail}")]
    NotReady {
        /// Which server.
        server: &'static str,
        /// The time it was given.
        deadline: Duration,
        /// The last lines of its log.
        log_tail: String,
    },
    /// A process fault was requested while no server process runs.
    #[error("{server} is not running: it cannot be {verb}")]
    NotRunning {
        /// Which server.
        server: &'static str,
        /// The attempted action, as a participle.
        verb: &'static str,
    },
    /// A process did not react to a signal in time.
    #[error("{server} (pid {pid}) did not {verb} within {deadline:?}")]
    Unresponsive {
        /// Which server.
        server: &'static str,
        /// The process.
        pid: u32,
        /// The expected action.
        verb: &'static str,
        /// The time it was given.
        deadline: Duration,
    },
    /// Servers that should form a group do not.
    #[error("{what} within {deadline:?}: {seen}")]
    NotTogether {
        /// The condition that did not hold.
        what: &'static str,
        /// The time it was given.
        deadline: Duration,
        /// The last observed state.
        seen: String,
    },
    /// The server answers at once although it should be loading.
    #[error("redis-server was ready at once: it has too little data to show LOADING")]
    NothingToLoad,
    /// The Docker engine failed.
    #[error("Docker, {doing}: {reason}")]
    Engine {
        /// The action that failed.
        doing: &'static str,
        /// The engine's message.
        reason: String,
    },
    /// A lab's certificates could not be created.
    #[error("making a certificate: {reason}")]
    Certificate {
        /// The library's message.
        reason: String,
    },
    /// TLS could not be set up.
    #[error("setting up TLS: {reason}")]
    Tls {
        /// The reason.
        reason: String,
    },
}

/// The reply of a Redis, or its absence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisFailure {
    /// No connection to Redis.
    #[error("Redis at {address} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What was observed.
        reason: String,
    },
    /// The connection is up, but no answer came in time.
    #[error("Redis at {address} did not answer within {deadline:?}")]
    NoAnswer {
        /// Host and port.
        address: String,
        /// The time it was given.
        deadline: Duration,
    },
    /// Redis answered with a refusal.
    #[error("Redis at {address} refused: {answer}")]
    Refused {
        /// Host and port.
        address: String,
        /// Redis's error, verbatim.
        answer: String,
    },
    /// Redis refuses a command that the target depends on.
    #[error(
        "Redis at {address} refuses {command}, which this drill's target uses: {answer}. This is not the store's doing: give \
         the URL's user the right, or Redis what it lacks (docs/storage.md lists the rights)"
    )]
    Lacks {
        /// Host and port.
        address: String,
        /// The command.
        command: &'static str,
        /// Redis's error, verbatim.
        answer: String,
    },
    /// A setting was accepted but now has another value: something else sets it too.
    #[error("Redis accepted a new `{setting}` and now reports \"{now}\": does something else set it too?")]
    NotKept {
        /// Its name.
        setting: String,
        /// The value the server reports now.
        now: String,
    },
    /// The connection is up, but no trusted TLS session.
    #[error("no TLS with Redis at {address}: {reason}{}", cure(*reason))]
    Handshake {
        /// Host and port.
        address: String,
        /// The reason.
        reason: HandshakeError,
    },
    /// The connection is up, but the handshake got no answer in time.
    #[error(
        "Redis at {address} did not answer the TLS handshake within {deadline:?}: does it speak TLS on this port? A server \
         without TLS has a URL that begins with redis://"
    )]
    NoHandshake {
        /// Host and port.
        address: String,
        /// The time it was given.
        deadline: Duration,
    },
}

/// Errors of the journal of a drill's changes, or of the Redis that it guards.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A journal cannot be written or read.
    #[error("the journal {}: {source}; set FIREDRILL_STATE to a writable folder", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file given to `firedrill heal` is no journal.
    #[error("{} is not a journal of a drill: {reason}", path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
        /// Which line, and why.
        reason: String,
    },
    /// Another drill is running on this Redis or left something behind.
    #[error("{what} ({}); {cure}", journal.display())]
    Open {
        /// What it did, and to which Redis.
        what: String,
        /// Its journal.
        journal: PathBuf,
        /// What to do.
        cure: String,
    },
    /// Another drill, possibly on another machine, holds this Redis or left something behind on it.
    #[error("{what}; {cure}")]
    Taken {
        /// Which drill, and on which Redis.
        what: String,
        /// What to do.
        cure: String,
    },
}

/// What a Redis of this mode is.
fn what_runs(mode: &str) -> &'static str {
    match mode {
        "cluster" => "a node of a cluster",
        "sentinel" => "a sentinel",
        _ => "a single server",
    }
}

/// What to do about a master that was not found.
fn no_master(named: Option<&str>) -> String {
    match named {
        Some(named) => format!(", and not `{named}`: correct --redis-master"),
        None => ": name the one to drill with --redis-master NAME".to_owned(),
    }
}

/// The cure for a failed handshake, if there is one.
fn cure(reason: HandshakeError) -> &'static str {
    match reason {
        HandshakeError::Untrusted => {
            "; name the file of the CA that signed it (PEM) with --redis-ca FILE or FIREDRILL_REDIS_CA"
        }
        HandshakeError::OtherHost => "; give --redis a host that the certificate names",
        HandshakeError::Expired | HandshakeError::BadCertificate => "; the server needs another one",
        HandshakeError::NotTls | HandshakeError::Closed => "; a server without TLS has a URL that begins with redis://",
        HandshakeError::Refused => {
            "; if it asks for a client certificate (tls-auth-clients), name it with --redis-cert FILE and --redis-key FILE"
        }
        _ => "",
    }
}

impl From<TlsError> for LabError {
    fn from(error: TlsError) -> Self {
        LabError::Mismatch(error.into())
    }
}

impl LabError {
    /// Whether the command or the scenario is wrong, so that another machine would not help.
    pub fn is_usage(&self) -> bool {
        matches!(self, LabError::Mismatch(_))
    }

    /// Whether there was no connection. A server at its connection limit closes TLS connections before the handshake.
    pub fn is_unreachable(&self) -> bool {
        let LabError::Redis(error) = self else { return false };
        matches!(
            error,
            RedisFailure::Unreachable { .. } | RedisFailure::Handshake { reason: HandshakeError::Closed, .. }
        )
    }

    /// Wraps the operating system's error from `doing` something.
    pub fn system(doing: impl Into<String>, source: impl Into<std::io::Error>) -> Self {
        LabError::System { doing: doing.into(), source: source.into() }
    }
}

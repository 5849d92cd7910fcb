//! What can go wrong with the place a drill runs on. Every text says what to do; none holds a password.

use std::path::PathBuf;
use std::time::Duration;

/// Why a lab could not be brought up or did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// There is no `redis-server` on this machine (exit status 4).
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
    /// What was named as `redis-server` does not behave like one (exit status 4).
    #[error("{path} is not a usable redis-server: {reason}; name another with --redis-server PATH")]
    BadBinary {
        /// The file.
        path: PathBuf,
        /// What it did.
        reason: String,
    },
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
    /// There is no Docker engine (exit status 4).
    #[error(
        "no Docker engine: {reason}; start Docker, or set DOCKER_HOST, or leave out --lab docker: a redis-server of this \
         machine does as well"
    )]
    NoDocker {
        /// What was seen.
        reason: String,
    },
    /// The image is not there and cannot be had (exit status 4).
    #[error(
        "the image {image} cannot be had: {reason}; name one that the engine has by --image, or make one of this machine's \
         redis-server: scripts/redis-image.sh"
    )]
    NoImage {
        /// Its name.
        image: String,
        /// What the engine said.
        reason: String,
    },
    /// The Docker engine did not do as it was told.
    #[error("Docker, {doing}: {reason}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// What it said.
        reason: String,
    },
    /// A process fault was asked for while no server process runs.
    #[error("{server} is not running: it cannot be {verb}")]
    NotRunning {
        /// Which server.
        server: &'static str,
        /// What was to be done with it, as a participle.
        verb: &'static str,
    },
    /// A signal was sent and the process did not follow within its time.
    #[error("{server} (pid {pid}) did not {verb} within {deadline:?}")]
    Unresponsive {
        /// Which server.
        server: &'static str,
        /// The process.
        pid: u32,
        /// What it should have done.
        verb: &'static str,
        /// The time it was given.
        deadline: Duration,
    },
    /// A process fault was asked for on a Redis that the drill did not start.
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
    /// There is no `session-server` to drill (exit status 4).
    #[error(
        "no session-server found (looked at {looked}); build it with: cargo build --release -p firedrill-storage --bin \
         session-server\nor name one: --session-server PATH, FIREDRILL_SESSION_SERVER=PATH"
    )]
    NoSessionServer {
        /// Where it was looked for.
        looked: String,
    },
    /// A fault needs more of the server than its commands and signals: its files, or a start of its own.
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
    /// A fault cannot be had from servers that work together like this.
    #[error("{fault} cannot be had from servers that take over from one another: use process.kill or process.stop")]
    NotThere {
        /// The fault's kind.
        fault: &'static str,
    },
    /// A scenario wants servers of its own, and the Redis is there already.
    #[error("lab.topology = \"{topology}\" is of servers that the drill starts: leave out --redis")]
    TopologyOnExternal {
        /// How Redis is to be run.
        topology: &'static str,
    },
    /// Servers that are to work together do not.
    #[error("{what} within {deadline:?}: {seen}")]
    NotTogether {
        /// What did not come about.
        what: &'static str,
        /// The time it was given.
        deadline: Duration,
        /// What was seen last.
        seen: String,
    },
    /// The certificates of a lab could not be made.
    #[error("making a certificate: {reason}")]
    Certificate {
        /// What the maker said.
        reason: String,
    },
    /// The server answers at once where it should be loading.
    #[error("redis-server was ready at once: it has too little data to be seen loading")]
    NothingToLoad,
    /// The URL is not one of a Redis (exit status 2).
    #[error("not a Redis URL ({reason}); expected redis://[[user]:password@]host[:port][/db]")]
    BadUrl {
        /// What is wrong with it; never the URL itself, which may hold a password.
        reason: String,
    },
    /// No connection to Redis.
    #[error("Redis at {address} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What was seen.
        reason: String,
    },
    /// Connected, and no answer in time.
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
        /// Its error, as it said it.
        answer: String,
    },
    /// A setting was accepted and is not what it was set to: somebody else sets it too.
    #[error("Redis took a new `{setting}` and now says that it is \"{now}\": does something else set it too?")]
    NotKept {
        /// Its name.
        setting: String,
        /// What the server says.
        now: String,
    },
    /// A journal cannot be written or read (exit status 4).
    #[error("the journal {}: {source}; set FIREDRILL_STATE to a folder that can be written", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that is to be healed from is no journal.
    #[error("{} is not a journal of a drill: {reason}", path.display())]
    NoJournal {
        /// The file.
        path: PathBuf,
        /// Which line, and why.
        reason: String,
    },
    /// There is no place for journals (exit status 4).
    #[error("no place for the journal of what a drill changes: set FIREDRILL_STATE to a folder that can be written")]
    NoStateFolder,
    /// Another drill has left something on this Redis, or is at work there (exit status 4).
    #[error("{what} ({}); {cure}", journal.display())]
    JournalOpen {
        /// What it did, and to which Redis.
        what: String,
        /// Its journal.
        journal: PathBuf,
        /// What to do.
        cure: String,
    },
    /// The operating system refused something: a folder, a file, a process, a signal.
    #[error("{doing}: {source}")]
    System {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl LabError {
    /// Wraps what the operating system said while `doing` something.
    pub fn system(doing: impl Into<String>, source: impl Into<std::io::Error>) -> Self {
        LabError::System { doing: doing.into(), source: source.into() }
    }
}

//! The environment of a drill. A [`Lab`] holds the [`Servers`]: private child processes in a [`Topology`], a container
//! ([`DockerConfig`]), or servers that are already running ([`Existing`]), together with the random prefix of the drill's
//! keys. A fault gets one [`Server`] of the lab; a server that the drill does not own has no process to harm.

mod access;
mod admin;
mod app;
mod append_file;
mod authority;
mod certificates;
mod dialer;
mod doctor;
mod error;
mod executor;
mod folder;
mod half_speed;
pub mod journal;
mod keyspace;
pub mod lease;
mod own_hosts;
mod path;
mod persistence;
mod process;
mod recognised;
mod redis;
mod server;
mod status;
mod store_user;
mod survey;
mod trial;
mod url;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "docker")]
pub use self::redis::DockerRedis;
pub use self::redis::directives;
pub use self::redis::{
    DEFAULT_IMAGE, DockerConfig, Existing, ExternalRedis, ManagedConfig, ManagedRedis, REDIS_SERVER_VARIABLE, Reached,
    Redirections, RedisBinary, Sentinels, ServerRole, Slots, Topology, TopologyKind, Version, Way, reach_engine,
    remove_orphans,
};
pub use access::Access;
pub use admin::{Admin, RedisInfo};
pub use app::compose::Compose;
pub use app::{AppCommand, AppConfig, AppProcess, AppStart, CommandLine, SESSION_SERVER_VARIABLE};
pub use append_file::{AppendFile, Length as AofLength};
pub use authority::{Authority, Certified};
pub use certificates::{Certificates, Presented};
pub use dialer::{DialError, Dialer, ServerConnection};
pub use doctor::{Finding, probe_environment, probe_redis};
pub use error::{JournalError, LabError, Mismatch, Missing, RedisFailure, ServerError};
pub use executor::{Executor, LeadersLine};
pub use folder::{default_parent, free_bytes, remove_orphans as remove_orphan_folders};
pub use half_speed::HalfSpeed;
pub use journal::Journal;
pub use keyspace::{KeyPrefix, KeyScan, count as count_keys, remove as remove_keys};
pub use own_hosts::OwnHosts;
pub use path::Path as NetworkPath;
pub use persistence::{Persistence, UnknownPersistence};
pub use process::{OwnedChild, Owner, ProcessState, ServerProcess, doing, free_port, procfs};
pub use recognised::topology_at;
pub use server::{AnnouncedProxies, OwnServer, Server, Servers};
pub use status::status;
pub use store_user::{StoreUser, check_forbidden};
pub use survey::Survey;
pub use url::{RedisUrl, SentinelOptions};

use executor::is_elsewhere;
use lease::Lease;

/// The value of [`Lab::nonce`]. Journals of earlier versions hold a number of their own.
pub const NONCE: &str = "firedrill";

/// The servers of a drill, and the prefix of its keys there.
pub struct Lab {
    servers: Arc<dyn Servers>,
    topology: Topology,
    access: Access,
    prefix: KeyPrefix,
    nonce: String,
    journal: Option<Arc<Journal>>,
    lease: Option<Lease>,
}

impl Lab {
    /// Starts a private Redis.
    ///
    /// # Errors
    /// Same as [`ManagedRedis::start`].
    pub async fn managed(config: &ManagedConfig) -> Result<Self, LabError> {
        Self::in_topology(Topology::Standalone, config).await
    }

    /// Starts private servers in `topology`.
    ///
    /// # Errors
    /// Same as [`ManagedRedis::start`], and [`ServerError::NotTogether`](crate::lab::ServerError::NotTogether) if the
    /// servers do not find each other.
    pub async fn in_topology(topology: Topology, config: &ManagedConfig) -> Result<Self, LabError> {
        let mut lab = Self::on(topology, (topology.kind().start)(config).await?);
        // Behind TLS, the store always has a login of its own.
        if let Some(user) = config.user.as_ref().filter(|_| topology.reached() != Reached::ByTls) {
            lab.access.url = user.login(&lab.access.url)?;
        }
        Ok(lab)
    }

    /// Starts a private Redis in a container.
    ///
    /// # Errors
    /// [`Missing::NoDocker`](crate::lab::Missing::NoDocker) within a second, and always in a build without the feature
    /// `docker`; [`Missing::NoImage`](crate::lab::Missing::NoImage);
    /// [`ServerError::Exited`](crate::lab::ServerError::Exited) and
    /// [`ServerError::NotReady`](crate::lab::ServerError::NotReady) with the container's output.
    pub async fn docker(config: &DockerConfig) -> Result<Self, LabError> {
        let server = self::redis::start_container(config).await?;
        Ok(Self::on(Topology::Standalone, Box::new(server)))
    }

    /// Connects to a running Redis that has all keys; `deadline` applies to every call.
    ///
    /// # Errors
    /// Same as [`Lab::find`].
    pub async fn external(url: RedisUrl, deadline: Duration) -> Result<Self, LabError> {
        Self::find(Topology::Standalone, &Existing::at(url, deadline)).await
    }

    /// Connects to servers that are already running, in `topology`.
    ///
    /// # Errors
    /// [`Mismatch::TopologyOnExternal`] if a drill starts such servers itself; [`Mismatch::OtherMode`] and
    /// [`Mismatch::NoMaster`] if they are run in another way; otherwise [`RedisFailure`].
    pub async fn find(topology: Topology, existing: &Existing) -> Result<Self, LabError> {
        let missing = || LabError::Mismatch(Mismatch::TopologyOnExternal { topology: topology.name() });
        let find = topology.kind().find.ok_or_else(missing)?;
        Ok(Self::on(topology, find(existing).await?))
    }

    fn on(topology: Topology, servers: Box<dyn Servers>) -> Self {
        let (access, nonce) = (servers.access(), NONCE.to_owned());
        let servers = Arc::from(servers);
        Self { servers, topology, access, prefix: KeyPrefix::random(), nonce, journal: None, lease: None }
    }

    /// The same servers, with the keys of the drill that had this prefix.
    pub fn with_prefix(self, prefix: KeyPrefix) -> Self {
        Self { prefix, ..self }
    }

    /// A line to the servers that accept writes now, whichever these are.
    ///
    /// # Errors
    /// Same as [`Admin::new`].
    pub fn leaders_line(&self) -> Result<LeadersLine, LabError> {
        LeadersLine::to(self.servers.clone())
    }

    /// Stores the drill's lease on an external Redis.
    pub fn hold(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }

    /// Releases an external Redis; `clean` says that nothing of the drill is left there.
    ///
    /// # Errors
    /// Same as [`Lease::release`].
    pub async fn release(&self, clean: bool) -> Result<(), LabError> {
        match &self.lease {
            Some(lease) => lease.release(clean).await,
            None => Ok(()),
        }
    }

    /// From now on, every change is written to `journal` first.
    pub fn keep(&mut self, journal: Arc<Journal>) {
        self.journal = Some(journal);
    }

    /// The journal of changes. A Redis owned by the drill goes away with it and needs no journal.
    pub fn journal(&self) -> Option<&Arc<Journal>> {
        self.journal.as_ref()
    }

    /// Combined with the URL's password, it yields the password of `server.auth`. It is the same for every drill, so
    /// any machine that knows the URL's password can let the owner in again.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Whether the drill owns its Redis.
    pub fn is_managed(&self) -> bool {
        self.server().is_ours()
    }

    /// The image of its Redis, if it runs in a container.
    pub fn image(&self) -> Option<&str> {
        self.server().image()
    }

    /// The error of a fault that this topology does not have.
    pub fn lacks(&self, fault: &'static str) -> LabError {
        LabError::Mismatch(Mismatch::NotThere { fault, topology: self.topology.name() })
    }

    /// How its Redis is run.
    pub fn topology(&self) -> Topology {
        self.topology
    }

    /// The cluster's slots, if its servers form a cluster.
    pub fn slots(&self) -> Option<Slots<'_>> {
        (self.topology == Topology::Cluster).then(|| Slots::of(&*self.servers))
    }

    /// The certificates of its server, if it has any.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.servers.certificates()
    }

    /// The sentinels that watch its servers, if there are any.
    pub fn sentinels(&self) -> Option<Sentinels<'_>> {
        Sentinels::of(&*self.servers)
    }

    /// Picks the server that a fault will hit; of several, one that accepts writes now. The fault keeps this server
    /// until it is over, even if another server leads by then.
    ///
    /// # Errors
    /// [`ServerError::NotTogether`](crate::lab::ServerError::NotTogether) if no server says which one leads.
    pub async fn aim(&self) -> Result<Arc<dyn Server>, LabError> {
        let first = self.servers.leading().await?.first().copied();
        Ok(self.servers.all()[first.unwrap_or_default()].clone())
    }

    /// All servers that hold data: first those that led at the start, then their replicas.
    pub fn servers(&self) -> &[Arc<dyn Server>] {
        self.servers.all()
    }

    /// The positions of the servers that accept writes now.
    ///
    /// # Errors
    /// Same as [`Lab::aim`].
    pub async fn leading(&self) -> Result<Vec<usize>, LabError> {
        self.servers.leading().await
    }

    /// The first server: usually the only one; of several, one that led at the start.
    pub fn server(&self) -> &Arc<dyn Server> {
        &self.servers.all()[0]
    }

    /// The direct URL of [`Lab::server`], for a user with all rights.
    pub fn url(&self) -> &RedisUrl {
        self.server().url()
    }

    /// How the store reaches its Redis.
    pub fn access(&self) -> Access {
        self.access.clone()
    }

    /// Host and port of its Redis: the upstream of the fault proxy.
    pub fn upstream(&self) -> String {
        self.access().url.address()
    }

    /// The Unix socket of the drill's own Redis, if it has one.
    pub fn unix_socket(&self) -> Option<PathBuf> {
        self.servers().first()?.unix_socket().map(Path::to_owned)
    }

    /// The prefix of every key that the drill writes.
    pub fn prefix(&self) -> &KeyPrefix {
        &self.prefix
    }

    /// A direct line to [`Lab::server`], bypassing the proxy.
    pub fn admin(&self) -> &Admin {
        self.server().admin()
    }

    /// Direct lines to all servers that accept writes now.
    ///
    /// # Errors
    /// [`ServerError::NotTogether`](crate::lab::ServerError::NotTogether) if no server names them.
    pub async fn leaders(&self) -> Result<Vec<&Admin>, LabError> {
        let all = self.servers.all();
        Ok(self.servers.leading().await?.into_iter().map(|at| all[at].admin()).collect())
    }

    /// INFO of its Redis; of several servers, of one that accepts writes.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn info(&self) -> Result<RedisInfo, LabError> {
        match self.leaders().await?.first() {
            Some(admin) => admin.info().await,
            None => self.admin().info().await,
        }
    }

    /// Counts the drill's keys and finds those that never expire.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn scan_keys(&self) -> Result<KeyScan, LabError> {
        let mut found = KeyScan::default();
        for admin in self.leaders().await? {
            found = found.with(keyspace::scan(admin, &self.prefix).await?);
        }
        Ok(found)
    }

    /// The keys of the drill's sessions.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn session_keys(&self) -> Result<Vec<Vec<u8>>, LabError> {
        let mut found = Vec::new();
        for admin in self.leaders().await? {
            found.extend(keyspace::sessions(admin, &self.prefix).await?);
        }
        Ok(found)
    }

    /// The values of the drill's sessions, of at most `limit` per server.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn session_values(&self, limit: usize) -> Result<Vec<Vec<u8>>, LabError> {
        let mut found = Vec::new();
        for admin in self.leaders().await? {
            let mut keys = keyspace::sessions(admin, &self.prefix).await?;
            keys.truncate(limit);
            found.extend(keyspace::values(admin, &keys).await?);
        }
        Ok(found)
    }

    /// All keys of the drill, grouped by server and, per server, in batches that one script may name: at most `longest`
    /// keys, and in a cluster only keys of one slot.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn key_batches(&self, longest: usize) -> Result<Vec<(&Admin, Vec<Vec<Vec<u8>>>)>, LabError> {
        let mut found = Vec::new();
        for admin in self.leaders().await? {
            let all = keyspace::all(admin, &self.prefix).await?;
            let apart = match self.topology() {
                Topology::Cluster => keyspace::by_slot(admin, all).await?,
                _ => vec![all],
            };
            let batches = apart.iter().flat_map(|keys| keys.chunks(longest)).map(<[_]>::to_vec).collect();
            found.push((admin, batches));
        }
        Ok(found)
    }

    /// Tries `commands` on two keys of the drill; in a cluster, on the server that has these keys.
    ///
    /// # Errors
    /// [`RedisFailure::Lacks`], with the server's message, for the first command refused; otherwise the same as
    /// [`Admin::query`].
    pub async fn try_out(&self, commands: &[&'static str]) -> Result<(), LabError> {
        let mut tried = Ok(());
        for admin in self.leaders().await? {
            tried = trial::try_out(admin, &self.prefix, commands).await;
            if !tried.as_ref().is_err_and(is_elsewhere) {
                break;
            }
        }
        tried
    }

    /// How many keys the drill has.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn count_keys(&self) -> Result<u64, LabError> {
        let mut found = 0;
        for admin in self.leaders().await? {
            found += keyspace::count(admin, &self.prefix).await?;
        }
        Ok(found)
    }

    /// A replica that follows `primary`.
    ///
    /// # Errors
    /// [`ServerError::NotTogether`] if none says that it does.
    pub async fn replica_of(&self, primary: &Arc<dyn Server>) -> Result<&Arc<dyn Server>, LabError> {
        let mut seen = "no server follows it".to_owned();
        for server in self.servers().iter().filter(|server| !Arc::ptr_eq(server, primary)) {
            match server.admin().query::<String>(::redis::cmd("INFO").arg("replication")).await {
                Ok(info) => match followed(&info) {
                    Some((host, port)) if primary.is_known_as(host, port) => return Ok(server),
                    _ => {}
                },
                Err(error) => seen = error.to_string(),
            }
        }
        let what = "no replica could take over";
        Err(LabError::Server(ServerError::NotTogether { what, deadline: Admin::DEADLINE, seen }))
    }

    /// Deletes the drill's keys and nothing else; returns how many there were.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn remove_keys(&self) -> Result<u64, LabError> {
        let mut removed = 0;
        for admin in self.leaders().await? {
            removed += keyspace::remove(admin, &self.prefix).await?;
        }
        Ok(removed)
    }

    /// Leaves no trace: deletes the drill's keys from an external Redis, removes a container. A managed Redis goes away
    /// when this value drops.
    ///
    /// # Errors
    /// Same as [`Lab::remove_keys`] and [`Server::remove`].
    pub async fn tear_down(&self) -> Result<(), LabError> {
        if !self.is_managed() {
            let removed = self.remove_keys().await?;
            tracing::debug!(removed, "removed the drill's keys");
        }
        for server in self.servers.all() {
            server.remove().await?;
        }
        Ok(())
    }
}

/// The primary that a replica follows, as its INFO names it.
fn followed(info: &str) -> Option<(&str, u16)> {
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    Some((field("master_host:")?, field("master_port:")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_names_the_primary_that_it_follows() {
        let info =
            "# Replication\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6380\r\nmaster_link_status:up\r\n";
        assert_eq!(followed(info), Some(("10.0.0.1", 6380)));
        assert_eq!(followed("# Replication\r\nrole:master\r\n"), None);
    }
}

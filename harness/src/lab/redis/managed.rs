//! A private `redis-server`: a child process on a free loopback port, with its data and log in a temporary folder. It
//! can be killed, stopped and restarted on its data, and it never outlives the harness, however the harness ends.

use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::binary::RedisBinary;
use super::file_limit;
use crate::lab::admin::{Admin, RedisInfo};
use crate::lab::append_file::AppendFile;
use crate::lab::error::{LabError, ServerError};
use crate::lab::folder::{LabFolder, default_parent};
use crate::lab::persistence::Persistence;
use crate::lab::process::{
    Output, Program, Readiness, ServerChild, ServerProcess, Supervised, a_port, on_free_port, outlive_full_disk,
};
use crate::lab::server::{AnnouncedProxies, OwnServer, Server};
use crate::lab::store_user::StoreUser;
use crate::lab::url::RedisUrl;

/// How to run a managed Redis.
#[derive(Debug, Clone)]
pub struct ManagedConfig {
    /// The server binary; [`RedisBinary::find`] looks for it if none is named.
    pub binary: Option<PathBuf>,
    /// Its persistence.
    pub persistence: Persistence,
    /// Memory limit in MiB, enforced by refusing writes (`noeviction`); none by default.
    pub maxmemory_mb: Option<u32>,
    /// The time limit for a start, including loading the data.
    pub start_deadline: Duration,
    /// The parent of the temporary folder; [`default_parent`] by default.
    pub temp: PathBuf,
    /// Its role in the group.
    pub role: ServerRole,
    /// Additional configuration lines.
    pub directives: String,
    /// Whether it has a Unix socket in its folder as well.
    pub unix_socket: bool,
    /// The user as which the store logs in; `None`: without a login.
    pub user: Option<StoreUser>,
    /// Puts a proxy in front of it if others learn its address from the server itself: [`ServerRole::Data`] and
    /// [`ServerRole::Node`] then announce the proxy's address instead of their own.
    pub proxies: Option<Arc<dyn AnnouncedProxies>>,
}

/// The role of a server in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServerRole {
    /// It holds data.
    #[default]
    Data,
    /// It holds data and has a TLS port besides the plain one.
    Tls,
    /// It holds data and has a port for the other nodes of its cluster.
    Node,
    /// It watches the servers that hold data.
    Sentinel,
}

impl ServerRole {
    /// The directive for its second port, which is chosen together with the first.
    fn second_port(self) -> Option<&'static str> {
        match self {
            Self::Data | Self::Sentinel => None,
            Self::Tls => Some("tls-port"),
            Self::Node => Some("cluster-port"),
        }
    }
}

impl Default for ManagedConfig {
    fn default() -> Self {
        Self {
            binary: None,
            persistence: Persistence::default(),
            maxmemory_mb: None,
            start_deadline: Duration::from_secs(30),
            temp: default_parent(),
            role: ServerRole::default(),
            directives: String::new(),
            unix_socket: false,
            user: None,
            proxies: None,
        }
    }
}

/// The name of its Unix socket, in its folder.
const UNIX_SOCKET: &str = "redis.sock";

/// Its name in errors.
const NAME: &str = "redis-server";

/// A `redis-server` that the drill owns. Dropping it kills the server and removes its data.
pub struct ManagedRedis {
    // Fields drop in order: the server must go before its folder.
    child: ServerChild,
    files: Files,
    port: u16,
    second_port: Option<u16>,
    /// The address it announces.
    announced: SocketAddr,
    url: RedisUrl,
    persistence: Persistence,
    unix_socket: Option<PathBuf>,
}

/// What a start needs: the binary, its configuration, and the line that checks readiness.
struct Files {
    binary: RedisBinary,
    role: ServerRole,
    admin: Admin,
    folder: LabFolder,
}

impl ManagedRedis {
    /// Starts a server and returns once it serves. If another process takes the port first, it tries another.
    ///
    /// # Errors
    /// [`Missing::NoRedisServer`](crate::lab::Missing::NoRedisServer) and
    /// [`Missing::BadBinary`](crate::lab::Missing::BadBinary) before anything is started; [`ServerError::Exited`] and
    /// [`ServerError::NotReady`] with the end of the server's log.
    pub async fn start(config: &ManagedConfig) -> Result<Self, LabError> {
        let binary = RedisBinary::find(config.binary.as_deref()).await?;
        let started = on_free_port(|port| Self::prepare(&binary, config, port), |redis| (&redis.child, &redis.files));
        started.await?.behind(config.proxies.as_deref()).await
    }

    fn prepare(binary: &RedisBinary, config: &ManagedConfig, port: u16) -> Result<Self, LabError> {
        let folder = LabFolder::create(&config.temp)
            .map_err(|error| LabError::system(format!("making a folder in {}", config.temp.display()), error))?;
        let second_port = config.role.second_port().map(|_| a_port()).transpose()?;
        let conf = folder.path().join("redis.conf");
        std::fs::write(&conf, settings(binary, config, (port, second_port), folder.path()))
            .map_err(|error| LabError::system(format!("writing {}", conf.display()), error))?;
        let url = RedisUrl::plain(&Ipv4Addr::LOCALHOST.to_string(), port)?;
        let log = folder.path().join("redis.log");
        let admin = Admin::new(&url, Admin::DEADLINE)?;
        let unix_socket = config.unix_socket.then(|| folder.path().join(UNIX_SOCKET));
        Ok(Self {
            child: ServerChild::new(NAME, Output { out: log.clone(), log }, config.start_deadline),
            files: Files { binary: binary.clone(), role: config.role, admin, folder },
            port,
            second_port,
            announced: (Ipv4Addr::LOCALHOST, port).into(),
            url,
            persistence: config.persistence,
            unix_socket,
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The address it announces: its own, or that of the proxy in front of it.
    pub fn announced(&self) -> SocketAddr {
        self.announced
    }

    /// Lets `proxies` put a proxy in front of it, and announces the proxy's address now and after every restart.
    async fn behind(mut self, proxies: Option<&dyn AnnouncedProxies>) -> Result<Self, LabError> {
        let words = match self.files.role {
            ServerRole::Data => ["replica-announce-ip", "replica-announce-port"],
            ServerRole::Node => ["cluster-announce-ip", "cluster-announce-port"],
            ServerRole::Tls | ServerRole::Sentinel => return Ok(self),
        };
        let Some(proxies) = proxies else { return Ok(self) };
        let announced = proxies.before(&self.address().to_string()).await?;
        let mut lines = String::new();
        for (word, value) in words.into_iter().zip([announced.ip().to_string(), announced.port().to_string()]) {
            self.admin().query::<()>(redis::cmd("CONFIG").arg("SET").arg(word).arg(&value)).await?;
            lines.push_str(&format!("\n{word} {value}\n"));
        }
        let conf = self.folder().join("redis.conf");
        let written = File::options().append(true).open(&conf).and_then(|mut file| file.write_all(lines.as_bytes()));
        written.map_err(|error| LabError::system(format!("writing {}", conf.display()), error))?;
        self.announced = announced;
        Ok(self)
    }

    /// The port of [`ServerRole::Tls`] or of [`ServerRole::Node`].
    pub fn second_port(&self) -> Option<u16> {
        self.second_port
    }

    /// Its direct URL.
    pub fn url(&self) -> &RedisUrl {
        &self.url
    }

    /// A direct line to it.
    pub fn admin(&self) -> &Admin {
        &self.files.admin
    }

    /// The binary it runs.
    pub fn binary(&self) -> &RedisBinary {
        &self.files.binary
    }

    /// The folder of its data, configuration and log; removed with this value.
    pub fn folder(&self) -> &Path {
        self.files.folder.path()
    }

    /// The time limit for a start.
    pub fn start_deadline(&self) -> Duration {
        self.child.start_deadline()
    }

    /// The INFO of the server.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn info(&self) -> Result<RedisInfo, LabError> {
        self.admin().info().await
    }

    /// Shuts it down (SIGTERM), letting it write its data first. Succeeds if there is no process.
    ///
    /// # Errors
    /// [`ServerError::Unresponsive`] if it still runs after 30 s.
    pub async fn stop(&self) -> Result<(), LabError> {
        self.child.stop().await
    }

    /// Shuts it down and starts it again on its data, at the same port.
    ///
    /// # Errors
    /// Same as [`ManagedRedis::stop`] and [`ServerProcess::ensure_running`].
    pub async fn restart(&self) -> Result<(), LabError> {
        self.stop().await?;
        self.ensure_running().await
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        self.child.log_tail()
    }
}

#[async_trait::async_trait]
impl Program for Files {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary.path);
        command
            .arg(self.folder.path().join("redis.conf"))
            .args((self.role == ServerRole::Sentinel).then_some("--sentinel"))
            .current_dir(self.folder.path());
        outlive_full_disk(&mut command);
        command
    }

    /// The answer must come from the process just started: on a taken port, another server answers.
    async fn readiness(&self, pid: u32) -> Readiness {
        match self.admin.info().await {
            Ok(info) if info.pid == pid && info.loading => Readiness::Loading,
            Ok(info) if info.pid == pid => Readiness::Ready,
            _ => Readiness::NotYet,
        }
    }
}

impl Supervised for ManagedRedis {
    fn child(&self) -> &ServerChild {
        &self.child
    }

    fn program(&self) -> &dyn Program {
        &self.files
    }
}

#[async_trait::async_trait]
impl OwnServer for ManagedRedis {
    fn persistence(&self) -> Persistence {
        self.persistence
    }

    fn append_file(&self) -> AppendFile {
        AppendFile::in_folder(self.folder())
    }

    fn limit_files(&self, bytes: Option<u64>) -> Result<(), LabError> {
        let pid = self.pid().ok_or(LabError::Server(ServerError::NotRunning { server: NAME, verb: "limited" }))?;
        file_limit::set(pid, bytes).map_err(|error| LabError::system("limiting the file size of redis-server", error))
    }

    async fn restart_loading(&self, arguments: &[String]) -> Result<(), LabError> {
        self.child.restart_loading(&self.files, arguments).await
    }

    async fn discard_data(&self) -> Result<(), LabError> {
        let folder = self.folder().to_owned();
        self.child.between_lives(|| discard(&folder)).await
    }
}

impl Server for ManagedRedis {
    fn url(&self) -> &RedisUrl {
        &self.url
    }

    fn admin(&self) -> &Admin {
        &self.files.admin
    }

    fn address(&self) -> Option<SocketAddr> {
        Some(ManagedRedis::address(self))
    }

    fn announced(&self) -> Option<SocketAddr> {
        Some(self.announced)
    }

    fn unix_socket(&self) -> Option<&Path> {
        self.unix_socket.as_deref()
    }

    fn process(&self) -> Option<&dyn ServerProcess> {
        Some(self)
    }

    fn own(&self) -> Option<&dyn OwnServer> {
        Some(self)
    }
}

/// Deletes the data files of the server in `folder`.
fn discard(folder: &Path) -> Result<(), LabError> {
    for name in ["dump.rdb", "appendonly.aof", "appendonlydir"] {
        let path = folder.join(name);
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(LabError::system(format!("deleting {}", path.display()), error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The text of redis.conf. All other settings keep Redis's defaults, so that a drill meets what production has.
fn settings(binary: &RedisBinary, config: &ManagedConfig, ports: (u16, Option<u16>), folder: &Path) -> String {
    let (port, second_port) = ports;
    let mut text = format!(
        "bind 127.0.0.1\nport {port}\nprotected-mode yes\ndaemonize no\nloglevel notice\nlogfile \"\"\ndir \"{}\"\n",
        folder.display()
    );
    if let Some((directive, port)) = config.role.second_port().zip(second_port) {
        text.push_str(&format!("{directive} {port}\n"));
    }
    if config.unix_socket {
        text.push_str(&format!("unixsocket \"{}\"\nunixsocketperm 700\n", folder.join(UNIX_SOCKET).display()));
    }
    if config.role != ServerRole::Sentinel {
        text.push_str(&data_settings(binary, config));
    }
    text.push_str(&config.directives);
    text
}

fn data_settings(binary: &RedisBinary, config: &ManagedConfig) -> String {
    let mut text = config.persistence.settings().to_owned();
    if let Some(megabytes) = config.maxmemory_mb {
        text.push_str(&format!("maxmemory {megabytes}mb\nmaxmemory-policy noeviction\n"));
    }
    text.extend(config.user.as_ref().map(StoreUser::directive));
    // Redis 7.0 disabled DEBUG by default and added this setting to enable it; older versions neither know nor need it.
    if binary.version.major >= 7 {
        text.push_str("enable-debug-command local\n");
    }
    text
}

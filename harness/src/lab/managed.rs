//! A private `redis-server`: a child process on a free loopback port, with its data and its log in a temporary folder.
//! It may be killed, stopped and restarted on its data, and it is gone when the harness is, however the harness ended.

use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use super::admin::{Admin, RedisInfo};
use super::append_file::AppendFile;
use super::binary::RedisBinary;
use super::child::{OwnedChild, outlive_full_disk};
use super::error::LabError;
use super::file_limit;
use super::folder::{LabFolder, default_parent};
use super::persistence::Persistence;
use super::port::free_port;
use super::process::{ProcessState, ServerProcess};
use super::tended::Tended;
use super::topology::Doors;
use super::url::RedisUrl;

/// How a managed Redis is to be run.
#[derive(Debug, Clone)]
pub struct ManagedConfig {
    /// The server binary; found by [`RedisBinary::find`] where none is named.
    pub binary: Option<PathBuf>,
    /// What it keeps across a restart.
    pub persistence: Persistence,
    /// Memory limit in MiB, enforced by refusing writes (`noeviction`); none by default.
    pub maxmemory_mb: Option<u32>,
    /// The time a start may take, reading the data included.
    pub start_deadline: Duration,
    /// The folder in which the temporary folder is made; [`default_parent`] by default.
    pub temp: PathBuf,
    /// What it is to others.
    pub role: ServerRole,
    /// Further lines of its configuration.
    pub directives: String,
    /// What is to stand before it, where others learn its address from itself: [`ServerRole::Data`] and
    /// [`ServerRole::Node`] announce that address instead of their own.
    pub doors: Option<Arc<dyn Doors>>,
}

/// What a server is to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServerRole {
    /// It has data.
    #[default]
    Data,
    /// The same, and a port for TLS beside its plain one.
    Tls,
    /// It has data, and a port for the other nodes of its cluster.
    Node,
    /// It watches those that have data.
    Sentinel,
}

impl ServerRole {
    /// The directive of its second port, which is chosen with the first.
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
            doors: None,
        }
    }
}

/// Ports tried before a start is given up.
const PORT_TRIES: u32 = 10;

/// What errors call it.
const NAME: &str = "redis-server";

/// How long an orderly shutdown may take: Redis writes its data first.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// Between two looks at a server that starts.
const POLL: Duration = Duration::from_millis(3);

/// Lines of the log that an error shows.
const LOG_LINES: usize = 20;

/// A `redis-server` that the drill owns. Dropping it kills the server and removes its data.
pub struct ManagedRedis {
    binary: RedisBinary,
    port: u16,
    second_port: Option<u16>,
    /// Where others find it.
    announced: SocketAddr,
    role: ServerRole,
    url: RedisUrl,
    admin: Admin,
    start_deadline: Duration,
    persistence: Persistence,
    /// One change of the process's life at a time. Dropping does not wait for it.
    lifecycle: tokio::sync::Mutex<()>,
    // The order matters: the server goes before its folder.
    child: Tended,
    folder: LabFolder,
}

/// Why one attempt to start did not give a ready server.
enum StartFailure {
    PortTaken,
    Other(LabError),
}

impl From<LabError> for StartFailure {
    fn from(error: LabError) -> Self {
        StartFailure::Other(error)
    }
}

impl ManagedRedis {
    /// Starts a server and returns when it serves. A port that somebody else takes in the meantime is replaced.
    ///
    /// # Errors
    /// [`LabError::NoRedisServer`] and [`LabError::BadBinary`] before anything is started; [`LabError::Exited`] and
    /// [`LabError::NotReady`] with the end of the server's log.
    pub async fn start(config: &ManagedConfig) -> Result<Self, LabError> {
        let binary = RedisBinary::find(config.binary.as_deref()).await?;
        let mut tries = 1;
        loop {
            let redis = Self::prepare(&binary, config)?;
            match redis.launch(Instant::now() + config.start_deadline).await {
                Ok(()) => return redis.behind(config.doors.as_deref()).await,
                Err(StartFailure::PortTaken) if tries < PORT_TRIES => tries += 1,
                Err(failure) => return Err(redis.start_error(failure)),
            }
        }
    }

    fn prepare(binary: &RedisBinary, config: &ManagedConfig) -> Result<Self, LabError> {
        let folder = LabFolder::create(&config.temp)
            .map_err(|error| LabError::system(format!("making a folder in {}", config.temp.display()), error))?;
        let port = port()?;
        let second_port = config.role.second_port().map(|_| self::port()).transpose()?;
        let conf = folder.path().join("redis.conf");
        std::fs::write(&conf, settings(binary, config, (port, second_port), folder.path()))
            .map_err(|error| LabError::system(format!("writing {}", conf.display()), error))?;
        let url = RedisUrl::plain(&Ipv4Addr::LOCALHOST.to_string(), port)?;
        Ok(Self {
            binary: binary.clone(),
            port,
            second_port,
            announced: (Ipv4Addr::LOCALHOST, port).into(),
            role: config.role,
            admin: Admin::new(&url, Admin::DEADLINE)?,
            url,
            start_deadline: config.start_deadline,
            persistence: config.persistence,
            lifecycle: tokio::sync::Mutex::default(),
            child: Tended::new(NAME),
            folder,
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The address under which others know it: its own, or that of what stands before it.
    pub fn announced(&self) -> SocketAddr {
        self.announced
    }

    /// Has `doors` put something before it, and announces that address, now and after every restart.
    async fn behind(mut self, doors: Option<&dyn Doors>) -> Result<Self, LabError> {
        let words = match self.role {
            ServerRole::Data => ["replica-announce-ip", "replica-announce-port"],
            ServerRole::Node => ["cluster-announce-ip", "cluster-announce-port"],
            ServerRole::Tls | ServerRole::Sentinel => return Ok(self),
        };
        let Some(doors) = doors else { return Ok(self) };
        let announced = doors.before(self.address()).await?;
        let mut lines = String::new();
        for (word, value) in words.into_iter().zip([announced.ip().to_string(), announced.port().to_string()]) {
            self.admin.query::<()>(redis::cmd("CONFIG").arg("SET").arg(word).arg(&value)).await?;
            lines.push_str(&format!("\n{word} {value}\n"));
        }
        let conf = self.folder.path().join("redis.conf");
        let written = File::options().append(true).open(&conf).and_then(|mut file| file.write_all(lines.as_bytes()));
        written.map_err(|error| LabError::system(format!("writing {}", conf.display()), error))?;
        self.announced = announced;
        Ok(self)
    }

    /// The port of [`ServerRole::Tls`] or of [`ServerRole::Node`].
    pub fn second_port(&self) -> Option<u16> {
        self.second_port
    }

    /// Its URL.
    pub fn url(&self) -> &RedisUrl {
        &self.url
    }

    /// A direct line to it.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The binary it runs.
    pub fn binary(&self) -> &RedisBinary {
        &self.binary
    }

    /// The folder of its data, configuration and log; gone with this value.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The time that a start may take.
    pub fn start_deadline(&self) -> Duration {
        self.start_deadline
    }

    /// What it keeps across a restart.
    pub fn persistence(&self) -> Persistence {
        self.persistence
    }

    /// Its append-only file.
    pub fn append_file(&self) -> AppendFile {
        AppendFile::in_folder(self.folder.path())
    }

    /// Lets no file of its process grow beyond `bytes` (RLIMIT_FSIZE): a write that would is refused, as on a full disk.
    /// `None` lifts the limit.
    ///
    /// # Errors
    /// [`LabError::NotRunning`]; [`LabError::System`] where the system has no such limit.
    pub fn limit_files(&self, bytes: Option<u64>) -> Result<(), LabError> {
        let pid = self.pid().ok_or(LabError::NotRunning { server: NAME, verb: "limited" })?;
        file_limit::set(pid, bytes).map_err(|error| LabError::system("limiting the file size of redis-server", error))
    }

    /// Ends it in order and starts it on its data with the further `arguments`. Returns when it is seen loading.
    ///
    /// # Errors
    /// As [`ManagedRedis::stop`] and [`ServerProcess::ensure_running`], and [`LabError::NothingToLoad`].
    pub async fn restart_loading(&self, arguments: &[String]) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.end(Signal::SIGTERM, "end", STOP_DEADLINE).await?;
        let until = Instant::now() + self.start_deadline;
        let log_before = self.log_length();
        let child = self.spawn(arguments)?;
        let pid = child.pid();
        self.child.adopt(child);
        loop {
            if let Some(status) = self.child.reap()? {
                return Err(self.start_error(self.why_ended(status, log_before)));
            }
            match self.admin.info().await {
                Ok(info) if info.pid == pid && info.loading => return Ok(()),
                Ok(info) if info.pid == pid => return Err(LabError::NothingToLoad),
                _ if Instant::now() >= until => {
                    let (deadline, log_tail) = (self.start_deadline, self.log_tail());
                    return Err(LabError::NotReady { server: NAME, deadline, log_tail });
                }
                _ => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Throws away what it has written to disk, so that its next start finds nothing. Only while it is dead.
    ///
    /// # Errors
    /// [`LabError::System`] where a file cannot be deleted.
    pub async fn discard_data(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        let folder = self.folder.path();
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

    /// What it says of itself.
    ///
    /// # Errors
    /// As [`Admin::query`].
    pub async fn info(&self) -> Result<RedisInfo, LabError> {
        self.admin.info().await
    }

    /// Ends it in order (SIGTERM): it may write its data first. A server that is not there is fine.
    ///
    /// # Errors
    /// [`LabError::Unresponsive`] if it still runs after 30 s.
    pub async fn stop(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.end(Signal::SIGTERM, "end", STOP_DEADLINE).await
    }

    /// Ends it in order and starts it again on its data, at the same port.
    ///
    /// # Errors
    /// As [`ManagedRedis::stop`] and [`ServerProcess::ensure_running`].
    pub async fn restart(&self) -> Result<(), LabError> {
        self.stop().await?;
        self.ensure_running().await
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let log = std::fs::read(self.log_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("redis.log")
    }

    /// Starts the process and waits until it serves, at most until `until`.
    async fn launch(&self, until: Instant) -> Result<(), StartFailure> {
        let log_before = self.log_length();
        let child = self.spawn(&[])?;
        let pid = child.pid();
        self.child.adopt(child);
        self.ready(pid, log_before, until).await
    }

    /// Waits until process `pid` serves. One that does not by then is killed.
    async fn ready(&self, pid: u32, log_before: usize, until: Instant) -> Result<(), StartFailure> {
        loop {
            if let Some(status) = self.child.reap()? {
                return Err(self.why_ended(status, log_before));
            }
            // Whoever answers must be the process just started: on a port taken by somebody else, another one does.
            match self.admin.info().await {
                Ok(info) if info.pid == pid && !info.loading => return Ok(()),
                _ if Instant::now() >= until => {
                    self.child.forget();
                    let (deadline, log_tail) = (self.start_deadline, self.log_tail());
                    return Err(LabError::NotReady { server: NAME, deadline, log_tail }.into());
                }
                _ => tokio::time::sleep(POLL).await,
            }
        }
    }

    fn spawn(&self, arguments: &[String]) -> Result<OwnedChild, LabError> {
        let path = self.log_path();
        let open = || File::options().create(true).append(true).open(&path);
        let system = |error| LabError::system(format!("opening {}", path.display()), error);
        let mut command = Command::new(&self.binary.path);
        command
            .arg(self.folder.path().join("redis.conf"))
            .args((self.role == ServerRole::Sentinel).then_some("--sentinel"))
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(open().map_err(system)?)
            .stderr(open().map_err(system)?);
        outlive_full_disk(&mut command);
        OwnedChild::spawn(command)
            .map_err(|error| LabError::system(format!("starting {}", self.binary.path.display()), error))
    }

    fn log_length(&self) -> usize {
        std::fs::metadata(self.log_path()).map_or(0, |meta| meta.len() as usize)
    }

    fn why_ended(&self, status: ExitStatus, log_before: usize) -> StartFailure {
        let log = std::fs::read(self.log_path()).unwrap_or_default();
        let said = String::from_utf8_lossy(log.get(log_before..).unwrap_or_default());
        if said.contains("Address already in use") {
            return StartFailure::PortTaken;
        }
        LabError::Exited { server: NAME, status: status.to_string(), log_tail: self.log_tail() }.into()
    }

    fn start_error(&self, failure: StartFailure) -> LabError {
        match failure {
            StartFailure::Other(error) => error,
            StartFailure::PortTaken => {
                LabError::Exited { server: NAME, status: "its port was taken".to_owned(), log_tail: self.log_tail() }
            }
        }
    }
}

#[async_trait::async_trait]
impl ServerProcess for ManagedRedis {
    fn pid(&self) -> Option<u32> {
        self.child.pid()
    }

    fn state(&self) -> ProcessState {
        self.child.state()
    }

    async fn kill(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.kill().await
    }

    async fn ensure_running(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        let until = Instant::now() + self.start_deadline;
        loop {
            let started = match (self.pid(), self.state()) {
                (Some(_), ProcessState::Stopped) => return Ok(()),
                // An earlier start may have been left waiting half-way.
                (Some(pid), _) => self.ready(pid, self.log_length(), until).await,
                (None, _) => self.launch(until).await,
            };
            match started {
                Ok(()) => return Ok(()),
                // The port is the address everybody knows: wait for it rather than move.
                Err(StartFailure::PortTaken) if Instant::now() < until => tokio::time::sleep(POLL).await,
                Err(failure) => return Err(self.start_error(failure)),
            }
        }
    }

    async fn pause(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.pause().await
    }

    async fn resume(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.resume().await
    }
}

fn port() -> Result<u16, LabError> {
    free_port().map_err(|error| LabError::system("looking for a free port on 127.0.0.1", error))
}

/// The text of redis.conf. Everything else stays as Redis ships it, so that a drill meets what production has.
fn settings(binary: &RedisBinary, config: &ManagedConfig, ports: (u16, Option<u16>), folder: &Path) -> String {
    let (port, second_port) = ports;
    let mut text = format!(
        "bind 127.0.0.1\nport {port}\nprotected-mode yes\ndaemonize no\nloglevel notice\nlogfile \"\"\ndir \"{}\"\n",
        folder.display()
    );
    if let Some((directive, port)) = config.role.second_port().zip(second_port) {
        text.push_str(&format!("{directive} {port}\n"));
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
    // Redis 7.0 closed DEBUG and opens it by this setting; older ones know neither the setting nor the need.
    if binary.version.major >= 7 {
        text.push_str("enable-debug-command local\n");
    }
    text
}

//! The direct connection to Redis, bypassing the proxy: for inspection (INFO, key scans) and cleanup. Every call has a
//! deadline and reconnects if the last connection broke, so it works before, during and after any fault.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use firedrill_storage::redis_store::HandshakeError;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, RedisError, RedisResult};
use tokio::net::TcpStream;
use tokio::runtime::{Handle, Id};

use super::dialer::{DialError, Dialer};
use super::error::{LabError, RedisFailure};
use super::url::RedisUrl;

/// A direct connection to one Redis server. If an idle connection turns out to be broken, the command is sent once
/// more, so every command must be harmless when run twice.
pub struct Admin {
    url: RedisUrl,
    dialer: Dialer,
    deadline: Duration,
    /// The idle connection and the runtime that drives it: on any other runtime it would hang.
    idle: Mutex<Option<(Id, MultiplexedConnection)>>,
}

impl Admin {
    /// The default deadline of a command.
    pub const DEADLINE: Duration = Duration::from_secs(5);

    /// Prepares a line to the Redis at `url` without connecting; each call takes at most `deadline`.
    ///
    /// # Errors
    /// [`Mismatch::TlsSetup`](crate::lab::Mismatch::TlsSetup) if a TLS file cannot be used.
    pub fn new(url: &RedisUrl, deadline: Duration) -> Result<Self, LabError> {
        Ok(Self { url: url.clone(), dialer: Dialer::of(url)?, deadline, idle: Mutex::new(None) })
    }

    /// Host and port of its server.
    pub fn address(&self) -> String {
        self.url.address()
    }

    /// Sends `command` and reads its answer as `T`.
    ///
    /// # Errors
    /// [`RedisFailure::Unreachable`], [`RedisFailure::Handshake`], [`RedisFailure::NoAnswer`], or
    /// [`RedisFailure::Refused`] with the server's words.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, LabError> {
        self.send(Request::One(command)).await
    }

    /// Sends the commands of `pipeline` in one go and reads their answers as `T`.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, LabError> {
        self.send(Request::Many(pipeline)).await
    }

    /// Sends PING and expects an answer.
    ///
    /// # Errors
    /// Same as [`Admin::query`]; a server that is still loading its data refuses.
    pub async fn ping(&self) -> Result<(), LabError> {
        self.query::<String>(&redis::cmd("PING")).await.map(drop)
    }

    /// The server's own report (INFO).
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn info(&self) -> Result<RedisInfo, LabError> {
        let text: String = self.query(redis::cmd("INFO").arg("ALL")).await?;
        Ok(RedisInfo::parse(&text))
    }

    /// The same, with the buffers of connections as they are now: INFO alone has them as they were up to a second ago. Servers that
    /// do not tell what each client takes (before 7.0) keep what INFO says.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn info_with_buffers(&self) -> Result<RedisInfo, LabError> {
        let mut both = redis::pipe();
        both.cmd("INFO").arg("ALL").cmd("CLIENT").arg("LIST");
        let (text, clients): (String, String) = self.pipeline(&both).await?;
        let mut info = RedisInfo::parse(&text);
        info.client_memory = buffers(&clients).unwrap_or(info.client_memory);
        Ok(info)
    }

    async fn send<T: FromRedisValue>(&self, request: Request<'_>) -> Result<T, LabError> {
        let runtime = Handle::current().id();
        let shaking = AtomicBool::new(false);
        let attempt = async {
            let idle = self.idle.lock().take().filter(|(home, _)| *home == runtime);
            if let Some((_, mut connection)) = idle {
                match request.over(&mut connection).await {
                    Err(error) if error.is_unrecoverable_error() => {}
                    answered => {
                        *self.idle.lock() = Some((runtime, connection));
                        return answered.map_err(|error| self.explain(&error));
                    }
                }
            }
            let mut connection = self.connect(&shaking).await?;
            let answered = request.over(&mut connection).await;
            *self.idle.lock() = Some((runtime, connection));
            answered.map_err(|error| self.explain(&error))
        };
        // On a timeout, the connection is dropped together with its pending reply; no other call can have taken it.
        match tokio::time::timeout(self.deadline, attempt).await {
            Ok(answered) => answered,
            Err(_) => {
                let (address, deadline) = (self.url.address(), self.deadline);
                Err(match shaking.load(Relaxed) {
                    true => LabError::Redis(RedisFailure::NoHandshake { address, deadline }),
                    false => LabError::Redis(RedisFailure::NoAnswer { address, deadline }),
                })
            }
        }
    }

    /// Opens a connection; `shaking` is true during the handshake.
    async fn connect(&self, shaking: &AtomicBool) -> Result<MultiplexedConnection, LabError> {
        let failed = |error| match error {
            DialError::Connect(error) => {
                LabError::Redis(RedisFailure::Unreachable { address: self.url.address(), reason: error.to_string() })
            }
            DialError::Handshake(reason) => {
                LabError::Redis(RedisFailure::Handshake { address: self.url.address(), reason })
            }
        };
        let stream =
            TcpStream::connect((self.url.host(), self.url.port())).await.map_err(|error| failed(error.into()))?;
        shaking.store(self.dialer.is_tls(), Relaxed);
        let line = self.dialer.secure(stream).await.map_err(failed)?;
        shaking.store(false, Relaxed);
        // The deadline around the whole call is the only one: the client's defaults are shorter and cover less.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let (connection, driver) =
            MultiplexedConnection::new_with_config(self.url.settings(), line, config).await.map_err(|error| {
                match self.explain(&error) {
                    // Accepted, then closed before the first answer.
                    LabError::Redis(RedisFailure::Unreachable { address, reason }) if !self.dialer.is_tls() => {
                        let reason =
                            format!("{reason} (does it want TLS on this port? Then the URL begins with rediss://)");
                        LabError::Redis(RedisFailure::Unreachable { address, reason })
                    }
                    other => other,
                }
            })?;
        // The driver task ends with the connection.
        tokio::spawn(driver);
        Ok(connection)
    }

    fn explain(&self, error: &RedisError) -> LabError {
        let address = self.url.address();
        // Under TLS 1.3 a server refuses a client only after the handshake, with an alert in place of its first answer.
        if self.dialer.is_tls() && error.to_string().contains("received fatal alert") {
            LabError::Redis(RedisFailure::Handshake { address, reason: HandshakeError::Refused })
        } else if error.is_io_error() {
            LabError::Redis(RedisFailure::Unreachable { address, reason: error.to_string() })
        } else {
            LabError::Redis(RedisFailure::Refused { address, answer: error.to_string() })
        }
    }
}

/// What one call sends.
enum Request<'a> {
    One(&'a Cmd),
    Many(&'a Pipeline),
}

impl Request<'_> {
    async fn over<T: FromRedisValue>(&self, connection: &mut MultiplexedConnection) -> RedisResult<T> {
        match self {
            Request::One(command) => command.query_async(connection).await,
            Request::Many(pipeline) => pipeline.query_async(connection).await,
        }
    }
}

/// What the clients of a `CLIENT LIST` take together, bytes; `None` if a line does not tell.
fn buffers(clients: &str) -> Option<u64> {
    let each = |line: &str| line.split(' ').find_map(|field| field.strip_prefix("tot-mem=")?.parse::<u64>().ok());
    clients.lines().map(each).sum()
}

/// The part of INFO that a drill uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct RedisInfo {
    /// Server version.
    pub version: String,
    /// Process id of the server on its own machine.
    pub pid: u32,
    /// Changes with every start of the server.
    pub run_id: String,
    /// Memory in use by data and buffers, bytes.
    pub used_memory: u64,
    /// Memory that the operating system gave it, bytes.
    pub resident: u64,
    /// Memory in use by connections of clients, bytes; 0 if the server does not report it.
    pub client_memory: u64,
    /// The allocator: `jemalloc-5.3.0`, `libc`.
    pub allocator: String,
    /// Whether a child process saves a snapshot now.
    pub saving: bool,
    /// Bytes that the child process at work has made the server copy, at most so far.
    pub copied_now: u64,
    /// Bytes that the last snapshot made the server copy.
    pub copied_last: u64,
    /// CPU time used since the start, user and system, milliseconds.
    pub cpu_ms: u64,
    /// CPU time that the main thread, which executes the commands, used since the start, user and system, microseconds; 0 if
    /// the server does not report it (before 6.2).
    pub main_thread_us: u64,
    /// Memory limit, bytes; 0 if there is none.
    pub maxmemory: u64,
    /// What happens at the memory limit: `noeviction`, `allkeys-lru` and so on.
    pub policy: String,
    /// Memory of the machine, bytes; 0 if the server does not report it.
    pub system_memory: u64,
    /// Keys in all databases.
    pub keys: u64,
    /// Keys with an expiry in all databases.
    pub expiring: u64,
    /// Connections of clients, this one included.
    pub connected_clients: u64,
    /// Connected replicas.
    pub replicas: u64,
    /// Whether the server is still reading its data from disk and refuses commands.
    pub loading: bool,
    /// `master` or `slave`.
    pub role: String,
    /// The server's mode: `standalone`, `sentinel` or `cluster`.
    pub mode: String,
    /// Whether every write goes to an append-only file.
    pub appends: bool,
    /// How often a write to the append-only file had to wait for an fsync of the one before, since the start.
    pub delayed_fsyncs: u64,
    /// Bytes received from clients and replicas, since the start.
    pub net_input: u64,
    /// Bytes sent to clients and replicas, since the start.
    pub net_output: u64,
    /// Whether the last save or append failed: Redis may then refuse writes (MISCONF).
    pub save_failed: bool,
    /// Keys evicted to stay within the memory limit, since the start.
    pub evicted_keys: u64,
    /// Commands refused because Redis could not save its data (MISCONF), since the start.
    pub misconf_refusals: u64,
    /// Commands refused because Redis was out of memory (OOM), since the start.
    pub oom_refusals: u64,
    /// Expired keys, since the start.
    pub expired_keys: u64,
    /// Accepted connections, since the start.
    pub total_connections: u64,
    /// Executed commands, since the start.
    pub total_commands: u64,
    /// KEYS calls among them: each blocks every other client while it scans all keys.
    pub keys_commands: u64,
}

impl RedisInfo {
    /// Reads the `field:value` lines of INFO. Missing fields keep their default.
    fn parse(text: &str) -> Self {
        let mut info = Self::default();
        let number = |value: &str| value.parse().unwrap_or(0);
        for line in text.lines() {
            let Some((field, value)) = line.split_once(':') else { continue };
            match field {
                "redis_version" if info.version.is_empty() => info.version = value.to_owned(),
                // Valkey keeps redis_version at 7.2.4 for old clients and reports its own version separately.
                "valkey_version" => info.version = value.to_owned(),
                "process_id" => info.pid = value.parse().unwrap_or(0),
                "run_id" => info.run_id = value.to_owned(),
                "used_memory" => info.used_memory = number(value),
                "used_memory_rss" => info.resident = number(value),
                "mem_clients_normal" => info.client_memory = number(value),
                "mem_allocator" => info.allocator = value.to_owned(),
                "rdb_bgsave_in_progress" => info.saving = value == "1",
                "current_cow_peak" => info.copied_now = number(value),
                "rdb_last_cow_size" => info.copied_last = number(value),
                "used_cpu_sys" | "used_cpu_user" => {
                    info.cpu_ms += value.parse::<f64>().map_or(0, |seconds| (seconds * 1e3) as u64);
                }
                "used_cpu_sys_main_thread" | "used_cpu_user_main_thread" => {
                    info.main_thread_us += value.parse::<f64>().map_or(0, |seconds| (seconds * 1e6) as u64);
                }
                "maxmemory" => info.maxmemory = number(value),
                "maxmemory_policy" => info.policy = value.to_owned(),
                "total_system_memory" => info.system_memory = number(value),
                "connected_slaves" => info.replicas = number(value),
                "connected_clients" => info.connected_clients = number(value),
                "loading" => info.loading = value == "1",
                "redis_mode" | "server_mode" => info.mode = value.to_owned(),
                "role" => info.role = value.to_owned(),
                "aof_enabled" => info.appends = value == "1",
                "aof_delayed_fsync" => info.delayed_fsyncs = number(value),
                "total_net_input_bytes" => info.net_input = number(value),
                "total_net_output_bytes" => info.net_output = number(value),
                "rdb_last_bgsave_status" | "aof_last_write_status" => info.save_failed |= value != "ok",
                "evicted_keys" => info.evicted_keys = number(value),
                "errorstat_MISCONF" | "errorstat_OOM" => {
                    // count=5
                    let count = value.strip_prefix("count=").map_or(0, number);
                    match field {
                        "errorstat_OOM" => info.oom_refusals = count,
                        _ => info.misconf_refusals = count,
                    }
                }
                "expired_keys" => info.expired_keys = number(value),
                "total_connections_received" => info.total_connections = number(value),
                "total_commands_processed" => info.total_commands = number(value),
                // keys=5,expires=0,avg_ttl=0
                _ if field.strip_prefix("db").is_some_and(|number| number.parse::<u32>().is_ok()) => {
                    let of = |name: &str| value.split(',').find_map(|field| field.strip_prefix(name)).map_or(0, number);
                    info.keys += of("keys=");
                    info.expiring += of("expires=");
                }
                "cmdstat_keys" => {
                    // calls=5,usec=120,…
                    let calls = value.split(',').find_map(|field| field.strip_prefix("calls="));
                    info.keys_commands = calls.map_or(0, number);
                }
                _ => {}
            }
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_info_are_read_and_the_rest_is_passed_over() {
        let info = RedisInfo::parse(
            "# Server\r\nredis_version:7.0.15\r\nprocess_id:4242\r\nrun_id:abc\r\n\r\n# Memory\r\nused_memory:1048576\r\n\
             used_memory_human:1.00M\r\nmaxmemory:268435456\r\nused_memory_rss:2097152\r\n\
             mem_clients_normal:20504\r\nmem_allocator:jemalloc-5.3.0\r\ncurrent_cow_peak:8192\r\n# CPU\r\nused_cpu_sys:1.250000\r\nused_cpu_user:0.500000\r\n\
             used_cpu_sys_children:9.0\r\nused_cpu_sys_main_thread:1.0\r\nused_cpu_user_main_thread:0.250000\r\n# Persistence\r\nloading:1\r\nasync_loading:0\r\naof_enabled:1\r\n\
             rdb_bgsave_in_progress:1\r\nrdb_last_cow_size:4096\r\nrdb_last_bgsave_status:ok\r\naof_last_write_status:err\r\n# Commandstats\r\n\
             cmdstat_get:calls=7,usec=9\r\nerrorstat_MISCONF:count=3\r\nerrorstat_OOM:count=9\r\n\
             cmdstat_keys:calls=5,usec=120,usec_per_call=24.00,rejected_calls=0\r\n\
             maxmemory_policy:allkeys-lru\r\ntotal_system_memory:4194304\r\nconnected_slaves:2\r\n# Keyspace\r\n\
             db0:keys=30000,expires=12,avg_ttl=0\r\ndb3:keys=4,expires=0,avg_ttl=0\r\n",
        );
        assert_eq!((info.policy.as_str(), info.system_memory, info.replicas), ("allkeys-lru", 4_194_304, 2));
        assert_eq!((info.keys, info.expiring), (30_004, 12));
        assert_eq!((info.resident, info.client_memory, info.allocator.as_str()), (2_097_152, 20_504, "jemalloc-5.3.0"));
        assert_eq!((info.saving, info.copied_now, info.copied_last), (true, 8_192, 4_096));
        assert_eq!(info.keys_commands, 5);
        assert_eq!((info.misconf_refusals, info.oom_refusals), (3, 9));
        assert_eq!(info.version, "7.0.15");
        assert_eq!((info.pid, info.run_id.as_str()), (4242, "abc"));
        assert_eq!((info.used_memory, info.maxmemory), (1_048_576, 268_435_456));
        assert_eq!((info.cpu_ms, info.main_thread_us), (1_750, 1_250_000));
        assert!(info.loading && info.appends && info.save_failed);
    }

    #[test]
    fn what_clients_take_is_summed_where_each_line_tells() {
        let line = |id: u32, field: &str| {
            format!("id={id} addr=127.0.0.1:5 fd=8 name= qbuf=26 omem=0 {field}events=r cmd=get\n")
        };
        assert_eq!(buffers(&(line(3, "tot-mem=37658 ") + &line(4, "tot-mem=2000 "))), Some(39_658));
        assert_eq!(buffers(&(line(3, "tot-mem=37658 ") + &line(4, ""))), None, "Redis 6.2");
    }

    #[test]
    fn valkey_is_named_by_its_own_version() {
        let info = RedisInfo::parse("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n");
        assert_eq!(info.version, "8.0.1");
    }
}

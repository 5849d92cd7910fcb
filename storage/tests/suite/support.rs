//! The test's own redis-server: private folder, free port, always ended with the test.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use firedrill_storage::{Answer, Key, KeyRing, SessionId, Timestamp, TriviaSession, UserId};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a condition may take before a test gives up: far longer than needed, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A lifetime that outlasts every test.
pub const HOUR: Duration = Duration::from_secs(3600);

pub struct RedisServer {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    options: Vec<String>,
}

impl RedisServer {
    /// A server that loses nothing acknowledged to SIGKILL: without fsync, every write reaches the page cache before
    /// its reply is sent. (With `everysec`, Redis delays writes for up to 2 s while a slow fsync is running, but
    /// replies.)
    pub fn start() -> Self {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "no"])
    }

    pub fn start_with(options: &[&str]) -> Self {
        Self::start_by(|| options.iter().map(|option| (*option).to_owned()).collect())
    }

    /// A server whose options name further ports: they are chosen again if one was taken in between.
    pub fn start_by(options: impl FnMut() -> Vec<String>) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), options)
    }

    fn start_in(folder: tempfile::TempDir, mut options: impl FnMut() -> Vec<String>) -> Self {
        // Another process may take the free port before the server does; then the server ends at once.
        for _ in 0..20 {
            let (port, options) = (free_port(), options());
            let mut child = spawn(port, &folder, &options);
            if answers(port, &mut child) {
                return Self { child, port, folder, options };
            }
        }
        panic!("redis-server does not start");
    }

    /// A node that has not joined its cluster yet. Its folder may outlive the tests, so it is in the target directory.
    pub fn start_node(node_timeout: Duration) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self::start_in(folder, || {
            let bus = free_port().to_string();
            let timeout = node_timeout.as_millis().to_string();
            let options = ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", &timeout];
            let more = ["--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0"];
            options.iter().chain(&more).map(|option| (*option).to_owned()).collect()
        })
    }

    /// One command over its own connection.
    pub fn ask<T: redis::FromRedisValue>(&self, parts: &[&str]) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.url())?;
        redis::cmd(parts[0]).arg(&parts[1..]).query(&mut client.get_connection()?)
    }

    /// The port of the cluster's bus.
    pub fn bus_port(&self) -> &str {
        let at = self.options.iter().position(|option| option == "--cluster-port").unwrap();
        &self.options[at + 1]
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A plain connection, separate from the store, to check what the store did.
    pub fn look(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts the server again on its data and port.
    pub fn restart(&mut self) {
        self.child = spawn(self.port, &self.folder, &self.options);
        assert!(answers(self.port, &mut self.child), "redis-server does not come back");
    }

    /// Starts the server again on its data, which it loads one key per `pause` until `key-load-delay` is set to 0. Does
    /// not wait for it.
    pub fn load_slowly(&mut self, pause: Duration) {
        let pause = pause.as_micros().to_string();
        let slowly = ["--key-load-delay", &pause, "--loading-process-events-interval-bytes", "1024"];
        let options: Vec<String> =
            self.options.iter().cloned().chain(slowly.iter().map(|option| (*option).to_owned())).collect();
        self.child = spawn(self.port, &self.folder, &options);
    }

    /// Stops the server's process: its sockets stay open, but nothing answers.
    pub fn freeze(&self) {
        kill(self.pid(), Signal::SIGSTOP).unwrap();
    }

    pub fn thaw(&self) {
        kill(self.pid(), Signal::SIGCONT).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports for servers: below those that Linux gives to outgoing connections, of which one could take the port of a server
/// that is dead for a moment.
const PORTS: std::ops::Range<u32> = 15_000..32_000;

/// A free port that this process has not handed out before, so that no other test starts a server on it while its own is
/// dead.
pub fn free_port() -> u16 {
    static HANDED_OUT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(101);
    let mut ports = PORTS.map(|_| {
        let next = start.wrapping_add(HANDED_OUT.fetch_add(1, Ordering::Relaxed));
        (PORTS.start + next % (PORTS.end - PORTS.start)) as u16
    });
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("no port is free")
}

fn spawn(port: u16, folder: &tempfile::TempDir, options: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--enable-debug-command", "yes", "--port"]);
    command.arg(port.to_string()).arg("--dir").arg(folder.path()).args(options);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: prctl is a plain system call; nothing is allocated between fork and exec.
    unsafe {
        command.pre_exec(|| nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(std::io::Error::from));
    }
    command.spawn().expect("redis-server is needed for the tests: apt-get install redis-server")
}

/// Waits until the server answers and has its data; `false` if it has ended.
pub fn answers(port: u16, child: &mut Child) -> bool {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        let pong = client.get_connection_with_timeout(Duration::from_secs(1)).and_then(|mut connection| {
            redis::cmd("INFO").arg(&["server", "persistence"]).query::<String>(&mut connection)
        });
        // Another test may have taken the port in between: make sure that this server answers.
        let mine = format!("process_id:{}\r", child.id());
        if pong.as_ref().is_ok_and(|info| info.contains(&mine) && !info.contains("loading:1\r"))
            || pong.is_err_and(|error| error.code() == Some("NOAUTH"))
        {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Waits until `condition` returns something.
pub async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "timed out waiting: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A small session of a user.
pub fn session(id: &SessionId, user: &str) -> TriviaSession {
    TriviaSession::sized(id.clone(), UserId::Text(user.to_owned()), 1_000, Timestamp(1_000))
}

/// A key whose digits are all this one.
pub fn key(digit: char) -> Key {
    Key::from_hex(&digit.to_string().repeat(64)).unwrap()
}

/// A ring with key 1.
pub fn keyring() -> Arc<KeyRing> {
    Arc::new(KeyRing::new(key('1'), vec![]))
}

pub fn answer(question: u64) -> Answer {
    Answer { question, choice: 1, correct: true, score: 10, answered_at: Timestamp(5_000 + question as i64) }
}

/// The questions answered, in the order of the answers.
pub fn questions(session: &TriviaSession) -> Vec<u64> {
    session.answers.iter().map(|answer| answer.question).collect()
}

pub fn id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

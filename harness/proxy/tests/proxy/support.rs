//! A real redis-server behind a proxy, and a client that talks to it byte by byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use firedrill_proxy::{Direction, Proxy, ProxyServer, Toxic, ToxicSpec};
use tokio::runtime::Runtime;

pub use crate::http::http;
use crate::redis::Redis;

/// Longer than anything here takes on the slowest machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A redis-server, a proxy in front of it, and a runtime for asynchronous calls. The tests themselves are synchronous,
/// because the independent Toxiproxy client is.
pub struct World {
    pub proxy: Arc<Proxy>,
    pub server: ProxyServer,
    pub redis: Redis,
    runtime: Runtime,
}

impl World {
    pub fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let redis = Redis::start();
        let server = ProxyServer::start(1).unwrap();
        let proxy = runtime.block_on(server.create("redis", any_port(), redis.address().to_string(), true)).unwrap();
        Self { proxy, server, redis, runtime }
    }

    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// A connection through the proxy.
    pub fn client(&self) -> Client {
        Client::connect(self.proxy.listen_addr())
    }

    /// A connection that bypasses the proxy.
    pub fn direct(&self) -> Client {
        Client::connect(self.redis.address())
    }

    pub fn add(&self, stream: Direction, toxic: impl Into<Toxic>) {
        self.run(self.proxy.add_toxic(ToxicSpec::new(stream, toxic))).unwrap();
    }

    pub fn remove(&self, name: &str) {
        self.run(self.proxy.remove_toxic(name)).unwrap();
    }

    pub fn enable(&self, enabled: bool) {
        self.run(self.proxy.set_enabled(enabled)).unwrap();
    }
}

/// Any port of a loopback address that no other test has: once it is free again, nobody else listens there.
pub fn any_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    SocketAddr::from(([127, 1, high, low], 0))
}

/// The result of a client's read.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// These bytes.
    Data(Vec<u8>),
    /// An orderly end.
    End,
    /// A reset.
    Reset,
    /// Nothing in time.
    Nothing,
}

/// A Redis client that exposes the behaviour of its socket.
pub struct Client(pub TcpStream);

impl Client {
    pub fn connect(addr: SocketAddr) -> Self {
        let socket = TcpStream::connect(addr).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self(socket)
    }

    pub fn send(&mut self, command: &str) {
        self.0.write_all(format!("{command}\r\n").as_bytes()).unwrap();
    }

    /// Reads once, waiting at most `patience`.
    pub fn read(&mut self, patience: Duration) -> Received {
        self.0.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = vec![0; 256 * 1024];
        let read = self.0.read(&mut buffer);
        self.0.set_read_timeout(Some(DEADLINE)).unwrap();
        match read {
            Ok(0) => Received::End,
            Ok(n) => Received::Data(buffer[..n].to_vec()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Received::Reset,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Received::Nothing,
            Err(error) => panic!("unexpected error: {error}"),
        }
    }

    /// Reads exactly `expected`.
    pub fn expect(&mut self, expected: &[u8]) {
        let mut buffer = vec![0; expected.len()];
        self.0.read_exact(&mut buffer).unwrap();
        assert!(buffer == expected, "got {:?}", String::from_utf8_lossy(&buffer[..buffer.len().min(100)]));
    }

    /// Sends a command and waits for `reply`; returns how long that took.
    pub fn ask(&mut self, command: &str, reply: &[u8]) -> Duration {
        let start = Instant::now();
        self.send(command);
        self.expect(reply);
        start.elapsed()
    }

    pub fn ping(&mut self) -> Duration {
        self.ask("PING", b"+PONG\r\n")
    }

    /// The fastest of several pings: the cost of the path without interference.
    pub fn fastest_ping(&mut self) -> Duration {
        (0..5).map(|_| self.ping()).min().unwrap()
    }

    /// Stores `bytes` bytes under `key`, with a command in binary form.
    pub fn set(&mut self, key: &str, bytes: usize) {
        let head = format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${bytes}\r\n", key.len());
        self.0.write_all(&[head.as_bytes(), &payload(bytes), b"\r\n"].concat()).unwrap();
        self.expect(b"+OK\r\n");
    }

    /// Reads `key`, stored by [`Client::set`]; returns how long that took.
    pub fn get(&mut self, key: &str, bytes: usize) -> Duration {
        let reply = [format!("${bytes}\r\n").as_bytes(), &payload(bytes), b"\r\n"].concat();
        self.ask(&format!("GET {key}"), &reply)
    }
}

/// Bytes in which a lost, duplicated or displaced piece is visible.
fn payload(bytes: usize) -> Vec<u8> {
    (0..).flat_map(|n: u32| n.to_be_bytes()).take(bytes).collect()
}

/// Waits until `holds` returns true.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

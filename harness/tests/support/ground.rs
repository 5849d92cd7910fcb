//! A small environment for fault tests: a private Redis, the fault proxy in front of it, and a steady load.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use firedrill::fault::FaultContext;
use firedrill::lab::{Lab, ManagedConfig, RedisUrl};
use firedrill::proxy::{Proxy, ProxyServer};
use redis::AsyncConnectionConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Longer than any wait in a test takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub struct Ground {
    pub lab: Arc<Lab>,
    pub proxy: Arc<Proxy>,
    pub context: FaultContext,
    _server: ProxyServer,
}

impl Ground {
    pub async fn new() -> Self {
        Self::with(&ManagedConfig::default()).await
    }

    pub async fn with(config: &ManagedConfig) -> Self {
        let lab = Arc::new(Lab::managed(config).await.unwrap());
        let server = ProxyServer::start(1).unwrap();
        let proxy = server.create("redis", "127.0.0.1:0".parse().unwrap(), lab.upstream(), true).await.unwrap();
        let context = FaultContext::new(lab.clone(), proxy.clone()).unwrap();
        Self { lab, proxy, context, _server: server }
    }

    /// Whether a request of `size` bytes through the proxy is answered within `within`.
    pub async fn answers(&self, size: usize, within: Duration) -> bool {
        let proxy = self.proxy.clone();
        tokio::time::timeout(within, async move {
            let mut stream = TcpStream::connect(proxy.listen_addr()).await?;
            exchange(&mut stream, size).await
        })
        .await
        .is_ok_and(|result| result.is_ok())
    }

    /// Waits until the path works as if nothing had happened.
    pub async fn wait_until_well(&self) {
        let until = Instant::now() + DEADLINE;
        while !self.answers(100, Duration::from_millis(500)).await {
            assert!(Instant::now() < until, "the path to Redis never recovered");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Asks Redis to send `size` bytes back.
async fn exchange(stream: &mut TcpStream, size: usize) -> std::io::Result<()> {
    let request = format!("*2\r\n$4\r\nECHO\r\n${size}\r\n{}\r\n", "x".repeat(size));
    let mut answer = vec![0; size + format!("${size}\r\n\r\n").len()];
    let (mut reader, mut writer) = stream.split();
    tokio::try_join!(writer.write_all(request.as_bytes()), reader.read_exact(&mut answer)).map(drop)
}

/// Four clients that keep requesting a few kilobytes, and reconnect after errors. Ends with this value.
pub struct Load {
    /// How often each client was served.
    served: Arc<[AtomicU64; 4]>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Returns once every client has been served.
    pub async fn on(ground: &Ground) -> Self {
        let served: Arc<[AtomicU64; 4]> = Arc::default();
        let clients = (0..4).map(|i| tokio::spawn(client(ground.proxy.clone(), served.clone(), i))).collect();
        let load = Self { served, clients };
        load.wait_until_served(4).await;
        let until = Instant::now() + DEADLINE;
        while load.served.iter().any(|served| served.load(Relaxed) == 0) {
            assert!(Instant::now() < until, "a client of the load is not served");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        load
    }

    fn total(&self) -> u64 {
        self.served.iter().map(|served| served.load(Relaxed)).sum()
    }

    /// Waits until `more` further requests have been served.
    pub async fn wait_until_served(&self, more: u64) {
        let (goal, until) = (self.total() + more, Instant::now() + DEADLINE);
        while self.total() < goal {
            assert!(Instant::now() < until, "the load is not served");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.clients.iter().for_each(JoinHandle::abort);
    }
}

async fn client(proxy: Arc<Proxy>, served: Arc<[AtomicU64; 4]>, number: usize) {
    let mut connection = None;
    loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let Some(stream) = connection.as_mut() else {
            connection = TcpStream::connect(proxy.listen_addr()).await.ok();
            continue;
        };
        match tokio::time::timeout(Duration::from_secs(2), exchange(stream, 3_000)).await {
            Ok(Ok(())) => {
                served[number].fetch_add(1, Relaxed);
            }
            _ => connection = None,
        }
    }
}

/// Clients that keep writing with a script, and reconnect after errors. Ends with this value.
pub struct Writers {
    served: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Writers {
    /// Returns once they have been served. Each pauses for `pause` between two writes.
    pub async fn on(lab: &Lab, proxy: &Proxy, pause: Duration) -> Self {
        let served = Arc::new(AtomicU64::new(0));
        let url = lab.access().through(proxy.listen_addr()).unwrap().url;
        let key = format!("{}written", lab.prefix());
        let tasks = (0..3).map(|_| tokio::spawn(writer(url.clone(), key.clone(), pause, served.clone()))).collect();
        let writers = Self { served, tasks };
        writers.wait_until_served(3).await;
        writers
    }

    pub async fn wait_until_served(&self, more: u64) {
        let (goal, until) = (self.served.load(Relaxed) + more, Instant::now() + DEADLINE);
        while self.served.load(Relaxed) < goal {
            assert!(Instant::now() < until, "the load is not served");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn writer(url: RedisUrl, key: String, pause: Duration, served: Arc<AtomicU64>) {
    let client = redis::Client::open(url.expose()).unwrap();
    let script = redis::Script::new("return redis.call('SET', KEYS[1], ARGV[1], 'PX', 600000)");
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(2)));
    loop {
        let Ok(mut connection) = client.get_multiplexed_async_connection_with_config(&config).await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        loop {
            let written = script.key(&key).arg("x").invoke_async::<()>(&mut connection).await;
            if written.is_err() {
                break;
            }
            served.fetch_add(1, Relaxed);
            tokio::time::sleep(pause).await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

//! The fault proxy's pass-through compared with a plain tokio copy loop, in front of a real redis-server.
//!
//! First comes a table of CPU time per operation and of throughput, at 64 connections, for 1 KiB and 50 KiB sessions.
//! The paths take turns, so that a busy machine affects all of them equally. Then come criterion's round trips on one
//! connection.
//!
//! `cargo bench -p firedrill-benches --bench proxy` (with `-- --test`, each part runs once and briefly). With the path
//! of a `toxiproxy-server` in `TOXIPROXY_SERVER`, Toxiproxy itself is measured as well, and HAProxy with that of a
//! `haproxy` in `HAPROXY`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use criterion::Criterion;
use firedrill::lab::{ManagedConfig, ManagedRedis, Persistence};
use firedrill_proxy::command::{Action, Side, Trigger, When};
use firedrill_proxy::toxic::Latency;
use firedrill_proxy::{Direction, ProxyControl as _, ProxyServer, RemoteOptions, RemoteProxy, ToxicSpec};
use nix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

const CONNECTIONS: usize = 64;
const SIZES: [usize; 2] = [1024, 50 * 1024];
const COPY_LOOP: &str = "copy-loop";
const PROXY: &str = "firedrill-proxy";

/// One path to Redis, and whose CPU time it costs.
struct Path {
    name: &'static str,
    worker: Worker,
    address: SocketAddr,
}

/// Whose CPU time to measure.
#[derive(Clone, Copy)]
enum Worker {
    /// Without a proxy.
    None,
    /// A thread of this process, by name.
    Thread(&'static str),
    /// Another process, by pid.
    Process(u32),
}

fn main() {
    let short = std::env::args().any(|arg| arg == "--test");
    let runtime = Runtime::new().unwrap();
    let config = ManagedConfig { persistence: Persistence::None, ..ManagedConfig::default() };
    let redis = runtime.block_on(ManagedRedis::start(&config)).unwrap();
    for size in SIZES {
        let value = vec![b'x'; size];
        runtime.block_on(redis.admin().query::<()>(redis::cmd("SET").arg(key(size)).arg(value))).unwrap();
    }
    let upstream = redis.address().to_string();
    let server = ProxyServer::start(1).unwrap();
    let create = |name| runtime.block_on(server.create(name, any_port(), upstream.clone(), true)).unwrap();
    let (plain, spared, reading, armed) = (create("plain"), create("spared"), create("reading"), create("armed"));
    let nobody = ToxicSpec { toxicity: 0.0, ..ToxicSpec::new(Direction::Downstream, Latency::default()) };
    runtime.block_on(spared.add_toxic(nobody)).unwrap();
    reading.read_commands();
    armed.read_commands();
    let never = Trigger {
        command: "SET".parse().unwrap(),
        follows: None,
        when: When::Every(1),
        side: Side::Applied,
        action: Action::Reset,
    };
    runtime.block_on(armed.add_trigger(never));
    let thread = |name, thread, address| Path { name, worker: Worker::Thread(thread), address };
    let mut paths = vec![
        Path { name: "direct", worker: Worker::None, address: redis.address() },
        thread("plain tokio copy loop", COPY_LOOP, copy_loop(upstream.clone())),
        thread("proxy", PROXY, plain.listen_addr()),
        thread("proxy, toxic with toxicity 0", PROXY, spared.listen_addr()),
        thread("proxy, commands read", PROXY, reading.listen_addr()),
        thread("proxy, trigger never matches", PROXY, armed.listen_addr()),
    ];
    let toxiproxy = std::env::var_os("TOXIPROXY_SERVER").map(|binary| Toxiproxy::start(&runtime, &binary, &upstream));
    if let Some(Toxiproxy { server, address }) = &toxiproxy {
        paths.push(Path { name: "Toxiproxy", worker: Worker::Process(server.id()), address: *address });
    }
    let haproxy = std::env::var_os("HAPROXY").map(|binary| Haproxy::start(&binary, &upstream));
    if let Some(Haproxy { server, address, .. }) = &haproxy {
        paths.push(Path { name: "HAProxy", worker: Worker::Process(server.id()), address: *address });
    }

    for size in SIZES {
        table(&paths, size, if short { Duration::from_millis(50) } else { Duration::from_millis(1_500) });
    }
    let mut criterion = Criterion::default().configure_from_args();
    for size in SIZES {
        round_trips(&mut criterion, &paths, size);
    }
    criterion.final_summary();
}

/// Prints the median of several turns of each path.
fn table(paths: &[Path], size: usize, turn: Duration) {
    let mut turns = vec![Vec::new(); paths.len()];
    for _ in 0..7 {
        for (path, turns) in paths.iter().zip(&mut turns) {
            turns.push(measure(path, size, turn));
        }
    }
    println!("\n{CONNECTIONS} connections, GET of {size} bytes, median of 7 turns");
    println!("{:<30} {:>12} {:>16}", "path", "operations/s", "CPU µs/operation");
    for (path, turns) in paths.iter().zip(turns) {
        let rate = median(turns.iter().map(|(rate, _)| *rate));
        match path.worker {
            Worker::None => println!("{:<30} {rate:>12.0} {:>16}", path.name, "-"),
            _ => println!("{:<30} {rate:>12.0} {:>16.2}", path.name, median(turns.iter().map(|(_, cpu)| *cpu))),
        }
    }
}

/// Operations per second, and microseconds of the path's own CPU time per operation.
fn measure(path: &Path, size: usize, turn: Duration) -> (f64, f64) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut client = Client::connect(path.address, size).await;
            client.get().await;
            clients.push(client);
        }
        let (start, cpu) = (Instant::now(), cpu_time(path.worker));
        let lanes: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                tokio::spawn(async move {
                    let mut done = 0_u64;
                    while start.elapsed() < turn {
                        client.get().await;
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        let mut done = 0;
        for lane in lanes {
            done += lane.await.unwrap();
        }
        let used = cpu_time(path.worker) - cpu;
        (done as f64 / start.elapsed().as_secs_f64(), used.as_secs_f64() * 1e6 / done as f64)
    })
}

fn round_trips(criterion: &mut Criterion, paths: &[Path], size: usize) {
    let mut group = criterion.benchmark_group(format!("round trip, {size} bytes"));
    for path in paths {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut client = runtime.block_on(Client::connect(path.address, size));
        group.bench_function(path.name, |bencher| bencher.iter(|| runtime.block_on(client.get())));
    }
}

struct Client {
    socket: TcpStream,
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl Client {
    async fn connect(address: SocketAddr, size: usize) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let key = key(size);
        let request = format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()).into_bytes();
        Self { socket, request, reply: vec![0; format!("${size}\r\n").len() + size + 2] }
    }

    async fn get(&mut self) {
        self.socket.write_all(&self.request).await.unwrap();
        self.socket.read_exact(&mut self.reply).await.unwrap();
    }
}

/// A proxy without faults, as anyone would write it in ten lines: a task per connection on one thread.
fn copy_loop(upstream: String) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    let run = move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind(any_port()).await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(copy(client, upstream.clone()));
            }
        });
    };
    std::thread::Builder::new().name(COPY_LOOP.into()).spawn(run).unwrap();
    told.recv().unwrap()
}

async fn copy(mut client: TcpStream, upstream: String) {
    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    // It ends when its sides end; how they end does not matter.
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

/// Toxiproxy's own server as a child process, with one proxy.
struct Toxiproxy {
    server: Child,
    address: SocketAddr,
}

impl Toxiproxy {
    fn start(runtime: &Runtime, binary: &OsStr, upstream: &str) -> Self {
        let api = std::net::TcpListener::bind(any_port()).unwrap().local_addr().unwrap();
        let mut command = Command::new(binary);
        command
            .args(["-host", "127.0.0.1", "-port", &api.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let server = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let url = format!("http://{api}").parse().unwrap();
        let options = RemoteOptions { url, listen: "127.0.0.1:0".to_owned(), upstream: None };
        let proxy = loop {
            match runtime.block_on(RemoteProxy::create(&options, "redis", upstream)) {
                Ok(proxy) => break proxy,
                Err(error) => assert!(Instant::now() < deadline, "the toxiproxy-server does not listen: {error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        Self { server, address: proxy.listen_addr() }
    }
}

impl Drop for Toxiproxy {
    fn drop(&mut self) {
        // It may have ended on its own; then there is nothing to stop.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// HAProxy with one thread, as a child process that forwards TCP.
struct Haproxy {
    server: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Haproxy {
    fn start(binary: &OsStr, upstream: &str) -> Self {
        let address = std::net::TcpListener::bind(any_port()).unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("haproxy.cfg");
        let text = format!(
            "global\n  nbthread 1\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n\
             listen redis\n  bind {address}\n  server redis {upstream}\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(binary);
        let server =
            command.arg("-db").arg("-f").arg(&config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "haproxy does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { server, address, _folder: folder }
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        // It may have ended on its own; then there is nothing to stop.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The CPU time used by a worker. The kernel defines the clock ids of other threads and processes (CPUCLOCK_SCHED and
/// CPUCLOCK_PERTHREAD_MASK in posix-timers.h).
fn cpu_time(worker: Worker) -> Duration {
    let clock = match worker {
        Worker::None => return Duration::ZERO,
        Worker::Thread(name) => (!thread_id(name) << 3) | 6,
        Worker::Process(pid) => (!(pid as i32) << 3) | 2,
    };
    clock_gettime(ClockId::from_raw(clock)).unwrap().into()
}

fn thread_id(name: &str) -> i32 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let mut named =
        tasks.filter(|task| std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name));
    named.next().unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn key(size: usize) -> String {
    format!("session:{size}")
}

fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

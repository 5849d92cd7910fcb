//! Runs Firedrill's `http` target, oha and wrk in turn against one small HTTP server and compares the client's CPU time per
//! request. Run it with `benches/compare-http.sh`; `docs/benchmarks.md` says how to read it.
//!
//! Firedrill does a whole drill: it starts a Redis and the server, makes the sessions, walks through them, records every request,
//! checks the history and writes the report. The CPU time is that of its process alone, without its children.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Compares Firedrill's `http` target with oha and wrk.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    /// How often each client runs.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of each run.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Connections of each client.
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Requests per second of the open loop at the end.
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    /// oha, if it is not on the PATH.
    #[arg(long, default_value = "oha")]
    oha: PathBuf,
}

#[derive(Subcommand)]
enum Part {
    /// The server: a POST makes a key in Redis, everything else gets the same short answer.
    #[command(hide = true)]
    Serve {
        /// Where it listens on 127.0.0.1.
        port: u16,
        /// Where Redis is.
        redis: SocketAddr,
    },
}

fn main() -> Fallible<()> {
    let cli = Cli::parse();
    match cli.part {
        Some(Part::Serve { port, redis }) => serve(port, redis),
        None => compare(&cli),
    }
}

fn compare(cli: &Cli) -> Fallible<()> {
    let (seconds, connections) = (cli.seconds, cli.connections);
    println!(
        "{connections} connections, {seconds} s each, keep-alive GET; firedrill and wrk on one thread, oha with its default threads"
    );
    let idle = TcpListener::bind("127.0.0.1:0")?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let program = std::env::current_exe()?;
    let _server =
        Served(Command::new(&program).args(["serve", &port.to_string()]).arg(idle.local_addr()?.to_string()).spawn()?);
    wait_for(port)?;
    let url = format!("http://127.0.0.1:{port}/");
    println!("{:>5}  {:>24}  {:>24}  {:>24}", "round", "firedrill", "oha", "wrk");
    let closed = format!("users = {connections}\nthink = \"0s\"\nfor = \"{seconds}s\"");
    for round in 1..=cli.rounds {
        let us = drill(&program, &closed, connections)?;
        let limits = [format!("-c{connections}"), format!("{seconds}s")];
        let oha = told(Command::new(&cli.oha).args(["--no-tui", "-z", &limits[1], &limits[0], &url]), |said| {
            let rate: f64 =
                said.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse().ok())?;
            Some(rate * seconds as f64)
        });
        let wrk = told(Command::new("wrk").args(["-t1", "-d", &limits[1], &limits[0], &url]), |said| {
            said.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok())
        });
        println!("{round:>5}  {}  {}  {}", cell(&us), shown(oha), shown(wrk));
    }
    let open = format!("rate = \"{}/s\"\nfor = \"{seconds}s\"", cli.rate);
    let us = drill(&program, &open, connections)?;
    println!("open loop, {}/s: {}, {}", cli.rate, cell(&us), us.words);
    Ok(())
}

/// One run of a client.
struct Run {
    requests: f64,
    seconds: f64,
    cpu: Duration,
    words: String,
}

fn cell(run: &Run) -> String {
    let cpu = run.cpu.as_secs_f64() * 1e6 / run.requests;
    format!("{:>9.0}/s {cpu:>6.2} µs CPU", run.requests / run.seconds)
}

fn shown(run: Fallible<Run>) -> String {
    run.map_or_else(|error| format!("{:>24}", error.to_string()), |run| cell(&run))
}

/// A process that ends with this value.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for(port: u16) -> Fallible<()> {
    let until = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > until {
            return Err("the server does not listen".into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Runs a client to its end; `count` reads the number of requests from what it printed.
fn told(command: &mut Command, count: impl Fn(&str) -> Option<f64>) -> Fallible<Run> {
    let name = command.get_program().to_string_lossy().into_owned();
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(|_| format!("no {name}"))?;
    let mut said = String::new();
    let reading =
        child.stdout.take().map(|mut out| std::thread::spawn(move || (out.read_to_string(&mut said), said).1));
    let cpu = cpu_until_end(&mut child)?;
    let said = reading.and_then(|reading| reading.join().ok()).unwrap_or_default();
    let requests = count(&said).ok_or_else(|| format!("{name} did not say how it went"))?;
    Ok(Run { requests, seconds: begun.elapsed().as_secs_f64(), cpu, words: String::new() })
}

/// The CPU time of a process, without that of its children, when it was last seen alive.
fn cpu_until_end(child: &mut Child) -> Fallible<Duration> {
    let mut cpu = Duration::ZERO;
    loop {
        if let Some(ms) = firedrill::lab::procfs::cpu_ms(child.id()) {
            cpu = cpu.max(Duration::from_millis(ms));
        }
        if let Some(status) = child.try_wait()? {
            return if status.success() { Ok(cpu) } else { Err(format!("it ended with {status}").into()) };
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A drill with this load.
fn drill(program: &Path, load: &str, connections: u32) -> Fallible<Run> {
    let folder = tempfile::tempdir()?;
    let scenario = folder.path().join("compare.toml");
    std::fs::write(&scenario, scenario_of(program, load, connections))?;
    let firedrill = program.with_file_name("firedrill");
    let mut command = Command::new(firedrill);
    command.arg("run").arg(&scenario).args(["--workers", "1", "--seed", "1", "--out"]).arg(folder.path());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let cpu = cpu_until_end(&mut child)?;
    let record = std::fs::read_to_string(folder.path().join("compare/run.json"))?;
    let record: serde_json::Value = serde_json::from_str(&record)?;
    let figures = &record["phases"][0];
    let number = |value: &serde_json::Value| value.as_f64().ok_or("run.json has no such number");
    let requests = number(&figures["ops"])?;
    let seconds = (number(&figures["to_ms"])? - number(&figures["from_ms"])?) / 1e3;
    let generator = &record["generator"];
    let words = format!("p99 slip {} ms, {} dropped", generator["p99_slip_ms"], generator["dropped"]);
    Ok(Run { requests, seconds, cpu, words })
}

fn scenario_of(program: &Path, load: &str, connections: u32) -> String {
    let program = serde_json::Value::from(program.display().to_string());
    format!(
        r#"
name  = "compare"
about = "A keep-alive GET."
[app]
command = [{program}, "serve", "{{{{port}}}}", "{{{{redis.host}}}}:{{{{redis.port}}}}"]
[op.create]
steps = [{{ post = "/" }}]
[op.read]
steps  = [{{ get = "/" }}]
absent = {{ status = [401] }}
[target]
connections = {connections}
[[load]]
{load}
sessions = 1000
mix      = {{ read = 1 }}
"#
    )
}

/// Serves until killed.
fn serve(port: u16, redis: SocketAddr) -> Fallible<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(answer(stream, redis));
        }
    })
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 12\r\n\r\nhello, world";

/// Answers each request of one connection; none has a body.
async fn answer(mut stream: tokio::net::TcpStream, redis: SocketAddr) {
    let mut request = Vec::with_capacity(1024);
    loop {
        request.clear();
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read_buf(&mut request).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        if request.starts_with(b"POST") && make_key(redis).is_err() {
            return;
        }
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}

fn make_key(redis: SocketAddr) -> std::io::Result<()> {
    let mut redis = TcpStream::connect(redis)?;
    redis.write_all(b"SET session 1\r\n")?;
    redis.read_exact(&mut [0; 5])
}

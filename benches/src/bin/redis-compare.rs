//! Runs Firedrill's `redis` target, redis-benchmark and, if it is there, memtier_benchmark in turn against one redis-server and
//! compares throughput and the client's CPU time per operation. With `--rate` it runs Firedrill alone, in an open loop. Run it
//! with `benches/compare-redis.sh`; `docs/benchmarks.md` says how to read it.
//!
//! Each client runs as a separate process, so that all are measured alike: user and system time of the whole process
//! as the kernel counts it, including startup, connecting and recording.

use std::error::Error;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use firedrill::clock::Clock;
use firedrill::history::{Header, History, HistoryWriter, OpKind, Step};
use firedrill::lab::{ManagedConfig, ManagedRedis, Persistence};
use firedrill::load::{
    ArrivalProcess, Engine, IntervalBatch, LoadBlock, LoadPlan, LoadSummary, Mix, Pacing, Payload, SessionRange, Stage,
    Think,
};
use firedrill::targets::redis::RedisTarget;
use firedrill::targets::{Protocol, RedisTargetSpec, UnixSocket};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Compares Firedrill's `redis` target with redis-benchmark and memtier_benchmark.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    shape: Shape,
    /// How often each client runs.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// The program memtier_benchmark, to compare with it as well.
    #[arg(long)]
    memtier: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Part {
    /// Firedrill's side alone, against a Redis that runs already; prints operations and seconds.
    #[command(hide = true)]
    Client {
        /// Where it is.
        #[arg(long)]
        url: String,
        /// Where the history goes.
        #[arg(long)]
        history: PathBuf,
        #[command(flatten)]
        shape: Shape,
    },
}

#[derive(Args, Clone)]
struct Shape {
    /// Connections.
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Operations in flight on each connection.
    #[arg(long, default_value_t = NonZeroU32::MIN)]
    pipeline: NonZeroU32,
    /// Bytes of a value.
    #[arg(long, default_value_t = 1024)]
    payload: u32,
    /// Keys.
    #[arg(long, default_value_t = 1000)]
    keys: u32,
    /// Seconds of each run; redis-benchmark gets as many operations as Firedrill did in them.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Threads of each client.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Go through the server's Unix socket instead of TCP; any value will do.
    #[arg(long, value_name = "YES")]
    unix: Option<PathBuf>,
    /// Speak RESP3; Firedrill only.
    #[arg(long)]
    resp3: bool,
    /// Firedrill alone, in an open loop of so many operations a second.
    #[arg(long)]
    rate: Option<f64>,
}

impl Shape {
    fn spec(&self) -> RedisTargetSpec {
        RedisTargetSpec {
            pipeline: self.pipeline,
            protocol: if self.resp3 { Protocol::Resp3 } else { Protocol::Resp2 },
            unix_socket: self.unix.clone().map_or(UnixSocket::Lab(false), UnixSocket::Path),
            ..RedisTargetSpec::default()
        }
    }

    /// Operations in flight.
    fn lanes(&self) -> u32 {
        self.connections * self.pipeline.get()
    }
}

fn main() -> Fallible<()> {
    let cli = Cli::parse();
    match cli.part {
        Some(Part::Client { url, history, shape }) => client(&url, &history, &shape),
        None => compare(cli),
    }
}

/// The result of one run of a client.
#[derive(Clone, Copy)]
struct Measured {
    operations: f64,
    seconds: f64,
    cpu_seconds: f64,
}

impl Measured {
    fn per_second(&self) -> f64 {
        self.operations / self.seconds
    }

    fn cpu_micros(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.operations
    }
}

/// A client, and what it did in each round.
struct Contestant {
    name: &'static str,
    rounds: Vec<Measured>,
}

fn compare(cli: Cli) -> Fallible<()> {
    let Cli { mut shape, rounds, memtier, .. } = cli;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let config =
        ManagedConfig { persistence: Persistence::None, unix_socket: shape.unix.is_some(), ..ManagedConfig::default() };
    let redis = runtime.block_on(ManagedRedis::start(&config))?;
    if shape.unix.is_some() {
        shape.unix = Some(redis.folder().join("redis.sock"));
    }
    println!(
        "redis-server {} · {} connections · {} in flight on each · {} B · set:get 1:9 · {} keys · {} thread(s) per client{}",
        redis.binary().version,
        shape.connections,
        shape.pipeline,
        shape.payload,
        shape.keys,
        shape.threads,
        if shape.unix.is_some() { " · Unix socket" } else { "" },
    );
    let (url, port) = (redis.url().expose(), redis.address().port());
    if let Some(rate) = shape.rate {
        return open_loop(url, &shape, rate, rounds);
    }
    let mut names = vec!["firedrill", "redis-benchmark"];
    names.extend(memtier.is_some().then_some("memtier"));
    let mut all: Vec<Contestant> = names.into_iter().map(|name| Contestant { name, rounds: Vec::new() }).collect();
    let heads: String = all.iter().map(|one| format!("  {:>22}", one.name)).collect();
    println!("{:>5}{heads}   CPU compared", "round");
    for round in 1..=rounds {
        let us = run_firedrill(url, &shape)?.0;
        all[0].rounds.push(us);
        all[1].rounds.push(run_redis_benchmark(port, &shape, us.operations as u64)?);
        if let Some(program) = &memtier {
            all[2].rounds.push(run_memtier(program, port, &shape)?);
        }
        let last: Vec<Measured> = all.iter().filter_map(|one| one.rounds.last().copied()).collect();
        println!("{round:>5}{}", line(&last));
    }
    for (name, place) in [("min", 0.0), ("mid", 0.5), ("max", 1.0)] {
        println!("{name:>5}{}", line(&all.iter().map(|one| by_cpu(&one.rounds, place)).collect::<Vec<_>>()));
    }
    Ok(())
}

fn line(measured: &[Measured]) -> String {
    let cells: String = measured.iter().map(|one| format!("  {}", cell(one))).collect();
    let us = measured[0].cpu_micros();
    let ratios: Vec<String> = measured[1..].iter().map(|them| format!("{:.2}x", us / them.cpu_micros())).collect();
    format!("{cells}   {}", ratios.join(" "))
}

fn cell(measured: &Measured) -> String {
    format!("{:>9.0}/s  {:>6.2} µs/op", measured.per_second(), measured.cpu_micros())
}

/// The run at `place`, in 0..=1, by CPU time per operation.
fn by_cpu(runs: &[Measured], place: f64) -> Measured {
    let mut runs = runs.to_vec();
    runs.sort_by(|a, b| a.cpu_micros().total_cmp(&b.cpu_micros()));
    runs[((runs.len() - 1) as f64 * place) as usize]
}

/// Firedrill alone: what an arrival costs, and how exactly it is released.
fn open_loop(url: &str, shape: &Shape, rate: f64, rounds: u32) -> Fallible<()> {
    println!(
        "{:>5}  {:>10}  {:>9}  {:>12}  {:>10}  {:>10}",
        "round", "delivered", "share", "CPU", "p99 slip", "p99.9 slip"
    );
    let mut costs = Vec::new();
    for round in 1..=rounds {
        let (measured, mut slips) = run_firedrill(url, shape)?;
        slips.sort_unstable();
        let slip =
            |place: f64| slips.get(((slips.len() as f64 - 1.0) * place) as usize).map_or(0.0, |ns| *ns as f64 / 1e6);
        let delivered = slips.len() as f64 / shape.seconds as f64;
        println!(
            "{round:>5}  {delivered:>8.0}/s  {:>8.2}%  {:>6.2} µs/op  {:>7.3} ms  {:>7.3} ms",
            delivered / rate * 100.0,
            measured.cpu_micros(),
            slip(0.99),
            slip(0.999)
        );
        costs.push(measured);
    }
    println!("  mid  CPU {:.2} µs/op", by_cpu(&costs, 0.5).cpu_micros());
    let (p99, p999) = machine_alone();
    println!(
        "A thread that does nothing but sleep for a quarter of a millisecond wakes late by p99 {p99:.3} ms, p99.9 {p999:.3} ms."
    );
    Ok(())
}

/// How late this machine wakes a thread that sleeps, in milliseconds: the share of the slip that is not the generator's.
fn machine_alone() -> (f64, f64) {
    let nap = Duration::from_micros(250);
    let mut late: Vec<f64> = (0..12_000)
        .map(|_| {
            let begun = Instant::now();
            std::thread::sleep(nap);
            begun.elapsed().saturating_sub(nap).as_secs_f64() * 1e3
        })
        .collect();
    late.sort_by(f64::total_cmp);
    let at = |place: f64| late.get((late.len() as f64 * place) as usize).copied().unwrap_or_default();
    (at(0.99), at(0.999))
}

/// Runs `command` to its end; returns its output and the CPU time of its process.
fn measured(command: &mut Command) -> Fallible<(String, f64)> {
    let before = children_cpu()?;
    let output = command.stderr(Stdio::inherit()).output()?;
    let name = command.get_program().to_string_lossy().into_owned();
    if !output.status.success() {
        return Err(format!("{name} ended with {}", output.status).into());
    }
    Ok((String::from_utf8(output.stdout)?, children_cpu()? - before))
}

/// CPU seconds of all ended child processes, from getrusage(2).
fn children_cpu() -> Fallible<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6)
}

/// What it did, and how long after its instant each operation of the load began, in nanoseconds.
fn run_firedrill(url: &str, shape: &Shape) -> Fallible<(Measured, Vec<i64>)> {
    let folder = tempfile::tempdir()?;
    let history = folder.path().join("history");
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["client", "--url", url]).arg("--history").arg(&history);
    for (option, value) in [
        ("--connections", u64::from(shape.connections)),
        ("--pipeline", u64::from(shape.pipeline.get())),
        ("--payload", u64::from(shape.payload)),
        ("--keys", u64::from(shape.keys)),
        ("--seconds", shape.seconds),
        ("--threads", shape.threads as u64),
    ] {
        command.args([option, &value.to_string()]);
    }
    if let Some(socket) = &shape.unix {
        command.arg("--unix").arg(socket);
    }
    if let Some(rate) = shape.rate {
        command.args(["--rate", &rate.to_string()]);
    }
    command.args(shape.resp3.then_some("--resp3"));
    let (said, cpu_seconds) = measured(&mut command)?;
    let mut said = said.split_whitespace().map(str::parse::<f64>);
    let (Some(Ok(operations)), Some(Ok(seconds))) = (said.next(), said.next()) else {
        return Err("the client did not say how it went".into());
    };
    let (recorded, _) = History::load(&history)?;
    let ops = &recorded.ops.ops;
    if ops.len() as f64 != operations {
        return Err(format!("{operations} operations were carried out and {} are in the history", ops.len()).into());
    }
    let slips = ops.iter().filter(|op| op.step == Step::Load).map(|op| op.started - op.planned).collect();
    Ok((Measured { operations, seconds, cpu_seconds }, slips))
}

/// redis-benchmark cannot mix commands, so this adds up one run of SETs over all keys and one with nine times as many
/// GETs.
fn run_redis_benchmark(port: u16, shape: &Shape, operations: u64) -> Fallible<Measured> {
    let mut sum = Measured { operations: 0.0, seconds: 0.0, cpu_seconds: 0.0 };
    for (test, requests) in [("set", operations / 10), ("get", operations - operations / 10)] {
        let mut command = Command::new("redis-benchmark");
        command.args(["--csv", "-t", test]);
        match &shape.unix {
            Some(socket) => command.arg("-s").arg(socket),
            None => command.args(["-h", "127.0.0.1", "-p", &port.to_string()]),
        };
        for (option, value) in [
            ("-c", u64::from(shape.connections)),
            ("-P", u64::from(shape.pipeline.get())),
            ("-d", u64::from(shape.payload)),
            ("-r", u64::from(shape.keys)),
            ("-n", requests),
        ] {
            command.args([option, &value.to_string()]);
        }
        if shape.threads > 1 {
            command.args(["--threads", &shape.threads.to_string()]);
        }
        let (said, cpu_seconds) = measured(&mut command)?;
        let rate = csv_rate(&said).ok_or("redis-benchmark's output has no rate")?;
        sum.operations += requests as f64;
        sum.seconds += requests as f64 / rate;
        sum.cpu_seconds += cpu_seconds;
    }
    Ok(sum)
}

/// The rate in `"SET","123456.78",…`, the line after the header.
fn csv_rate(said: &str) -> Option<f64> {
    said.lines().last()?.split(',').nth(1)?.trim_matches('"').parse().ok()
}

fn run_memtier(program: &Path, port: u16, shape: &Shape) -> Fallible<Measured> {
    let mut command = Command::new(program);
    match &shape.unix {
        Some(socket) => command.arg("-S").arg(socket),
        None => command.args(["-s", "127.0.0.1", "-p", &port.to_string()]),
    };
    for (option, value) in [
        ("--clients", u64::from(shape.connections) / shape.threads as u64),
        ("--threads", shape.threads as u64),
        ("--pipeline", u64::from(shape.pipeline.get())),
        ("--data-size", u64::from(shape.payload)),
        ("--key-maximum", u64::from(shape.keys)),
        ("--test-time", shape.seconds),
    ] {
        command.arg(format!("{option}={value}"));
    }
    command.args(["--ratio=1:9", "--hide-histogram"]);
    let (said, cpu_seconds) = measured(&mut command)?;
    let totals = said.lines().find(|line| line.starts_with("Totals")).ok_or("memtier printed no totals")?;
    let rate: f64 = totals.split_whitespace().nth(1).ok_or("memtier printed no rate")?.parse()?;
    let seconds = shape.seconds as f64;
    Ok(Measured { operations: rate * seconds, seconds, cpu_seconds })
}

fn client(url: &str, history: &Path, shape: &Shape) -> Fallible<()> {
    let length = Duration::from_secs(shape.seconds);
    let pacing = match shape.rate {
        Some(rate) => Pacing::Open { stages: vec![Stage::steady(rate, length)], arrivals: ArrivalProcess::Poisson },
        None => {
            Pacing::Closed { users: shape.lanes(), think: Think::None, length, ramp: Duration::ZERO, rate_cap: None }
        }
    };
    let mut block = LoadBlock::new("compare", pacing, SessionRange { first: 0, count: shape.keys });
    block.mix = Mix::of(&[(OpKind::Read, 9.0), (OpKind::Put, 1.0)]);
    block.payload = Payload::Fixed(shape.payload);
    block.max_in_flight = shape.lanes();
    let plan = Arc::new(LoadPlan::new(1, vec![block], 0)?);
    let mut writer = HistoryWriter::create(history, &header())?;
    let (sink, batches) = channel::<IntervalBatch>();
    let recording = std::thread::spawn(move || {
        for batch in batches {
            writer.append(&batch.ops)?;
            batch.recycle();
        }
        writer.finish()
    });
    let begun = Instant::now();
    let target = Arc::new(RedisTarget::new(url, "compare:", &shape.spec())?);
    let preloading = Engine { workers: shape.threads, ..Engine::new(target, Clock::starting_in(Duration::ZERO), sink) };
    let lanes = shape.connections as usize;
    let preload = preloading.run_list(Step::Preload, plan.preload(), lanes, Duration::from_secs(10))?;
    let lead = Duration::from_millis(if shape.rate.is_some() { 100 } else { 0 });
    let engine = Engine { clock: Clock::starting_in(lead), ..preloading };
    let load = engine.run(&plan)?;
    let seconds = begun.elapsed().as_secs_f64();
    drop(engine);
    recording.join().map_err(|_| "the recording was lost")??;
    println!("{} {seconds}", done(&preload)? + done(&load)?);
    Ok(())
}

fn header() -> Header {
    Header {
        version: 0,
        scenario: "redis-compare".to_owned(),
        seed: 1,
        ttl_ns: 0,
        ttl_slack_ns: 0,
        sliding: false,
        sessions_per_user: NonZeroU32::MIN,
        instances: NonZeroU32::MIN,
        counter: false,
        epoch_ms: 0,
    }
}

fn done(summary: &LoadSummary) -> Fallible<u64> {
    let counts = summary.counts;
    if counts.abandoned > 0 {
        Err(format!("{} operations hung", counts.abandoned).into())
    } else {
        Ok(counts.completed)
    }
}

//! Runs Firedrill's `redis` target and redis-benchmark in turn against one redis-server and compares throughput and the
//! client's CPU time per operation. Run it with `benches/compare-redis.sh`; `docs/benchmarks.md` says how to read it.
//!
//! Each client runs as a separate process, so that both are measured alike: user and system time of the whole process
//! as the kernel counts it, including startup, connecting and recording.

use std::error::Error;
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
    Engine, IntervalBatch, LoadBlock, LoadPlan, LoadSummary, Mix, Pacing, Payload, SessionRange, Think,
};
use firedrill::targets::redis::RedisTarget;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Compares Firedrill's `redis` target with redis-benchmark.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    shape: Shape,
    /// How often each client runs.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
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
}

fn main() -> Fallible<()> {
    let cli = Cli::parse();
    match cli.part {
        Some(Part::Client { url, history, shape }) => client(&url, &history, &shape),
        None => compare(&cli.shape, cli.rounds),
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

fn compare(shape: &Shape, rounds: u32) -> Fallible<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let config = ManagedConfig { persistence: Persistence::None, ..ManagedConfig::default() };
    let redis = runtime.block_on(ManagedRedis::start(&config))?;
    println!(
        "redis-server {} · {} connections · {} B · set:get 1:9 · {} keys · {} thread(s) per client",
        redis.binary().version,
        shape.connections,
        shape.payload,
        shape.keys,
        shape.threads
    );
    println!("{:>5}  {:>22}  {:>22}  {:>5}", "round", "firedrill", "redis-benchmark", "CPU");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let us = run_firedrill(redis.url().expose(), shape)?;
        let them = run_redis_benchmark(redis.address().port(), shape, us.operations as u64)?;
        println!("{round:>5}  {}  {}  {}", cell(&us), cell(&them), ratio(&us, &them));
        ours.push(us);
        theirs.push(them);
    }
    let (us, them) = (median(ours), median(theirs));
    println!("{:>5}  {}  {}  {}", "mid", cell(&us), cell(&them), ratio(&us, &them));
    Ok(())
}

fn cell(measured: &Measured) -> String {
    format!("{:>9.0}/s  {:>6.2} µs/op", measured.per_second(), measured.cpu_micros())
}

fn ratio(us: &Measured, them: &Measured) -> String {
    format!("{:.2}x", us.cpu_micros() / them.cpu_micros())
}

/// The median run by CPU time per operation.
fn median(mut runs: Vec<Measured>) -> Measured {
    runs.sort_by(|a, b| a.cpu_micros().total_cmp(&b.cpu_micros()));
    runs[runs.len() / 2]
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

fn run_firedrill(url: &str, shape: &Shape) -> Fallible<Measured> {
    let folder = tempfile::tempdir()?;
    let history = folder.path().join("history");
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["client", "--url", url]).arg("--history").arg(&history);
    for (option, value) in [
        ("--connections", u64::from(shape.connections)),
        ("--payload", u64::from(shape.payload)),
        ("--keys", u64::from(shape.keys)),
        ("--seconds", shape.seconds),
        ("--threads", shape.threads as u64),
    ] {
        command.args([option, &value.to_string()]);
    }
    let (said, cpu_seconds) = measured(&mut command)?;
    let mut said = said.split_whitespace().map(str::parse::<f64>);
    let (Some(Ok(operations)), Some(Ok(seconds))) = (said.next(), said.next()) else {
        return Err("the client did not say how it went".into());
    };
    let (recorded, _) = History::load(&history)?;
    let recorded = recorded.ops.ops.len();
    if recorded as f64 != operations {
        return Err(format!("{operations} operations were carried out and {recorded} are in the history").into());
    }
    Ok(Measured { operations, seconds, cpu_seconds })
}

/// redis-benchmark cannot mix commands, so this adds up one run of SETs over all keys and one with nine times as many
/// GETs.
fn run_redis_benchmark(port: u16, shape: &Shape, operations: u64) -> Fallible<Measured> {
    let mut sum = Measured { operations: 0.0, seconds: 0.0, cpu_seconds: 0.0 };
    for (test, requests) in [("set", operations / 10), ("get", operations - operations / 10)] {
        let mut command = Command::new("redis-benchmark");
        command.args(["-h", "127.0.0.1", "--csv", "-t", test]);
        for (option, value) in [
            ("-p", u64::from(port)),
            ("-c", u64::from(shape.connections)),
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

fn client(url: &str, history: &Path, shape: &Shape) -> Fallible<()> {
    let pacing = Pacing::Closed {
        users: shape.connections,
        think: Think::None,
        length: Duration::from_secs(shape.seconds),
        rate_cap: None,
    };
    let mut block = LoadBlock::new("compare", pacing, SessionRange { first: 0, count: shape.keys });
    block.mix = Mix::of(&[(OpKind::Read, 9.0), (OpKind::Put, 1.0)]);
    block.payload = Payload::Fixed(shape.payload);
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
    let target = Arc::new(RedisTarget::new(url, "compare:")?);
    let preloading = Engine { workers: shape.threads, ..Engine::new(target, Clock::starting_in(Duration::ZERO), sink) };
    let lanes = shape.connections as usize;
    let preload = preloading.run_list(Step::Preload, plan.preload(), lanes, Duration::from_secs(10))?;
    let engine = Engine { clock: Clock::starting_in(Duration::ZERO), ..preloading };
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
        sessions_per_user: std::num::NonZeroU32::MIN,
        instances: std::num::NonZeroU32::MIN,
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

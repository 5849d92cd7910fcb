//! The CPU time of a session store operation: `RedisStore`, and the fallback on top of it, compared with the bare
//! `redis` crate moving the same bytes; the JSON of a session; `Metered`; `MemoryStore` on two threads.
//! `docs/benchmarks.md` says how to read it.
//!
//! The client is one thread, connection included, and is measured by that thread's clock; the server by its process's
//! clock. Both count only CPU time, so other work on the machine slows the run but hardly changes the figures. The ways
//! take turns to even out the rest.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use firedrill::lab::{ManagedConfig, ManagedRedis, Persistence, ServerProcess};
use firedrill_benches::Fallible;
use firedrill_benches::memory::Mixture;
use firedrill_benches::sample::{ANSWERS, SIZES, Sample, TTL};
use firedrill_benches::way::{Op, Way};
use firedrill_storage::metrics::Metered;
use firedrill_storage::{AppendStore, MemoryStore, TriviaSession};
use metrics_exporter_prometheus::PrometheusBuilder;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use tokio::runtime::{Builder, Runtime};

/// Sessions that every operation except create uses in rotation.
const SESSIONS: u32 = 64;
/// Operations per turn: every session gets all its answers once.
const TURN: u32 = SESSIONS * ANSWERS as u32;

/// Operations per turn within `Metered`.
const METERED: u32 = 50_000;

/// Compares the session store's processor time with the bare redis crate's.
#[derive(Parser)]
struct Cli {
    /// Turns of each way; the tables show medians.
    #[arg(long, default_value_t = 15)]
    turns: usize,
    /// Operations in flight at a time.
    #[arg(long, default_value_t = 16)]
    lanes: u32,
    /// One operation alone, such as `put`, and nothing but Redis.
    #[arg(long)]
    only: Option<String>,
}

fn main() -> Fallible<()> {
    let cli = Cli::parse();
    let lab = Lab::start()?;
    let ways = lab.runtime.block_on(Way::all(lab.redis.url().expose()))?;
    println!("redis-server {} · {} in flight · median of {} turns", lab.redis.binary().version, cli.lanes, cli.turns);
    for (size, bytes) in SIZES {
        let samples: Arc<[Sample]> = Sample::many(TURN, bytes)?.into();
        for (op, name) in Op::ALL.into_iter().filter(|(_, name)| cli.only.as_ref().is_none_or(|only| only == name)) {
            let mut turns = vec![Vec::new(); ways.len()];
            for _ in 0..cli.turns {
                for ((_, way), turns) in ways.iter().zip(&mut turns) {
                    turns.push(lab.turn(way, op, &samples, cli.lanes)?);
                }
            }
            table(&format!("{name}, {size}"), &ways, &turns);
        }
    }
    if cli.only.is_some() {
        return Ok(());
    }
    json(cli.turns)?;
    metered(cli.turns)?;
    in_memory(cli.turns)
}

/// The cost of the JSON of a whole game.
fn json(turns: usize) -> Fallible<()> {
    println!("\n{:<44} {:>14} {:>14}", "JSON of a session with its answers", "encode, CPU µs", "decode, CPU µs");
    for (size, bytes) in SIZES {
        let session = Sample::new(1, bytes)?.played();
        let json = serde_json::to_vec(&session)?;
        let encode = || serde_json::to_vec(black_box(&session));
        let decode = || serde_json::from_slice::<TriviaSession>(black_box(&json));
        let (mut encoding, mut decoding) = (Vec::new(), Vec::new());
        for _ in 0..turns {
            encoding.push(cpu_micros(encode)?);
            decoding.push(cpu_micros(decode)?);
        }
        let (encode, decode) = (median(&encoding, |micros| *micros), median(&decoding, |micros| *micros));
        println!("{size:<44} {encode:>14.1} {decode:>14.1}");
    }
    Ok(())
}

/// The cost of counting and timing an operation, using the cheapest operation, alone and within `Metered`.
fn metered(turns: usize) -> Fallible<()> {
    let runtime = Builder::new_current_thread().build()?;
    let sample = Sample::new(1, SIZES[0].1)?;
    let memory: Arc<dyn AppendStore<TriviaSession>> = Arc::new(MemoryStore::default());
    runtime.block_on(memory.put(&sample.id, sample.session.clone(), TTL))?;
    let recorder = PrometheusBuilder::new().build_recorder();
    let unheard = Arc::new(Metered::new(memory.clone()));
    let heard = metrics::with_local_recorder(&recorder, || Arc::new(Metered::new(memory.clone())));
    let ways: [(&str, Arc<dyn AppendStore<TriviaSession>>); 3] =
        [("alone", memory), ("Metered, no recorder installed", unheard), ("Metered, Prometheus installed", heard)];
    let mut seen = vec![Vec::new(); ways.len()];
    for _ in 0..turns {
        for ((_, store), seen) in ways.iter().zip(&mut seen) {
            let before = thread_cpu()?;
            runtime.block_on(async {
                for _ in 0..METERED {
                    black_box(store.get(&sample.id, TTL).await?);
                }
                Fallible::Ok(())
            })?;
            seen.push((thread_cpu()? - before).as_secs_f64() * 1e9 / f64::from(METERED));
            // A process does this every few seconds; otherwise the samples pile up.
            recorder.handle().run_upkeep();
        }
    }
    println!("\n{:<44} {:>14}", "MemoryStore, a get by the trait", "CPU ns");
    for ((name, _), seen) in ways.iter().zip(&seen) {
        println!("{name:<44} {:>14.0}", median(seen, |nanos| *nanos));
    }
    Ok(())
}

/// The CPU time of a call of `work`, averaged over a turn.
fn cpu_micros<T>(work: impl Fn() -> serde_json::Result<T>) -> Fallible<f64> {
    let before = thread_cpu()?;
    for _ in 0..TURN {
        black_box(work()?);
    }
    Ok((thread_cpu()? - before).as_secs_f64() * 1e6 / f64::from(TURN))
}

fn thread_cpu() -> Fallible<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

/// `MemoryStore` on two threads. Its last column is what two free CPUs would do in a second.
fn in_memory(turns: usize) -> Fallible<()> {
    println!("\n{:<44} {:>14} {:>12} {:>20}", "MemoryStore, 2 threads", "operations/s", "CPU ns", "2 CPU-seconds");
    let sessions: Vec<_> = Mixture::ALL.iter().map(Mixture::sessions).collect::<Fallible<_>>()?;
    let mut seen = vec![Vec::new(); Mixture::ALL.len()];
    for _ in 0..turns {
        for ((mixture, sessions), seen) in Mixture::ALL.iter().zip(&sessions).zip(&mut seen) {
            seen.push(mixture.measure(sessions)?);
        }
    }
    for (mixture, turns) in Mixture::ALL.iter().zip(&seen) {
        let (rate, cpu) = (median(turns, |turn| turn.per_second), median(turns, |turn| turn.cpu_nanos));
        println!("{:<44} {rate:>14.0} {cpu:>12.0} {:>20.0}", mixture.name, 2e9 / cpu);
    }
    Ok(())
}

/// The result of one turn, per operation.
#[derive(Clone, Copy)]
struct Turn {
    per_second: f64,
    client_micros: f64,
    server_micros: f64,
    bytes_up: f64,
    bytes_down: f64,
}

fn table(title: &str, ways: &[(&str, Way)], turns: &[Vec<Turn>]) {
    println!(
        "\n{title:<26} {:>10} {:>8} {:>8} {:>8} {:>10} {:>14} {:>14}",
        "client µs", "x bytes", "x JSON", "x Lua", "server µs", "bytes up/down", "operations/s"
    );
    let client: Vec<f64> = turns.iter().map(|turns| median(turns, |turn| turn.client_micros)).collect();
    for (((name, _), turns), cpu) in ways.iter().zip(turns).zip(&client) {
        println!(
            "{name:<26} {cpu:>10.2} {:>8.2} {:>8.2} {:>8.2} {:>10.2} {:>14} {:>14.0}",
            cpu / client[0],
            cpu / client[1],
            cpu / client[2],
            median(turns, |turn| turn.server_micros),
            format!("{:.0}/{:.0}", median(turns, |turn| turn.bytes_up), median(turns, |turn| turn.bytes_down)),
            median(turns, |turn| turn.per_second),
        );
    }
}

fn median<T>(turns: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    let mut sorted: Vec<f64> = turns.iter().map(figure).collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// A redis-server without persistence, and one thread for its clients.
struct Lab {
    // The runtime drops first, together with the clients: none of them must see the server go away.
    runtime: Runtime,
    redis: ManagedRedis,
}

/// CPU time so far.
struct Clocks {
    at: Instant,
    client: Duration,
    server: Duration,
}

/// Bytes transferred over the server's sockets so far.
#[derive(Clone, Copy)]
struct Wire {
    up: f64,
    down: f64,
}

impl Lab {
    fn start() -> Fallible<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let config = ManagedConfig { persistence: Persistence::None, ..ManagedConfig::default() };
        let redis = runtime.block_on(ManagedRedis::start(&config))?;
        Ok(Self { runtime, redis })
    }

    /// Measures one turn of `op`, after preparing what it needs.
    fn turn(&self, way: &Way, op: Op, samples: &Arc<[Sample]>, lanes: u32) -> Fallible<Turn> {
        self.runtime.block_on(self.redis.admin().query::<()>(&redis::cmd("FLUSHDB")))?;
        let sessions = if op == Op::Create {
            TURN
        } else {
            self.carry_out(way, Op::Put, samples, SESSIONS, SESSIONS, lanes)?;
            SESSIONS
        };
        // Measuring transfers bytes itself: two measurements in a row show how many.
        let (idle, wire) = (self.wire()?, self.wire()?);
        let before = self.clocks()?;
        self.carry_out(way, op, samples, sessions, TURN, lanes)?;
        let after = self.clocks()?;
        let end = self.wire()?;
        let count = f64::from(TURN);
        Ok(Turn {
            per_second: count / (after.at - before.at).as_secs_f64(),
            client_micros: (after.client - before.client).as_secs_f64() * 1e6 / count,
            server_micros: (after.server - before.server).as_secs_f64() * 1e6 / count,
            bytes_up: (end.up - wire.up - (wire.up - idle.up)) / count,
            bytes_down: (end.down - wire.down - (wire.down - idle.down)) / count,
        })
    }

    /// Runs `count` operations on `sessions` sessions in rotation, `lanes` at a time. Operations close in time use
    /// different sessions.
    fn carry_out(
        &self,
        way: &Way,
        op: Op,
        samples: &Arc<[Sample]>,
        sessions: u32,
        count: u32,
        lanes: u32,
    ) -> Fallible<()> {
        let lane = |lane: u32| {
            let (way, samples) = (way.clone(), Arc::clone(samples));
            self.runtime.spawn(async move {
                for n in (lane..count).step_by(lanes as usize) {
                    let question = u64::from(n / sessions) + 1;
                    way.run(op, &samples[(n % sessions) as usize], question).await?;
                }
                Fallible::Ok(())
            })
        };
        let lanes: Vec<_> = (0..lanes).map(lane).collect();
        self.runtime.block_on(async {
            for lane in lanes {
                lane.await??;
            }
            Ok(())
        })
    }

    fn clocks(&self) -> Fallible<Clocks> {
        let server = self.redis.pid().ok_or("redis-server has ended")?;
        let server = clock_getcpuclockid(Pid::from_raw(i32::try_from(server)?))?;
        Ok(Clocks { at: Instant::now(), client: thread_cpu()?, server: clock_gettime(server)?.into() })
    }

    fn wire(&self) -> Fallible<Wire> {
        let stats = self.runtime.block_on(self.redis.admin().query::<String>(redis::cmd("INFO").arg("stats")))?;
        let counter = |name: &str| {
            let line = stats.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|value| value.trim().parse().ok()).ok_or("redis-server does not count its bytes")
        };
        Ok(Wire { up: counter("total_net_input_bytes")?, down: counter("total_net_output_bytes")? })
    }
}

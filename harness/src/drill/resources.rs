//! What a drill needs from this machine, checked before anything starts: threads, file descriptors, memory and disk
//! space. A machine that runs out of them during a drill would look like a failing store.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::footprint::{Footprint, mib, operations};
use super::order::{Order, RedisChoice};
use crate::history::available_memory;
use crate::lab::{Persistence, default_parent, free_bytes};
use crate::scenario::LabKind;

/// Threads of the harness itself: the drill, its runtime with spare threads for blocking work, the recorder, the
/// spawner, the proxy, the nemesis and the watches.
const OWN_THREADS: usize = 14;

/// Threads of a `redis-server` including a child that saves its data, or of an application.
const SERVER_THREADS: usize = 6;

/// Descriptors of the harness itself: files, sockets, and those of its runtimes.
const OWN_DESCRIPTORS: u64 = 96;

/// Descriptors of a load-generating thread: its runtime's and its watch's.
const WORKER_DESCRIPTORS: u64 = 8;

/// Even a Redis without persistence has a log and a configuration.
const LEAST_LAB: u64 = 1 << 20;

/// Room for the append-only file beyond the data: what has been written and not yet rewritten.
const PERSISTED: u64 = 8 << 20;

/// `run.json`, the report and the logs of started processes.
const LEAST_RUN: u64 = 1 << 20;

/// One operation in a history; most need less than twenty bytes.
const PER_OPERATION: u64 = 24;

/// One second of the latency log.
const PER_SECOND: u64 = 16 << 10;

/// The resource that is short.
#[derive(Debug, thiserror::Error)]
pub enum Lack {
    /// Threads, of the drill and of the servers it starts.
    #[error(
        "this machine gives {given} of the {needed} threads that the drill and its servers need ({source}); raise the limit \
         (ulimit -u, or pids.max of the container), or use fewer: --workers 1"
    )]
    Threads {
        /// The most threads needed at once.
        needed: usize,
        /// How many could be started.
        given: usize,
        /// The system's error for the next thread.
        source: io::Error,
    },
    /// Open files.
    #[error(
        "the drill needs up to {needed} file descriptors and may have {limit}; raise the limit (ulimit -n {needed}), or use \
         fewer: --set target.connections=N"
    )]
    Descriptors {
        /// The most descriptors needed at once.
        needed: u64,
        /// The hard limit.
        limit: u64,
    },
    /// Memory.
    #[error(
        "the drill's Redis may take up to {} and this machine has {} of memory; less load, or a smaller lab.redis.maxmemory",
        mib(*needed),
        mib(*available)
    )]
    Memory {
        /// Bytes at most.
        needed: u64,
        /// Bytes available without swapping.
        available: u64,
    },
    /// Disk space.
    #[error(
        "{what} may take up to {} and {} has {} left; {cure}",
        mib(*needed),
        folder.display(),
        mib(*free)
    )]
    Disk {
        /// What is written there.
        what: &'static str,
        /// Bytes at most.
        needed: u64,
        /// The folder.
        folder: PathBuf,
        /// Bytes left.
        free: u64,
        /// What to do.
        cure: &'static str,
    },
}

/// Checks that this machine has what `order` needs. Raises this process's limit of open files as far as allowed if it
/// is too low.
///
/// # Errors
/// [`Lack`], before anything is started or written.
pub fn secure(order: &Order) -> Result<(), Lack> {
    let needs = Needs::of(order);
    room(&order.dir, needs.run, "the record of the drill", "choose another folder with --out")?;
    if needs.lab > 0 {
        let cure = "set TMPDIR to a folder with more, use less load, or --set lab.redis.persistence=none";
        room(&default_parent(), needs.lab, "the data of the drill's Redis", cure)?;
    }
    let available = available_memory();
    if needs.memory > available {
        return Err(Lack::Memory { needed: needs.memory, available });
    }
    descriptors(needs.descriptors)?;
    threads(needs.threads)
}

/// The most that a drill needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Needs {
    threads: usize,
    descriptors: u64,
    memory: u64,
    /// Bytes in the run's folder.
    run: u64,
    /// Bytes in the folder of the drill's own Redis; 0 if it has none there.
    lab: u64,
}

impl Needs {
    fn of(order: &Order) -> Self {
        let scenario = &order.plan.scenario;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let own = matches!((&order.redis, scenario.lab.kind), (RedisChoice::Managed(_), LabKind::Managed));
        let servers = match own {
            true => scenario.lab.topology.kind().processes,
            false => 0,
        };
        let lanes = scenario.target.kind.sockets(scenario.target.connections);
        // The embedded proxy adds two sockets per connection.
        let each = if order.plan.faults.is_empty() { 1 } else { 3 };
        let data = Footprint::of(&order.plan.load).bytes.min(scenario.lab.redis.maxmemory.0);
        let lab = match (own, scenario.lab.redis.persistence) {
            (false, _) => 0,
            (true, Persistence::None) => LEAST_LAB,
            (true, _) => PERSISTED + data,
        };
        let load = &order.plan.load;
        let planned: f64 = load.blocks().iter().map(operations).sum();
        let length = order.plan.load_length().as_secs();
        Self {
            threads: OWN_THREADS + order.workers.max(cores) + SERVER_THREADS * (servers + 1),
            descriptors: OWN_DESCRIPTORS + WORKER_DESCRIPTORS * order.workers as u64 + lanes * each,
            memory: if own { data } else { 0 },
            run: LEAST_RUN + planned as u64 * PER_OPERATION + length * PER_SECOND,
            lab,
        }
    }
}

/// Checks that `folder` has room for `needed` bytes. A file system that does not report its free space is trusted.
fn room(folder: &Path, needed: u64, what: &'static str, cure: &'static str) -> Result<(), Lack> {
    match free_bytes(folder) {
        Ok(free) if free < needed => Err(Lack::Disk { what, needed, folder: folder.to_owned(), free, cure }),
        _ => Ok(()),
    }
}

/// Checks that `needed` descriptors can be opened in addition to the open ones.
fn descriptors(needed: u64) -> Result<(), Lack> {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Ok(()) };
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, |open| open.count() as u64);
    let needed = needed + open;
    if soft >= needed {
        return Ok(());
    }
    match hard >= needed && setrlimit(Resource::RLIMIT_NOFILE, needed, hard).is_ok() {
        true => Ok(()),
        false => Err(Lack::Descriptors { needed, limit: hard }),
    }
}

/// Checks that `needed` more threads can run, by starting them all at once and letting them end. A runtime that cannot
/// start a thread while it is being built panics and hangs.
fn threads(needed: usize) -> Result<(), Lack> {
    let (enough, told) = (Mutex::new(false), Condvar::new());
    let wait = || {
        let guard = enough.lock().unwrap_or_else(PoisonError::into_inner);
        drop(told.wait_while(guard, |enough| !*enough));
    };
    std::thread::scope(|scope| {
        let start = |_| std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, wait).map(drop);
        let started = (0..needed)
            .try_fold(0, |given, number| start(number).map(|()| given + 1).map_err(|source| (given, source)));
        *enough.lock().unwrap_or_else(PoisonError::into_inner) = true;
        told.notify_all();
        started.map(drop).map_err(|(given, source)| Lack::Threads { needed, given, source })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_room_is_named_with_the_figures() {
        let folder = tempfile::tempdir().unwrap();
        room(folder.path(), 1, "a byte", "").unwrap();
        let text = room(folder.path(), 1 << 60, "a record", "do something").unwrap_err().to_string();
        assert!(text.contains("1099511627776.0 MiB") && text.contains(&*folder.path().to_string_lossy()), "{text}");
        assert!(text.contains(" left; do something"), "{text}");
    }

    #[test]
    fn threads_are_let_go_again() {
        let mine = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let before = mine();
        threads(50).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while mine() >= before + 50 {
            assert!(std::time::Instant::now() < deadline, "{} threads are left", mine());
            std::thread::yield_now();
        }
    }
}

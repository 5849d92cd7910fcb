//! What sessions take of Redis's memory: measured on a Redis of our own, which is filled up to its limit.

mod keys;
mod pool;
mod save;

use std::sync::Arc;

use firedrill_capacity::memory::{Reading, Room, Slope, slope, tables};
use firedrill_reports::capacity::{Fill, Part, Stored};
use firedrill_reports::text;

use super::machine;
use super::watcher::Watcher;
use crate::drill::{DrillError, Planned, RedisChoice, Standing};
use crate::lab::{RedisInfo, Topology};
use crate::target::Operation;

use keys::Kept;
use pool::Pool;

/// Sessions whose sizes are looked at before the fill is planned.
const PILOT: usize = 64;

/// Readings of the memory on the way to twice as many sessions.
const READINGS: usize = 16;

/// The share of the limit that is filled for the slope.
const SHARE: f64 = 0.75;

/// Fewer sessions than this give no slope worth its name.
const FEWEST: u64 = 64;

/// Once the predicted number is this close, sessions come in small batches.
const CLOSE: f64 = 0.9;

/// Small batches, as a share of the predicted number.
const BATCH: f64 = 0.002;

/// Sessions that are tried beyond the predicted number before the fill gives up, as its multiple.
const BEYOND: f64 = 1.5;

/// What to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryQuestion {
    /// The `maxmemory` of the Redis that is filled, bytes.
    pub limit: u64,
    /// The memory of the machine to recommend a `maxmemory` for, bytes; that of this machine by default.
    pub machine: Option<u64>,
}

/// What one way of storing sessions takes.
pub struct MemoryFound {
    /// The record.
    pub stored: Stored,
    /// The memory of the machine for which a limit is recommended, bytes.
    pub machine: u64,
    /// The server's allocator.
    pub allocator: String,
}

/// Fills a Redis of our own with the sessions of `planned`, which stores them in the way called `name`. `None` if the user
/// interrupted.
///
/// # Errors
/// What keeps a drill from running; [`DrillError::Unfit`] for a Redis that is not ours, for several servers, and for sessions
/// too large for the limit.
pub async fn memory(
    planned: Planned,
    name: &str,
    question: MemoryQuestion,
    watcher: Arc<dyn Watcher>,
) -> Result<Option<MemoryFound>, DrillError> {
    fillable(&planned)?;
    let name = name.to_owned();
    planned.stand(async move |standing| fill(standing, name, question, &*watcher).await).await
}

/// Whether the Redis of `planned` may be filled up: only one that goes away afterwards may.
///
/// # Errors
/// [`DrillError::Unfit`] with what to do.
pub fn fillable(planned: &Planned) -> Result<(), DrillError> {
    let unfit = |what: &str, cure: &str| Err(DrillError::Unfit(what.to_owned(), cure.to_owned()));
    if matches!(planned.redis(), RedisChoice::External(_)) {
        return unfit(
            "--memory fills a Redis up to its limit, which only one of Firedrill's own survives",
            "leave out --redis",
        );
    }
    match planned.plan().scenario.lab.topology {
        Topology::Standalone => Ok(()),
        _ => unfit(
            "--memory measures one server, and the scenario has several",
            "add --set lab.topology=standalone: what a session takes on each of several is the same",
        ),
    }
}

async fn fill(
    standing: &Standing<'_>,
    name: String,
    question: MemoryQuestion,
    watcher: &dyn Watcher,
) -> Result<Option<MemoryFound>, DrillError> {
    let target = standing.target();
    let limit = question.limit as f64;
    let pool = Pool::of(standing.plan(), question.limit)?;
    let mut creates = pool.creates();
    watcher.now(&format!("memory, {name}: the first sessions"));
    standing.fill(&target, take(&mut creates, PILOT)).await?;
    let each = Kept::of(standing.lab(), PILOT as u64).await?.bytes();
    let empty = standing.lab().info().await?;
    let full = (SHARE * limit / each.max(1.0)).max(1.0) as u64;
    // Within one doubling, the tables of keys keep their size.
    let to = if full.is_power_of_two() { full } else { full.next_power_of_two() / 2 };
    if to < FEWEST {
        return Err(DrillError::Unfit(
            format!("a session takes about {}, and {} hold too few of them", text::bytes(each), text::bytes(limit)),
            format!("give more: --memory={}", crate::units::Bytes(question.limit.saturating_mul(4))),
        ));
    }
    let mut stored = PILOT as u64;
    let mut readings = Vec::new();
    // The tables have just doubled at half of it, and the old ones are still there for a while.
    let from = to / 2 + to / 32;
    for reading in 0..=READINGS as u64 {
        let aim = from + (to - from) * reading / READINGS as u64;
        watcher.now(&format!("memory, {name}: {} of {} sessions", text::count(aim), text::count(to)));
        let more = usize::try_from(aim.saturating_sub(stored)).unwrap_or(usize::MAX);
        let batch = take(&mut creates, more);
        let asked = batch.len() as u64;
        let acknowledged = standing.list(&target, batch).await?;
        if standing.stop().is_cancelled() {
            return Ok(None);
        }
        // One that timed out may be there all the same: then nobody knows how many sessions share the memory.
        if acknowledged < asked {
            return Err(DrillError::Unsteady(format!(
                "of {asked} sessions the target acknowledged {acknowledged} only"
            )));
        }
        stored += acknowledged;
        let info = standing.lab().admin().info_with_buffers().await?;
        readings.push(Reading { sessions: stored, bytes: without_tables(&info) });
    }
    let info = standing.lab().admin().info_with_buffers().await?;
    let kept = Kept::of(standing.lab(), stored).await?;
    let found = slope(&readings).filter(|slope| slope.bytes > 0.0).ok_or_else(|| {
        DrillError::Unsteady(format!("Redis's memory did not grow while {} sessions were stored", text::count(stored)))
    })?;
    let room = room(&info, stored, &found);
    let fill = to_the_limit(standing, &mut creates, stored, &room, limit, (&name, watcher)).await?;
    if standing.stop().is_cancelled() {
        return Ok(None);
    }
    watcher.now(&format!("memory, {name}: saving it"));
    let (full, save) = save::measured(standing, &pool).await?;
    let machine = question.machine.unwrap_or(info.system_memory);
    let stored = Stored {
        name,
        bytes: [found.bytes, found.low, found.high],
        between: [readings.first().map_or(0, |first| first.sessions), stored],
        payload: pool.payload(),
        parts: parts(&kept),
        tables: room.tables(fill.reached as f64) / (fill.reached as f64).max(1.0),
        fragmentation: fragmentation(&empty, &full),
        maxmemory: 0.0,
        sessions: 0,
        fill,
        save,
    };
    let maxmemory = machine::of(&stored, machine as f64).recommended();
    let stored = Stored { maxmemory, sessions: room.within(maxmemory), ..stored };
    Ok(Some(MemoryFound { stored, machine, allocator: info.allocator }))
}

fn take(creates: &mut impl Iterator<Item = Operation>, count: usize) -> Vec<Operation> {
    creates.take(count).collect()
}

/// Bytes in use without the tables, whose size jumps, and without the buffers of connections, which come and go.
fn without_tables(info: &RedisInfo) -> f64 {
    info.used_memory as f64 - info.client_memory as f64 - tables(info.keys as f64) - tables(info.expiring as f64)
}

/// What is known once `stored` sessions are there.
fn room(info: &RedisInfo, stored: u64, slope: &Slope) -> Room {
    let sessions = (stored as f64).max(1.0);
    let (keys, expiring) = (info.keys as f64 / sessions, info.expiring as f64 / sessions);
    let base = without_tables(info) + info.client_memory as f64 - slope.bytes * sessions;
    Room { base, per_session: slope.bytes, keys, expiring }
}

/// Goes on until Redis refuses a session or evicts a key.
async fn to_the_limit(
    standing: &Standing<'_>,
    creates: &mut impl Iterator<Item = Operation>,
    stored: u64,
    room: &Room,
    limit: f64,
    (name, watcher): (&str, &dyn Watcher),
) -> Result<Fill, DrillError> {
    let target = standing.target();
    let predicted = room.within(limit);
    let small = ((predicted as f64 * BATCH) as usize).max(4);
    let mut fill = Fill { predicted, reached: stored, full: false };
    while !fill.full && (fill.reached as f64) < predicted as f64 * BEYOND && !standing.stop().is_cancelled() {
        let close = (predicted as f64 * CLOSE) as u64;
        let more = usize::try_from(close.saturating_sub(fill.reached)).unwrap_or(small).clamp(small, small * 50);
        let batch = take(creates, more);
        if batch.is_empty() {
            break;
        }
        watcher.now(&format!("memory, {name}: {} of about {predicted} sessions", text::count(fill.reached)));
        fill.reached += standing.list(&target, batch).await?;
        let info = standing.lab().info().await?;
        fill.full = info.oom_refusals > 0 || info.evicted_keys > 0;
    }
    Ok(fill)
}

/// Resident memory per byte in use, of what the sessions added: the server's own code and stacks do not grow with them.
fn fragmentation(empty: &RedisInfo, full: &RedisInfo) -> f64 {
    let grown = |before: u64, after: u64| after.saturating_sub(before) as f64;
    (grown(empty.resident, full.resident) / grown(empty.used_memory, full.used_memory).max(1.0)).max(1.0)
}

fn parts(kept: &Kept) -> Vec<Part> {
    let Some(texts) = kept.explained else { return Vec::new() };
    let rows = [
        ("value", texts.value),
        ("value: header, object and size class", texts.value_overhead),
        ("name", texts.name),
        ("entry in the table of keys", texts.entry),
        ("entry in the table of expiry times", texts.expiry),
        ("other keys, such as an index of users", kept.others),
    ];
    let shown = rows.into_iter().filter(|(_, bytes)| *bytes > 0.0);
    shown.map(|(name, bytes)| Part { name: name.to_owned(), bytes }).collect()
}

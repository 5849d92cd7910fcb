//! What a save copies: pages that the server writes to while a child process reads them.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use firedrill_reports::capacity::Save;

use super::pool::Pool;
use crate::capacity::shape::Shape;
use crate::clock::Nanos;
use crate::drill::{DrillError, Standing};
use crate::lab::{Admin, LabError, RedisInfo};

/// The load lasts this long at least, and longer the more there is to save: bytes per second that any disk takes.
const SHORTEST: Duration = Duration::from_secs(1);
const SLOWEST_DISK: f64 = 64e6;

/// The longest that a save may take, and another child process before it.
const WITHIN: Duration = Duration::from_secs(60);

/// Time between two looks at a save, and between attempts to start one.
const LOOK: Duration = Duration::from_millis(5);

/// How long unanswered operations are waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Saves the full Redis twice: by itself, and under the scenario's load at its mean rate. Returns what INFO said before, and
/// `None` where the Redis cannot save.
///
/// # Errors
/// The load cannot start, or Redis went away.
pub async fn measured(standing: &Standing<'_>, pool: &Pool) -> Result<(RedisInfo, Option<Save>), DrillError> {
    let full = standing.lab().info().await?;
    let admin = standing.lab().admin();
    // Writes must succeed: it is their copies that are measured.
    let roomier = full.maxmemory.saturating_mul(2).to_string();
    admin.query::<()>(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(roomier)).await?;
    let Some(idle) = copied(admin).await? else { return Ok((full, None)) };
    let used = full.used_memory as f64;
    let shape = Shape::of(pool.plan())?;
    let Some(rate) = shape.rate() else { return Ok((full, Some(Save { used, idle, loaded: None, rate: 0.0 }))) };
    let length = SHORTEST + Duration::from_secs_f64(used / SLOWEST_DISK);
    let load = shape.at(&pool.plan().load, rate, length, pool.plan().seed)?;
    let window = (0, length.as_nanos() as Nanos);
    let target = standing.target();
    let runs = AtomicBool::new(false);
    let loading = standing.load(&target, load, window, PATIENCE, |_| runs.store(true, Relaxed));
    let saving = async {
        let until = Instant::now() + WITHIN;
        while !runs.load(Relaxed) && Instant::now() < until && !standing.stop().is_cancelled() {
            tokio::time::sleep(LOOK).await;
        }
        copied(admin).await
    };
    let (ran, loaded) = tokio::join!(loading, saving);
    ran?;
    Ok((full, Some(Save { used, idle, loaded: loaded?, rate })))
}

/// Makes a snapshot and returns how many bytes it copied at most; `None` if none could be made.
async fn copied(admin: &Admin) -> Result<Option<f64>, LabError> {
    let until = Instant::now() + WITHIN;
    // Another child process, which rewrites the append-only file, must end first.
    while admin.query::<String>(&redis::cmd("BGSAVE")).await.is_err() {
        if Instant::now() > until {
            return Ok(None);
        }
        tokio::time::sleep(LOOK).await;
    }
    let mut peak = 0;
    loop {
        let info = admin.info().await?;
        peak = peak.max(info.copied_now);
        if !info.saving {
            return Ok((!info.save_failed).then(|| peak.max(info.copied_last) as f64));
        }
        if Instant::now() > until {
            return Ok(None);
        }
        tokio::time::sleep(LOOK).await;
    }
}

//! `process.power-loss`: the machine loses power. SIGKILL alone does not show this, because the page cache survives the
//! process. So the data that would not have reached the disk is cut off the append-only file while the server is dead.
//!
//! Which bytes those are is a bounded model. Redis does not say what it has synced, but its `appendfsync` says what it
//! promises: with `everysec` everything older than a second, with `always` everything acknowledged, with `no` what the
//! kernel wrote back on its own (Linux: after 30 s, checked every 5 s). The file's length is sampled continuously, and
//! the cut falls on a byte, drawn from the drill's seed, between the length that the promise covers and the length at
//! death: it removes at least one byte, but never one that was certainly on disk. Redis loads everything before the cut
//! and drops a command that was cut in two (`aof-load-truncated`, its default).

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind, Unfit};
use super::super::{Fault, FaultError, Impact};
use super::death::Death;
use super::target::ProcessTarget;
use crate::lab::{AofLength, AppendFile, LabError, Persistence, Topology};
use crate::property::Property;

/// Pause between two samples of the file's length.
const PERIOD: Duration = Duration::from_millis(10);

/// `process.power-loss`. The fault's time is the time until the power is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PowerLoss {}

impl Kind for PowerLoss {
    const NAME: &'static str = "process.power-loss";
    const HITS: Hits = Hits::Process;
    const DOCS: Docs = Docs {
        about: "the machine loses power: Redis dies, and what its disk had not synced is gone",
        seen_in: "a power cut, a hypervisor that is reset, a node that is fenced",
        injected_by: "SIGKILL, and the append-only file cut off at a seeded byte of its unsynced end; see [below](#power-loss)",
        evidence: "as `process.kill`, **and** at least one byte was cut off (none with `aof-always`)",
        undone_by: "the server is started again and has loaded what is left",
    };

    fn unfit_for(&self, persistence: Persistence) -> Option<Unfit> {
        (!persistence.has_append_file()).then_some(Unfit {
            why: "process.power-loss cuts off the unsynced end of the append-only file, and there is none",
            cure: "set lab.redis.persistence to aof-everysec, aof-always or aof-no; without such a file a power loss does \
                   what process.kill does",
        })
    }

    fn breaks(&self, _: Topology, persistence: Persistence) -> Property {
        match persistence {
            Persistence::AofAlways => Property::empty(),
            // A destroy that was not synced never happened.
            _ => Property::WRITES | Property::DESTROYS | Property::EXPIRY | Property::INDEX,
        }
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(PowerLossFault::new(site.index, site.context.clone())?))
    }
}

pub(in crate::fault) struct PowerLossFault {
    death: Death,
    file: AppendFile,
    /// The age from which written data is certainly on disk; `None` if all of it is.
    unsynced: Option<Duration>,
    lengths: Arc<Lengths>,
    random: Mutex<SplitMix64>,
    cut: Mutex<u64>,
}

impl PowerLossFault {
    /// Starts to sample the length of the append-only file.
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        let server = context.path.server().own_for(PowerLoss::NAME)?;
        let (file, unsynced) = (server.append_file(), unsynced(server.persistence()));
        let lengths = Arc::new(Lengths::default());
        if let Some(window) = unsynced {
            sample(file.clone(), window, Arc::downgrade(&lengths))?;
        }
        let random = SplitMix64::seed_from_u64(context.seed ^ u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let death = Death::new(PowerLoss::NAME, ProcessTarget::Redis, index, context);
        Ok(Self { death, file, unsynced, lengths, random: Mutex::new(random), cut: Mutex::default() })
    }

    /// Cuts off what the disk would not have held when the power failed at `dark`. Returns the number of bytes.
    fn lose_unsynced(&self, dark: Instant) -> std::io::Result<u64> {
        let Some(window) = self.unsynced else { return Ok(0) };
        let last = self.file.length()?;
        let synced = self.lengths.at(dark - window, &last);
        if synced >= last.bytes {
            return Ok(0);
        }
        let kept = self.random.lock().random_range(synced..last.bytes);
        AofLength { bytes: kept, ..last.clone() }.cut()?;
        Ok(last.bytes - kept)
    }
}

/// How long written data may take to reach the disk.
fn unsynced(persistence: Persistence) -> Option<Duration> {
    match persistence {
        Persistence::AofAlways => None,
        Persistence::AofEverysec => Some(Duration::from_secs(1)),
        // The Linux defaults of vm.dirty_expire_centisecs and vm.dirty_writeback_centisecs.
        Persistence::AofNo | Persistence::Rdb | Persistence::None => Some(Duration::from_secs(35)),
    }
}

/// The length of a file over time.
#[derive(Default)]
struct Lengths(Mutex<VecDeque<(Instant, AofLength)>>);

impl Lengths {
    /// Records the file's length at `at`, and forgets samples that are not needed to know its length `window` ago.
    fn note(&self, at: Instant, length: AofLength, window: Duration) {
        let mut known = self.0.lock();
        while known.get(1).is_some_and(|(then, _)| at.duration_since(*then) > window) {
            known.pop_front();
        }
        known.push_back((at, length));
    }

    /// The length that `file` had at `then`: 0 if another file was being written at that time. Before the first sample,
    /// the first sample counts.
    fn at(&self, then: Instant, file: &AofLength) -> u64 {
        let known = self.0.lock();
        let of_then = known.iter().rev().find(|(at, _)| *at <= then).or(known.front());
        of_then.filter(|(_, length)| length.path == file.path).map_or(0, |(_, length)| length.bytes)
    }
}

/// Samples on a separate thread, so that a busy runtime misses nothing, until the lengths are no longer needed.
fn sample(file: AppendFile, window: Duration, lengths: Weak<Lengths>) -> Result<(), FaultError> {
    std::thread::Builder::new()
        .name("firedrill-aof".into())
        .spawn(move || {
            while let Some(lengths) = lengths.upgrade() {
                // The file is briefly missing while Redis replaces its manifest.
                if let Ok(length) = file.length() {
                    lengths.note(Instant::now(), length, window);
                }
                drop(lengths);
                std::thread::sleep(PERIOD);
            }
        })
        .map(drop)
        .map_err(FaultError::Start)
}

#[async_trait::async_trait]
impl Fault for PowerLossFault {
    fn kind(&self) -> &'static str {
        PowerLoss::NAME
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let dark = Instant::now();
        self.death.kill().await?;
        let cut = self.lose_unsynced(dark).map_err(|error| LabError::system("cutting the append-only file", error))?;
        *self.cut.lock() = cut;
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.death.end().await
    }

    async fn impact(&self, within: Duration) -> Impact {
        let cut = *self.cut.lock();
        let also = format!(", {cut} bytes of its append-only file never synced and lost");
        let Impact { bit, evidence } = self.death.impact(&also, within).await;
        // Data that is always synced cannot be lost: the server's death is the whole effect.
        Impact { bit: bit && (cut > 0 || self.unsynced.is_none()), evidence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(name: &str, bytes: u64) -> AofLength {
        AofLength { path: name.into(), bytes }
    }

    #[test]
    fn the_length_of_a_while_ago_is_the_last_one_seen_by_then() {
        let (lengths, begun) = (Lengths::default(), Instant::now());
        let window = Duration::from_millis(100);
        let at = |ms| begun + Duration::from_millis(ms);
        for (ms, bytes) in [(0, 10), (50, 20), (120, 30), (190, 40), (260, 50)] {
            lengths.note(at(ms), length("a", bytes), window);
        }
        assert_eq!(lengths.at(at(160), &length("a", 99)), 30);
        assert_eq!(lengths.at(at(260), &length("a", 99)), 50);
        // Samples too old for any query are dropped; the oldest one kept answers for them.
        assert_eq!(lengths.0.lock().len(), 3);
        assert_eq!(lengths.at(at(10), &length("a", 99)), 30);
        assert_eq!(lengths.at(at(160), &length("b", 99)), 0);
        assert_eq!(Lengths::default().at(at(0), &length("a", 5)), 0);
    }

    #[test]
    fn what_the_disk_may_lack_is_what_appendfsync_says() {
        assert_eq!(unsynced(Persistence::AofAlways), None);
        assert_eq!(unsynced(Persistence::AofEverysec), Some(Duration::from_secs(1)));
    }
}

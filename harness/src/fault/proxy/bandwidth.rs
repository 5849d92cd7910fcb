//! `proxy.bandwidth`: each connection carries at most a given number of kilobytes per second.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::context::Site;
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::path::{Damage, ProbeResult};
use super::super::reach;
use super::super::{Fault, FaultError};
use super::stream::Stream;
use super::toxic::{ByToxic, Harm, Probe, ProbeKind, number};
use crate::proxy::toxic::{self, Toxic};

/// A probe is as large as the narrow line carries in this time…
const PROBE_TIME: Duration = Duration::from_millis(50);

/// … but at most this many bytes: above 80 MB/s, the line is not narrow enough for proof.
const PROBE_BYTES: u64 = 4_000_000;

/// Parameters of `proxy.bandwidth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Bandwidth {
    /// KB/s (1,000 bytes) that each connection carries each way; at least 1.
    #[schemars(example = 100, extend("x-unit" = "KB/s"))]
    pub rate: u64,
    /// The affected direction.
    #[serde(default = "Stream::downstream")]
    pub stream: Stream,
}

impl Kind for Bandwidth {
    const NAME: &'static str = "proxy.bandwidth";
    const HITS: Hits = Hits::Network;
    const REACH: &'static [&'static str] = reach::ANY;
    const DOCS: Docs = Docs {
        about: "each connection carries at most `rate`",
        seen_in: "a saturated link, a backup or a large migration on the same network, a throttled cloud instance",
        injected_by: "bandwidth toxic",
        evidence: "a probe of 50 ms' worth of data takes that long, **and** transfers of the load were held back. \
                   Limits above 80 MB/s cannot be proven",
        undone_by: "the toxic is removed",
    };

    fn check(&self) -> Result<(), Flaw> {
        match self.rate {
            0 => Err(Flaw::new("rate", "must be at least 1 KB/s; to let nothing pass, use proxy.timeout")),
            _ => Ok(()),
        }
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(self.fault(site))
    }
}

impl Bandwidth {
    /// The size of a probe in bytes.
    fn probe_bytes(&self) -> u64 {
        // KB/s equals bytes per millisecond.
        self.rate.saturating_mul(PROBE_TIME.as_millis() as u64).clamp(1, PROBE_BYTES)
    }
}

impl ByToxic for Bandwidth {
    fn stream(&self) -> Stream {
        self.stream
    }

    fn toxic(&self) -> Toxic {
        toxic::Bandwidth { rate: number(self.rate) }.into()
    }

    fn detail(&self) -> String {
        format!("{} KB/s {}", self.rate, self.stream.words())
    }

    fn probe(&self) -> Probe {
        Probe { what: ProbeKind::Echo(self.probe_bytes() as usize), patience: Duration::from_secs(1) }
    }

    fn felt(&self, seen: ProbeResult) -> bool {
        match seen {
            // Slices and rounding may let it through a little early.
            ProbeResult::Answered(after) => self.probe_bytes() < PROBE_BYTES && after >= PROBE_TIME * 4 / 5,
            ProbeResult::Silent(_) => true,
            ProbeResult::Refused | ProbeResult::Closed => false,
        }
    }

    fn words(&self, seen: ProbeResult) -> String {
        format!("{seen} ({} bytes)", self.probe_bytes())
    }

    fn harm(&self, damage: &Damage) -> Harm {
        Harm::held_back(damage)
    }
}

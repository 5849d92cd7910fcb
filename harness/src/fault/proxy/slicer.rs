//! `proxy.slicer`: data arrives in small pieces with pauses between them, so that a client that mistakes one read for
//! one answer goes wrong, and large sessions take long.

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
use crate::units::{Bytes, Span};

/// The minimum time for the pieces of a probe.
const PROBE_TIME: Duration = Duration::from_millis(40);

/// The minimum number of pieces in a probe.
const PROBE_PIECES: u64 = 4;

/// The largest probe: larger pieces or shorter pauses cannot be proven.
const PROBE_BYTES: u64 = 4_000_000;

/// Parameters of `proxy.slicer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Slicer {
    /// Between two pieces; longer than zero, and the proxy counts whole microseconds.
    #[serde(default = "a_millisecond")]
    pub delay: Span,
    /// Average size of a piece; at least 1 byte.
    #[schemars(example = "64B")]
    pub size: Bytes,
    /// Sizes vary by up to this much either way; less than the size.
    #[serde(default)]
    pub variation: Bytes,
    /// The affected direction.
    #[serde(default = "Stream::downstream")]
    pub stream: Stream,
}

fn a_millisecond() -> Span {
    Span::millis(1)
}

impl Kind for Slicer {
    const NAME: &'static str = "proxy.slicer";
    const HITS: Hits = Hits::Network;
    const REACH: &'static [&'static str] = reach::ANY;
    const DOCS: Docs = Docs {
        about: "data arrives in small pieces with pauses between them",
        seen_in: "a small MTU, a lossy link, a client that takes one read for one reply",
        injected_by: "slicer toxic",
        evidence: "a probe of several pieces takes as long as its pauses, **and** data of the load passed. Pieces above \
                   800 KB cannot be proven",
        undone_by: "the toxic is removed",
    };

    fn check(&self) -> Result<(), Flaw> {
        if self.size.0 == 0 || self.variation >= self.size {
            return Err(Flaw::new("size", "must be at least \"1B\", and larger than `variation`"));
        }
        if self.delay.0.as_micros() == 0 {
            return Err(Flaw::new("delay", "must be at least \"1us\": pieces without a pause arrive as one"));
        }
        Ok(())
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(self.fault(site))
    }
}

impl Slicer {
    /// The size of a probe in bytes, and the least time its pieces take.
    fn pieces(&self) -> (u64, Duration) {
        let largest = self.size.0 + self.variation.0;
        let pauses = (PROBE_TIME.as_micros() as u64).div_ceil(self.delay.0.as_micros().max(1) as u64);
        let size = largest.saturating_mul(pauses.max(PROBE_PIECES) + 1).min(PROBE_BYTES);
        // The last piece may be a large one that is sent whole.
        let pauses = (size / largest).saturating_sub(1);
        (size, self.delay.0 * u32::try_from(pauses).unwrap_or(u32::MAX))
    }
}

impl ByToxic for Slicer {
    fn stream(&self) -> Stream {
        self.stream
    }

    fn toxic(&self) -> Toxic {
        toxic::Slicer {
            average_size: number(self.size.0),
            size_variation: number(self.variation.0),
            delay: number(self.delay.0.as_micros()),
        }
        .into()
    }

    fn detail(&self) -> String {
        let Slicer { size, variation, delay, stream } = self;
        let variation = if *variation == Bytes::default() { String::new() } else { format!(" ± {variation}") };
        format!("{size}{variation}, {delay} apart, {}", stream.words())
    }

    fn probe(&self) -> Probe {
        let (size, least) = self.pieces();
        Probe { what: ProbeKind::Echo(size as usize), patience: 2 * least + Duration::from_secs(1) }
    }

    fn felt(&self, seen: ProbeResult) -> bool {
        let (_, least) = self.pieces();
        match seen {
            ProbeResult::Answered(after) => !least.is_zero() && after >= least,
            ProbeResult::Silent(waited) => waited >= least,
            ProbeResult::Refused | ProbeResult::Closed => false,
        }
    }

    fn words(&self, seen: ProbeResult) -> String {
        format!("{seen} ({} bytes)", self.pieces().0)
    }

    fn harm(&self, damage: &Damage) -> Harm {
        Harm { hits: damage.carried, words: format!("{} bytes of the load came this way", damage.carried), total: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_has_pieces_enough_to_be_felt() {
        let slicer = |size, variation, delay| {
            Slicer { size: Bytes(size), variation: Bytes(variation), delay, stream: Stream::Downstream }.pieces()
        };
        assert_eq!(slicer(100, 0, Span::millis(1)), (4_100, Duration::from_millis(40)));
        assert_eq!(slicer(100, 50, Span::millis(100)), (750, Duration::from_millis(400)));
        assert_eq!(slicer(4_000_000, 0, Span::millis(1)), (4_000_000, Duration::ZERO));
    }
}

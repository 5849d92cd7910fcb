//! `proxy.limit_data`: every connection is closed after a number of bytes, in the middle of a request or an answer.
//! Downstream, it is the most precise way to lose the answer to an executed command.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::context::Site;
use super::super::kind::{Docs, Hits, Kind};
use super::super::path::{Damage, ProbeResult};
use super::super::reach;
use super::super::{Fault, FaultError};
use super::stream::Stream;
use super::toxic::{ByToxic, Harm, Probe, ProbeKind, number};
use crate::proxy::toxic::{self, Toxic};
use crate::units::Bytes;

/// The largest probe: a larger limit cannot be proven.
const MOST: u64 = 16_000_000;

/// Parameters of `proxy.limit_data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LimitData {
    /// How much each connection may carry, from the start of the fault or of the connection.
    #[schemars(example = "10KB")]
    pub bytes: Bytes,
    /// The direction that is counted.
    #[serde(default = "Stream::downstream")]
    pub stream: Stream,
}

impl Kind for LimitData {
    const NAME: &'static str = "proxy.limit_data";
    const HITS: Hits = Hits::Network;
    const REACH: &'static [&'static str] = reach::ANY;
    const DOCS: Docs = Docs {
        about: "each connection is closed after a number of bytes, even in the middle of a reply",
        seen_in: "a peer that crashes in the middle of a reply, a proxy with a limit per connection",
        injected_by: "limit_data toxic",
        evidence: "a probe of one byte more is cut short, **and** connections of the load were",
        undone_by: "the toxic is removed",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(self.fault(site))
    }
}

impl LimitData {
    /// The size of a probe: one byte too many.
    fn probe_bytes(&self) -> usize {
        self.bytes.0.min(MOST) as usize + 1
    }
}

impl ByToxic for LimitData {
    fn stream(&self) -> Stream {
        self.stream
    }

    fn toxic(&self) -> Toxic {
        toxic::LimitData { bytes: number(self.bytes.0) }.into()
    }

    fn detail(&self) -> String {
        format!("{} {}", self.bytes, self.stream.words())
    }

    fn probe(&self) -> Probe {
        Probe { what: ProbeKind::Echo(self.probe_bytes()), patience: Duration::from_secs(5) }
    }

    fn felt(&self, seen: ProbeResult) -> bool {
        seen == ProbeResult::Closed
    }

    fn words(&self, seen: ProbeResult) -> String {
        format!("{seen} ({} bytes)", self.probe_bytes())
    }

    fn harm(&self, damage: &Damage) -> Harm {
        Harm::cut(damage, "closed")
    }
}

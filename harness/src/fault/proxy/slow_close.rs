//! `proxy.slow_close`: data passes, but the close of a connection is delayed, as by a middlebox that keeps half-closed
//! connections around. A client that waits for the close before it reconnects keeps waiting.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::context::Site;
use super::super::kind::{Docs, Hits, Kind};
use super::super::path::{Damage, ProbeResult, count, millis};
use super::super::reach;
use super::super::{Fault, FaultError};
use super::stream::Stream;
use super::toxic::{ByToxic, Harm, Probe, ProbeKind, ms};
use crate::proxy::toxic::{self, Toxic};
use crate::units::Span;

/// Parameters of `proxy.slow_close`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SlowClose {
    /// The delay of the close; the proxy counts whole milliseconds.
    #[schemars(example = "2s")]
    pub delay: Span,
    /// Whose close is delayed: the store's (upstream) or Redis's.
    #[serde(default = "Stream::downstream")]
    pub stream: Stream,
}

impl Kind for SlowClose {
    const NAME: &'static str = "proxy.slow_close";
    const HITS: Hits = Hits::Network;
    const REACH: &'static [&'static str] = reach::ANY;
    const DOCS: Docs = Docs {
        about: "data passes, but the close of a connection is delayed",
        seen_in: "load balancers and NAT gateways that keep half-closed connections",
        injected_by: "slow_close toxic",
        evidence: "the close of a probe's connection is delayed by `delay` (twice that for `both`), **and** connections \
                   of the load have ended. A load that keeps its connections is not affected",
        undone_by: "the toxic is removed",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(self.fault(site))
    }
}

impl SlowClose {
    /// The minimum delay of a close that one side sends and the other answers.
    fn floor(&self) -> Duration {
        self.delay.0 * self.stream.ways()
    }
}

impl ByToxic for SlowClose {
    fn stream(&self) -> Stream {
        self.stream
    }

    fn toxic(&self) -> Toxic {
        toxic::SlowClose { delay: ms(self.delay) }.into()
    }

    fn detail(&self) -> String {
        format!("{} {}", self.delay, self.stream.words())
    }

    fn probe(&self) -> Probe {
        Probe { what: ProbeKind::Close, patience: self.floor() + Duration::from_secs(1) }
    }

    fn felt(&self, seen: ProbeResult) -> bool {
        match seen {
            ProbeResult::Answered(after) | ProbeResult::Silent(after) => {
                !self.delay.0.is_zero() && after >= self.floor()
            }
            ProbeResult::Refused | ProbeResult::Closed => false,
        }
    }

    fn words(&self, seen: ProbeResult) -> String {
        match seen {
            ProbeResult::Answered(after) => {
                format!("a probe's connection ended {} after it should have", millis(after))
            }
            other => other.to_string(),
        }
    }

    fn harm(&self, damage: &Damage) -> Harm {
        Harm {
            hits: damage.ended,
            words: format!("{} of the load ended", count(damage.ended, "connection")),
            total: None,
        }
    }
}

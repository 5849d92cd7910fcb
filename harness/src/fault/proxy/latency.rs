//! `proxy.latency`: every transfer is delayed by the latency, more or less the jitter.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::context::Site;
use super::super::kind::{AtCommands, Docs, Flaw, Hits, Kind};
use super::super::path::{Damage, ProbeResult};
use super::super::reach;
use super::super::{Fault, FaultError};
use super::stream::Stream;
use super::toxic::{ByToxic, Harm, Probe, ProbeKind, ms};
use crate::proxy::command::Action;
use crate::proxy::toxic::{self, Toxic};
use crate::units::Span;

/// Parameters of `proxy.latency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Latency {
    /// The delay of every transfer; the proxy counts whole milliseconds.
    #[schemars(example = "50ms")]
    pub latency: Span,
    /// The delay varies by up to this, either way.
    #[serde(default)]
    pub jitter: Span,
    /// The affected direction; both means twice the delay per round trip.
    #[serde(default = "Stream::downstream")]
    pub stream: Stream,
}

impl Kind for Latency {
    const NAME: &'static str = "proxy.latency";
    const HITS: Hits = Hits::Network;
    const REACH: &'static [&'static str] = reach::ANY;
    const AT_COMMANDS: AtCommands<Self> = Some(Self::at_command);
    const DOCS: Docs = Docs {
        about: "every transfer is delayed",
        seen_in: "a Redis in another zone, a congested link, a noisy neighbour",
        injected_by: "latency toxic",
        evidence: "a probe's round trip takes at least `latency − jitter` (twice that for `both`), **and** transfers of \
                   the load were held back",
        undone_by: "the toxic is removed",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(self.fault(site))
    }
}

impl Latency {
    fn at_command(&self) -> Result<Action, Flaw> {
        self.stream.by_side(Stream::Downstream)?;
        if self.jitter != Span::default() {
            return Err(Flaw::new("jitter", "makes no sense with `on`: the delay is exact"));
        }
        Ok(Action::Delay(self.latency.0))
    }
}

impl Latency {
    /// The minimum duration of a round trip.
    fn floor(&self) -> Duration {
        self.latency.0.saturating_sub(self.jitter.0) * self.stream.ways()
    }

    /// The most that the fault adds to a round trip.
    fn ceiling(&self) -> Duration {
        (self.latency.0 + self.jitter.0) * self.stream.ways()
    }
}

impl ByToxic for Latency {
    fn stream(&self) -> Stream {
        self.stream
    }

    fn toxic(&self) -> Toxic {
        toxic::Latency { latency: ms(self.latency), jitter: ms(self.jitter) }.into()
    }

    fn detail(&self) -> String {
        let jitter = if self.jitter == Span::default() { String::new() } else { format!(" ± {}", self.jitter) };
        format!("{}{jitter} {}", self.latency, self.stream.words())
    }

    fn probe(&self) -> Probe {
        Probe { what: ProbeKind::Ping, patience: self.ceiling() + Duration::from_secs(1) }
    }

    fn felt(&self, seen: ProbeResult) -> bool {
        matches!(seen, ProbeResult::Answered(after) if after >= self.floor())
    }

    fn harm(&self, damage: &Damage) -> Harm {
        Harm::held_back(damage)
    }
}

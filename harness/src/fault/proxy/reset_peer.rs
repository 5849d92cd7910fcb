//! `proxy.reset_peer`: connections are reset (a TCP RST, not a close) as soon as they are used, or some time later.
//! Clients see "connection reset by peer" in the middle of a request, as with a load balancer that has lost its state.

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

/// Parameters of `proxy.reset_peer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ResetPeer {
    /// From the first data to the reset; the proxy counts whole milliseconds.
    #[serde(default)]
    pub timeout: Span,
    /// The affected direction. Downstream lets Redis execute the commands and loses the replies.
    #[serde(default = "Stream::downstream")]
    pub stream: Stream,
}

impl Kind for ResetPeer {
    const NAME: &'static str = "proxy.reset_peer";
    const HITS: Hits = Hits::Network;
    const REACH: &'static [&'static str] = reach::ANY;
    const AT_COMMANDS: AtCommands<Self> = Some(Self::at_command);
    const DOCS: Docs = Docs {
        about: "connections are reset (TCP RST) when they are used, or `timeout` later",
        seen_in: "a load balancer or connection tracker that has lost its state, a crashed peer that is back",
        injected_by: "reset_peer toxic; `downstream`: Redis has carried out the command",
        evidence: "a probe's connection is cut without a reply, **and** connections of the load were",
        undone_by: "the toxic is removed",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(self.fault(site))
    }
}

impl ResetPeer {
    fn at_command(&self) -> Result<Action, Flaw> {
        self.stream.by_side(Stream::Downstream)?;
        if self.timeout != Span::default() {
            return Err(Flaw::new("timeout", "makes no sense with `on`: the connection is reset at the command"));
        }
        Ok(Action::Reset)
    }
}

impl ByToxic for ResetPeer {
    fn stream(&self) -> Stream {
        self.stream
    }

    fn toxic(&self) -> Toxic {
        toxic::ResetPeer { timeout: ms(self.timeout) }.into()
    }

    fn detail(&self) -> String {
        format!("{} after the first data {}", self.timeout, self.stream.words())
    }

    fn probe(&self) -> Probe {
        Probe { what: ProbeKind::Ping, patience: self.timeout.0 + Duration::from_secs(1) }
    }

    fn felt(&self, seen: ProbeResult) -> bool {
        seen == ProbeResult::Closed
    }

    fn harm(&self, damage: &Damage) -> Harm {
        Harm::cut(damage, "reset")
    }
}

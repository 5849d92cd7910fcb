//! `proxy.timeout`: a black hole. Sent data is swallowed and connections stay open and silent, as with a host that has
//! silently left the network; with a timeout, they are closed afterwards. Healing closes them as well, because
//! swallowed data cannot be restored.

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

/// Parameters of `proxy.timeout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Timeout {
    /// After this the silent connection is closed; zero leaves it open for as long as the fault lasts.
    #[serde(default)]
    pub timeout: Span,
    /// The affected direction. Downstream alone lets Redis execute the commands and swallows the replies.
    #[serde(default = "Stream::both")]
    pub stream: Stream,
}

impl Kind for Timeout {
    const NAME: &'static str = "proxy.timeout";
    const HITS: Hits = Hits::Network;
    const REACH: &'static [&'static str] = reach::ANY;
    const AT_COMMANDS: AtCommands<Self> = Some(Self::at_command);
    const DOCS: Docs = Docs {
        about: "a black hole: nothing arrives, nothing is closed (or only after `timeout`)",
        seen_in: "a host that loses power, a firewall rule that drops packets, a network partition",
        injected_by: "timeout toxic, which swallows what is sent",
        evidence: "a probe gets no reply, **and** bytes of the load were swallowed",
        undone_by: "the toxic is removed, and the connections that it held are closed",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(self.fault(site))
    }
}

impl Timeout {
    fn at_command(&self) -> Result<Action, Flaw> {
        self.stream.by_side(Stream::Both)?;
        if self.timeout != Span::default() {
            return Err(Flaw::new("timeout", "makes no sense with `on`: the silence lasts as long as the fault"));
        }
        Ok(Action::Silence)
    }
}

impl ByToxic for Timeout {
    fn stream(&self) -> Stream {
        self.stream
    }

    fn toxic(&self) -> Toxic {
        toxic::Timeout { timeout: ms(self.timeout) }.into()
    }

    fn detail(&self) -> String {
        match self.timeout {
            timeout if timeout == Span::default() => format!("{}, never closed", self.stream.words()),
            timeout => format!("{}, closed after {timeout}", self.stream.words()),
        }
    }

    fn probe(&self) -> Probe {
        Probe { what: ProbeKind::Ping, patience: Duration::from_millis(200) }
    }

    fn felt(&self, seen: ProbeResult) -> bool {
        matches!(seen, ProbeResult::Silent(_) | ProbeResult::Closed)
    }

    fn harm(&self, damage: &Damage) -> Harm {
        Harm {
            hits: damage.dropped,
            words: format!("{} bytes of the load swallowed", damage.dropped),
            total: Some(format!("{} bytes swallowed", damage.dropped)),
        }
    }
}

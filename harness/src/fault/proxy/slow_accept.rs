//! `proxy.slow-accept`: new connections work only some time after they were opened, as with a server or load balancer
//! whose accept queue is long. A client that opens a connection per call, or reconnects with a short deadline, notices.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::context::Site;
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::path::{Damage, ProbeResult};
use super::super::reach::{CONNECTIONS, ConnectionAge, Reach, TO, TOXICITY};
use super::super::{Fault, FaultError};
use super::stream::Stream;
use super::toxic::{ByToxic, Harm, Probe, ProbeKind};
use crate::proxy::ToxicKind;
use crate::proxy::toxic::{Inbox, Stage, Step, Toxic, ToxicRng};
use crate::units::Span;

/// Parameters of `proxy.slow-accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SlowAccept {
    /// From the opening of a connection until its first data passes; at least 1 ms.
    #[schemars(example = "500ms")]
    pub delay: Span,
}

impl Kind for SlowAccept {
    const NAME: &'static str = "proxy.slow-accept";
    const HITS: Hits = Hits::Network;
    const REACH: &'static [&'static str] = &[TOXICITY, CONNECTIONS, TO];
    const DOCS: Docs = Docs {
        about: "a new connection is established and then silent for a time, before its first data passes; open ones work",
        seen_in: "a Redis that is busy with one command while hundreds of clients reconnect, a load balancer that is overloaded",
        injected_by: "the proxy holds what a client sends until `delay` after its connection was opened",
        evidence: "the proxy counts new connections of the load, **and** transfers on them that it held back",
        undone_by: "what is held passes",
    };

    fn check(&self) -> Result<(), Flaw> {
        if self.delay.0 < Duration::from_millis(1) {
            return Err(Flaw::new("delay", "must be at least 1ms"));
        }
        Ok(())
    }

    fn check_reach(&self, reach: &Reach) -> Result<(), Flaw> {
        match reach.connections {
            None | Some(ConnectionAge::New) => Ok(()),
            Some(_) => Err(Flaw::new(CONNECTIONS, "must be \"new\" here: open connections have been accepted")),
        }
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(self.fault(site))
    }
}

impl ByToxic for SlowAccept {
    fn stream(&self) -> Stream {
        Stream::Upstream
    }

    fn toxic(&self) -> Toxic {
        Held { delay: self.delay }.into()
    }

    fn detail(&self) -> String {
        self.delay.to_string()
    }

    fn probe(&self) -> Probe {
        Probe { what: ProbeKind::Ping, patience: self.delay.0 + Duration::from_secs(1) }
    }

    fn felt(&self, seen: ProbeResult) -> bool {
        matches!(seen, ProbeResult::Answered(after) if after >= self.delay.0)
    }

    fn age(&self) -> ConnectionAge {
        ConnectionAge::New
    }

    fn harm(&self, damage: &Damage) -> Harm {
        Harm::held_back(damage)
    }
}

/// The toxic: Toxiproxy has none like it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    delay: Span,
}

impl ToxicKind for Held {
    const NAME: &'static str = "slow_accept";
    const ABOUT: &'static str = "Nothing passes until `delay` after the connection was opened.";

    fn stage(&self, _rng: ToxicRng, now: Instant) -> Box<dyn Stage> {
        const LONGEST: Duration = Duration::from_secs(24 * 3600);
        Box::new(HeldUntil(now + self.delay.0.min(LONGEST)))
    }
}

struct HeldUntil(Instant);

impl Stage for HeldUntil {
    fn step(&mut self, inbox: &mut Inbox, now: Instant) -> Step {
        match now < self.0 && (inbox.front().is_some() || inbox.ended().is_some()) {
            true => Step::Wait(Some(self.0)),
            false => inbox.forward(),
        }
    }
}

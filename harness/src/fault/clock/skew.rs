//! `clock.skew`: only the application's clock is ahead, as on a machine without time synchronisation; healing corrects
//! it. Redis decides lifetimes, so a store that leaves them to Redis is not affected, and the checkers excuse nothing.
//! A store that keeps time itself, for example in memory, expires sessions too early, and the `ttl` checker reports it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::path::count;
use super::super::{Fault, FaultError, Impact};
use super::bounds::{IDLE_READS, a_jump};
use crate::units::Span;

/// Parameters of `clock.skew`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Skew {
    /// How far the application's clock is ahead: 1 s to 10 years.
    #[schemars(example = "1h")]
    pub by: Span,
}

impl Kind for Skew {
    const NAME: &'static str = "clock.skew";
    const HITS: Hits = Hits::Clock;
    const DOCS: Docs = Docs {
        about: "the application's clock alone is ahead; healing sets it right",
        seen_in: "a machine without time synchronisation, a wrong clock setting",
        injected_by: "the store's injected clock is advanced",
        evidence: "the store read its clock while it was ahead (in memory: more often than its cleanup alone would); a store without its own clock (`fail-fast`) is not affected",
        undone_by: "the clock is set back",
    };

    fn check(&self) -> Result<(), Flaw> {
        a_jump(self.by)
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(SkewFault::new(*self, site.context.clone())))
    }
}

pub(in crate::fault) struct SkewFault {
    spec: Skew,
    context: FaultContext,
    held: Mutex<Option<Held>>,
}

/// The number of clock reads when the clock was set ahead.
#[derive(Debug, Clone, Copy)]
struct Held {
    reads_before: u64,
}

impl SkewFault {
    pub fn new(spec: Skew, context: FaultContext) -> Self {
        Self { spec, context, held: Mutex::default() }
    }
}

#[async_trait::async_trait]
impl Fault for SkewFault {
    fn kind(&self) -> &'static str {
        Skew::NAME
    }

    fn detail(&self) -> String {
        format!("the store's clock {} ahead", self.spec.by)
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let mut held = self.held.lock();
        if held.is_none() {
            self.context.clock.advance(self.spec.by.0);
            *held = Some(Held { reads_before: self.context.clock.reads() });
        }
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        if self.held.lock().take().is_some() {
            self.context.clock.set_back(self.spec.by.0);
        }
        Ok(())
    }

    async fn impact(&self, _within: Duration) -> Impact {
        let reads = match *self.held.lock() {
            Some(Held { reads_before }) => self.context.clock.reads().saturating_sub(reads_before),
            None => 0,
        };
        let evidence = format!("the store asked its clock {} while it was ahead", count(reads, "time"));
        match self.context.in_memory {
            true => Impact { bit: reads > IDLE_READS, evidence },
            false => self.context.path.impact(reads > 0, evidence),
        }
    }
}

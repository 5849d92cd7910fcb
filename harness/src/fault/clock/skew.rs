//! `clock.skew`: the application's clock alone is ahead, as on a machine whose time is not synchronised; healing sets it
//! right. Lifetimes are Redis's business: a store that leaves them there answers as ever, and the checkers excuse nothing.
//! One that keeps time itself, in memory for instance, lets sessions go too early, and the `ttl` checker says so.

use std::time::Duration;

use parking_lot::Mutex;

use super::super::context::FaultContext;
use super::super::path::count;
use super::super::{Bite, Fault, FaultError};
use super::IDLE_READS;
use crate::scenario::units::Span;

/// Parameters of `clock.skew`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Skew {
    /// How far the application's clock is ahead.
    pub by: Span,
}

pub(in crate::fault) struct SkewFault {
    spec: Skew,
    context: FaultContext,
    held: Mutex<Option<Held>>,
}

/// The clock is ahead since it had been read so often.
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
        "clock.skew"
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

    async fn proof(&self, _within: Duration) -> Bite {
        let reads = match *self.held.lock() {
            Some(Held { reads_before }) => self.context.clock.reads().saturating_sub(reads_before),
            None => 0,
        };
        let evidence = format!("the store asked its clock {} while it was ahead", count(reads, "time"));
        match self.context.in_memory {
            true => Bite { bit: reads > IDLE_READS, evidence },
            false => self.context.path.bite(reads > 0, evidence),
        }
    }
}

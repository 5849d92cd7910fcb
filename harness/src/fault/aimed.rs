//! A fault of one of several servers that take over from one another: it hits one that takes writes when it begins, and that
//! one until its end, whoever leads by then. Faults that overlap hit the same.

use std::sync::Arc;
use std::time::Duration;

use super::context::FaultContext;
use super::{Bite, Fault, FaultError};
use crate::clock::Nanos;
use crate::history::Note;

pub(super) struct AimedFault {
    index: u32,
    fault: Arc<dyn Fault>,
    context: FaultContext,
}

impl AimedFault {
    pub fn new(index: u32, fault: Arc<dyn Fault>, context: FaultContext) -> Self {
        Self { index, fault, context }
    }
}

#[async_trait::async_trait]
impl Fault for AimedFault {
    fn kind(&self) -> &'static str {
        self.fault.kind()
    }

    fn detail(&self) -> String {
        self.fault.detail()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let holds = &self.context.holds;
        {
            // One after the other: who comes second must not go on before the first has aimed.
            let _turn = holds.aiming.lock().await;
            if !holds.aimed.take(self.index) {
                self.context.lab.process(self.kind())?.aim().await?;
            }
        }
        self.fault.inject().await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.fault.heal().await?;
        self.context.holds.aimed.release(self.index);
        Ok(())
    }

    async fn proof(&self, within: Duration) -> Bite {
        self.fault.proof(within).await
    }

    fn note(&self, began: Nanos, held: Option<Nanos>) -> Option<Note> {
        self.fault.note(began, held)
    }

    fn toll(&self) -> Option<String> {
        self.fault.toll()
    }
}

//! One fault at several servers, or at servers that it names.

use std::sync::Arc;
use std::time::Duration;

use super::{Fault, FaultError, Impact};

/// The same fault at each of several servers, at the same time. It has bitten when it has bitten at each.
pub(super) struct Several {
    kind: &'static str,
    /// At least one.
    faults: Vec<Arc<dyn Fault>>,
}

impl Several {
    /// The fault of this kind, built for each server.
    pub fn new(kind: &'static str, faults: Vec<Arc<dyn Fault>>) -> Self {
        Self { kind, faults }
    }
}

#[async_trait::async_trait]
impl Fault for Several {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn detail(&self) -> String {
        self.faults.first().map(|fault| fault.detail()).unwrap_or_default()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        for fault in &self.faults {
            fault.inject().await?;
        }
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        let mut result = Ok(());
        for fault in &self.faults {
            // A server that cannot be healed must not keep the others from it.
            result = fault.heal().await.and(result);
        }
        result
    }

    async fn impact(&self, within: Duration) -> Impact {
        let (mut bit, mut evidence) = (true, Vec::new());
        for fault in &self.faults {
            let impact = fault.impact(within / self.faults.len() as u32).await;
            bit &= impact.bit;
            evidence.push(impact.evidence);
        }
        Impact { bit, evidence: evidence.join("; ") }
    }

    fn damage(&self) -> Option<String> {
        let damage: Vec<String> = self.faults.iter().filter_map(|fault| fault.damage()).collect();
        (!damage.is_empty()).then(|| damage.join("; "))
    }
}

//! Builds injectable faults from a scenario's specifications.

use std::sync::Arc;

use super::context::{FaultContext, Site};
use super::kind::{Flaw, Hits};
use super::on::at_commands;
use super::several::Several;
use super::spec::FaultSpec;
use super::{Fault, FaultError};

impl FaultContext {
    /// Builds the faults of a scenario, in its order.
    ///
    /// # Errors
    /// [`Mismatch::ProcessFaultOnExternal`] if a fault needs a process that the drill does not own,
    /// [`Mismatch::NotOurs`] if it needs more control over the server, [`FaultError::NoProxy`] if it needs a proxy and
    /// there is none, and [`FaultError::NoApp`] if it needs an application and there is none.
    pub fn build(&self, specs: &[FaultSpec]) -> Result<Vec<Arc<dyn Fault>>, FaultError> {
        (0..).zip(specs).map(|(index, spec)| self.fault(index, spec)).collect()
    }

    fn fault(&self, index: u32, spec: &FaultSpec) -> Result<Arc<dyn Fault>, FaultError> {
        let (topology, kind) = (self.lab.topology(), &spec.kind);
        if kind.unfit_on(topology).is_some() {
            return Err(self.lab.lacks(kind.name()).into());
        }
        match kind.hits() {
            Hits::Network => drop(self.path.proxy()?),
            Hits::Process => drop(self.path.server().process_for(kind.name())?),
            Hits::App if self.apps.is_empty() => return Err(FaultError::NoApp { fault: kind.name() }),
            _ => {}
        }
        let unreadable = |flaw: Flaw| FaultError::Unreadable { fault: kind.name(), why: flaw.to_string() };
        let build = |site: &Site| match spec.trigger() {
            Some((on, trigger)) => at_commands(site, kind, on, trigger.map_err(unreadable)?),
            None => kind.build(site),
        };
        let site = |context| Site { index, lasting: spec.lasting, reach: spec.reach.clone(), context };
        match &spec.reach.to {
            Some(to) if kind.hits() == Hits::App => build(&site(self.clone().at_instances(to)?)),
            Some(to) => {
                let each = to.iter().map(|to| build(&site(self.clone().aimed_at(*to))));
                Ok(Arc::new(Several::new(kind.name(), each.collect::<Result<_, _>>()?)))
            }
            None => build(&site(self.clone())),
        }
    }
}

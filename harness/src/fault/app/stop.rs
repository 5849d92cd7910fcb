//! `app.stop`: the application freezes (SIGSTOP) with all its connections open, then continues (SIGCONT).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::context::Site;
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::process::stop::StopFault;
use super::super::process::target::ProcessTarget;
use super::super::reach::Reach;
use super::super::{Fault, FaultError};
use super::at_each;

/// `app.stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AppStop {}

impl Kind for AppStop {
    const NAME: &'static str = "app.stop";
    const HITS: Hits = Hits::App;
    const REACH: &'static [&'static str] = super::REACH;
    const DOCS: Docs = Docs {
        about: "the application freezes with all connections open, then resumes: all instances, or those of `to`",
        seen_in: "a long garbage collection, a debugger, a throttled container",
        injected_by: "SIGSTOP",
        evidence: "the kernel says \"stopped\", and a probe of an application that the load has used gets no reply",
        undone_by: "SIGCONT",
    };

    fn check_reach(&self, reach: &Reach) -> Result<(), Flaw> {
        super::check_reach(reach)
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        let stop =
            |context| Arc::new(StopFault::new(Self::NAME, site.index, ProcessTarget::App, context)) as Arc<dyn Fault>;
        Ok(at_each(Self::NAME, site, stop))
    }
}

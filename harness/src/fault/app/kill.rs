//! `app.kill`: the application dies without warning (SIGKILL), stays dead for the fault's duration, and then restarts
//! on the same port with empty memory.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::context::Site;
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::process::kill::KillFault;
use super::super::reach::Reach;
use super::super::{Fault, FaultError};
use super::at_each;

/// `app.kill`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AppKill {}

impl Kind for AppKill {
    const NAME: &'static str = "app.kill";
    const HITS: Hits = Hits::App;
    const REACH: &'static [&'static str] = super::REACH;
    const DOCS: Docs = Docs {
        about: "the application dies without warning, stays dead for the fault's time, and restarts on the same port \
                with empty memory: all instances, or those of `to`",
        seen_in: "a crash, a deployment, a pod that is evicted",
        injected_by: "SIGKILL to the process group of the application that the drill started",
        evidence: "the process has been reaped, and a probe of an application that the load has used gets no reply",
        undone_by: "the application is started again and serves",
    };

    fn check_reach(&self, reach: &Reach) -> Result<(), Flaw> {
        super::check_reach(reach)
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        let kill = |context| Arc::new(KillFault::of_app(Self::NAME, site.index, context)) as Arc<dyn Fault>;
        Ok(at_each(Self::NAME, site, kill))
    }
}

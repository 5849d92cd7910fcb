//! `app.kill`: the application dies without warning (SIGKILL), stays dead for the fault's duration, and then restarts
//! on the same port with empty memory.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::context::Site;
use super::super::kind::{Docs, Hits, Kind};
use super::super::process::kill::KillFault;
use super::super::{Fault, FaultError};

/// `app.kill`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AppKill {}

impl Kind for AppKill {
    const NAME: &'static str = "app.kill";
    const HITS: Hits = Hits::App;
    const DOCS: Docs = Docs {
        about: "the application dies without warning, stays dead for the fault's time, and restarts on the same port \
                with empty memory; only for `[target] kind = \"app\"`",
        seen_in: "a crash, a deployment, a pod that is evicted",
        injected_by: "SIGKILL to the `session-server` that the drill owns",
        evidence: "the process has been reaped, and a probe of an application that the load has used gets no reply",
        undone_by: "the application is started again and serves",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(KillFault::of_app(Self::NAME, site.index, site.context.clone())))
    }
}

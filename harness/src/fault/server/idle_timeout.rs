//! `server.idle-timeout`: the server closes connections that have been idle for about a second, as firewalls and some
//! hosted servers do. The first command after a pause then meets a closed connection.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::closing::Closing;
use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::refusing::ServerHandle;
use super::super::settings::Setting;
use super::super::{Fault, FaultError, Impact};
use crate::units::Span;

/// Redis checks for idle connections about once a second.
const LATE: Duration = Duration::from_secs(3);

/// Parameters of `server.idle-timeout`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IdleTimeout {
    /// How long a connection may be idle, in whole seconds.
    #[serde(default = "a_second")]
    pub timeout: Span,
}

fn a_second() -> Span {
    Span::secs(1)
}

impl Kind for IdleTimeout {
    const NAME: &'static str = "server.idle-timeout";
    const HITS: Hits = Hits::Server;
    const DOCS: Docs = Docs {
        about: "connections that were idle are closed; the first command after a pause fails",
        seen_in: "`timeout` in redis.conf, hosted Redis, load balancers and NAT gateways that drop idle connections",
        injected_by: "CONFIG SET `timeout`",
        evidence: "a probe's idle connection is closed, **and** connections of the load have ended. A load that is never idle is not affected",
        undone_by: "the setting is restored",
    };

    fn check(&self) -> Result<(), Flaw> {
        match self.timeout.0.is_zero() || self.timeout.0.subsec_nanos() > 0 {
            true => Err(Flaw::new("timeout", "must be whole seconds, at least \"1s\": Redis counts in seconds")),
            false => Ok(()),
        }
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(IdleTimeoutFault::new(site.index, *self, site.context.clone())?))
    }
}

pub(in crate::fault) struct IdleTimeoutFault {
    spec: IdleTimeout,
    handle: ServerHandle,
    closing: Closing,
}

impl IdleTimeoutFault {
    pub fn new(index: u32, spec: IdleTimeout, context: FaultContext) -> Result<Self, FaultError> {
        Ok(Self { spec, handle: ServerHandle::new(index, context.clone())?, closing: Closing::new(context) })
    }
}

#[async_trait::async_trait]
impl Fault for IdleTimeoutFault {
    fn kind(&self) -> &'static str {
        IdleTimeout::NAME
    }

    fn detail(&self) -> String {
        format!("after {}", self.spec.timeout)
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.closing.begin();
        self.handle.change(Setting::Config("timeout"), self.spec.timeout.0.as_secs()).await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.handle.restore().await
    }

    async fn impact(&self, within: Duration) -> Impact {
        self.closing.impact(within.min(self.spec.timeout.0 + LATE), " for being idle").await
    }
}

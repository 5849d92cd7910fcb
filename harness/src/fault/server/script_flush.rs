//! `server.script-flush`: the server forgets its loaded scripts, again and again, as in every restart and failover.
//! EVALSHA gets NOSCRIPT, and the store must send the script again. By Redis's own contract, scripts are a cache: there
//! is nothing to restore.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind};
use super::super::refusing::Refusing;
use super::super::repeat::Repeat;
use super::super::witness::Refusal;
use super::super::{Fault, FaultError, Impact};

/// Pause between two flushes.
const PAUSE: Duration = Duration::from_millis(20);

/// A script that only the probe uses.
const SCRIPT: &str = "return 'a probe of Firedrill'";

/// `server.script-flush`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ScriptFlush {}

impl Kind for ScriptFlush {
    const NAME: &'static str = "server.script-flush";
    const HITS: Hits = Hits::Server;
    const DOCS: Docs = Docs {
        about: "Redis forgets its scripts every 20 ms: EVALSHA gets NOSCRIPT",
        seen_in: "a restart, a failover, SCRIPT FLUSH by hand",
        injected_by: "SCRIPT FLUSH",
        evidence: "a probe's script is forgotten (NOSCRIPT), **and** so were others'",
        undone_by: "no further flush is sent. Scripts are a cache by Redis's contract: healing brings none back",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(ScriptFlushFault::new(site.index, site.context.clone())?))
    }
}

pub(in crate::fault) struct ScriptFlushFault {
    refusing: Arc<Refusing>,
    flushes: Repeat,
}

impl ScriptFlushFault {
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        let refusing = Arc::new(Refusing::new(index, context, Refusal::Commands(&["NOSCRIPT"]))?);
        Ok(Self { refusing, flushes: Repeat::default() })
    }
}

fn flush() -> redis::Cmd {
    redis::cmd("SCRIPT").arg("FLUSH").clone()
}

#[async_trait::async_trait]
impl Fault for ScriptFlushFault {
    fn kind(&self) -> &'static str {
        ScriptFlush::NAME
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.refusing.begin().await?;
        self.refusing.handle.remote.query::<()>(&flush()).await?;
        self.flushes.start(self.refusing.clone(), PAUSE, |refusing| async move {
            if let Err(error) = refusing.handle.remote.query::<()>(&flush()).await {
                tracing::debug!(%error, "the scripts could not be flushed");
            }
        });
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.flushes.stop().await;
        Ok(())
    }

    async fn impact(&self, within: Duration) -> Impact {
        let remote = &self.refusing.handle.remote;
        let taught: Result<String, _> = remote.query(redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT)).await;
        let hash = match taught {
            Ok(hash) => hash,
            Err(error) => return Impact { bit: false, evidence: format!("a script could not be loaded: {error}") },
        };
        // Long enough for the server to forget it.
        tokio::time::sleep(3 * PAUSE).await;
        self.refusing.refused(redis::cmd("EVALSHA").arg(hash).arg(0), within).await
    }
}

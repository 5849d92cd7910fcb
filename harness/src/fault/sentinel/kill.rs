//! `sentinel.kill`: sentinels die. The primary serves on; but as long as the majority is dead, nobody promotes a replica,
//! and a client that reconnects has nobody to ask while all are.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use super::super::clients::clients_of;
use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind, Unfit};
use super::super::path::count;
use super::super::{Fault, FaultError, Impact};
use crate::lab::{LabError, Sentinels, Server, ServerError, Topology};

/// Parameters of `sentinel.kill`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SentinelKill {
    /// How many of the sentinels die.
    #[serde(default)]
    pub sentinels: HowMany,
}

/// How many sentinels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HowMany {
    /// One: the others agree without it.
    One,
    /// More than half: nobody can promote a replica.
    Majority,
    /// All: nobody names the primary.
    #[default]
    All,
}

impl HowMany {
    /// Of `all` sentinels.
    fn of(self, all: usize) -> usize {
        match self {
            HowMany::One => all.min(1),
            HowMany::Majority => all / 2 + 1,
            HowMany::All => all,
        }
    }
}

impl Kind for SentinelKill {
    const NAME: &'static str = "sentinel.kill";
    const HITS: Hits = Hits::Sentinels;
    const OWN_SERVERS: bool = true;
    const DOCS: Docs = Docs {
        about: "sentinels die without warning and stay dead for the fault's time. Only under `lab.topology = \"sentinel\"`",
        seen_in: "sentinels beside the servers on hosts that fail together, a deployment of sentinels that went wrong",
        injected_by: "SIGKILL to sentinels that the drill owns",
        evidence: "their ports refuse, **and** the primary that they watch has clients",
        undone_by: "they are started again, and know each other and the replica",
    };

    fn unfit_on(&self, topology: Topology) -> Option<Unfit> {
        super::unfit_on(topology)
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(SentinelKillFault { spec: *self, context: site.context.clone() }))
    }
}

struct SentinelKillFault {
    spec: SentinelKill,
    context: FaultContext,
}

impl SentinelKillFault {
    fn sentinels(&self) -> Result<Sentinels<'_>, FaultError> {
        let lab = &self.context.lab;
        Ok(lab.sentinels().ok_or_else(|| lab.lacks(SentinelKill::NAME))?)
    }

    /// Those that die: always the same ones.
    fn victims(&self) -> Result<&[Arc<dyn Server>], FaultError> {
        let all = self.sentinels()?.all();
        Ok(&all[..self.spec.sentinels.of(all.len())])
    }
}

#[async_trait::async_trait]
impl Fault for SentinelKillFault {
    fn kind(&self) -> &'static str {
        SentinelKill::NAME
    }

    fn detail(&self) -> String {
        match self.spec.sentinels {
            HowMany::One => "one of them".to_owned(),
            HowMany::Majority => "the majority of them".to_owned(),
            HowMany::All => "all of them".to_owned(),
        }
    }

    async fn inject(&self) -> Result<(), FaultError> {
        for sentinel in self.victims()? {
            match sentinel.process_for(SentinelKill::NAME)?.kill().await {
                // Another fault already keeps it dead.
                Err(LabError::Server(ServerError::NotRunning { .. })) => {}
                result => result?,
            }
        }
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        for sentinel in self.victims()? {
            sentinel.process_for(SentinelKill::NAME)?.ensure_running().await?;
        }
        Ok(self.sentinels()?.together().await?)
    }

    async fn impact(&self, within: Duration) -> Impact {
        let victims = match self.victims() {
            Ok(victims) => victims,
            Err(error) => return Impact { bit: false, evidence: error.to_string() },
        };
        let mut refused = 0;
        for address in victims.iter().filter_map(|sentinel| sentinel.address()) {
            let knock = tokio::time::timeout(within / victims.len() as u32, TcpStream::connect(address)).await;
            refused += usize::from(matches!(knock, Ok(Err(_))));
        }
        let evidence = format!("{refused} of {} sentinels are dead and refuse connections", victims.len());
        let clients = match self.context.lab.aim().await {
            Ok(primary) => clients_of(&*primary).await,
            Err(error) => Err(error),
        };
        match clients {
            Ok(clients) => {
                let evidence = format!("{evidence}; the primary has {}", count(clients, "client"));
                Impact { bit: refused == victims.len() && clients > 0, evidence }
            }
            Err(error) => {
                Impact { bit: false, evidence: format!("{evidence}; the primary could not be asked: {error}") }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_is_more_than_half() {
        let of = |many: HowMany| [1, 2, 3, 4, 5].map(|all| many.of(all));
        assert_eq!(of(HowMany::Majority), [1, 2, 2, 3, 3]);
        assert_eq!(of(HowMany::One), [1, 1, 1, 1, 1]);
        assert_eq!(of(HowMany::All), [1, 2, 3, 4, 5]);
    }
}

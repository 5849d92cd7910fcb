//! What of a target's work is seen at Redis: without that, a drill of an application that keeps its sessions elsewhere would
//! pass.

use std::sync::Arc;

use async_trait::async_trait;

use super::setup::Setup;
use crate::lab::{Lab, LabError};
use crate::proxy::ProxyControl;
use crate::targets::{Seen, Witness};

/// The proxy and the Redis of a drill.
pub(super) struct Witnessed {
    lab: Arc<Lab>,
    proxy: Option<Arc<dyn ProxyControl>>,
}

impl Witnessed {
    pub(super) fn of(setup: &Setup) -> Self {
        Self { lab: setup.lab.clone(), proxy: setup.proxy.clone() }
    }

    /// How many commands of the class `@write` Redis has carried out (`INFO commandstats`, `ACL CAT write`).
    async fn writes(&self) -> Result<u64, LabError> {
        let admin = self.lab.admin();
        let writing: Vec<String> = admin.query(redis::cmd("ACL").arg("CAT").arg("write")).await?;
        let stats: String = admin.query(redis::cmd("INFO").arg("commandstats")).await?;
        Ok(stats
            .lines()
            .filter_map(calls)
            .filter(|(name, _)| writing.iter().any(|of| of == name))
            .map(|(_, n)| n)
            .sum())
    }
}

#[async_trait]
impl Witness for Witnessed {
    async fn seen(&self) -> Seen {
        let bytes = self.proxy.as_ref().and_then(|proxy| proxy.stats()).map(|stats| stats.upstream.received_bytes);
        // A Redis that others use counts their commands too.
        let writes = if self.lab.is_managed() { self.writes().await.ok() } else { None };
        Seen { bytes, writes }
    }
}

/// The command of a line of `INFO commandstats`, `cmdstat_set:calls=7,usec=…`, and how often it was called.
fn calls(line: &str) -> Option<(&str, u64)> {
    let (name, figures) = line.strip_prefix("cmdstat_")?.split_once(':')?;
    let calls = figures.split(',').find_map(|figure| figure.strip_prefix("calls="))?;
    Some((name, calls.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_commandstats_names_a_command_and_its_calls() {
        let line = "cmdstat_setex:calls=31,usec=93,usec_per_call=3.00,rejected_calls=0,failed_calls=0";
        assert_eq!(calls(line), Some(("setex", 31)));
        assert_eq!(calls("cmdstat_config|get:calls=2,usec=1\r"), Some(("config|get", 2)));
        assert_eq!(calls("# Commandstats"), None);
    }
}

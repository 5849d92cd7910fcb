//! `process.slow-start`: the server shuts down cleanly, restarts on its data, and takes the fault's duration to load
//! it. It accepts connections and answers LOADING, which a client mistakes for ready if it accepts any reply on
//! connect.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use redis::Cmd;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::info::field;
use super::super::kind::{Docs, Hits, Kind, Unfit};
use super::super::refusing::Refusing;
use super::super::witness::Refusal;
use super::super::{Fault, FaultError, Impact};
use crate::lab::{LabError, Persistence, RedisFailure, ServerError};

/// The pause after each loaded key, in microseconds (`key-load-delay`).
const DELAY: &str = "key-load-delay";

/// While loading, the server handles commands only after this many bytes of data
/// (`loading-process-events-interval-bytes`).
const INTERVAL: &str = "loading-process-events-interval-bytes";

/// Redis's minimum: it answers after every key of that size.
const OFTEN: u32 = 1_024;

/// With longer gaps between replies, LOADING would come too late to differ from silence.
const LONGEST_DELAY: Duration = Duration::from_millis(250);

/// Pause between two checks of the append-only file's rewrite.
const PAUSE: Duration = Duration::from_millis(10);

/// `process.slow-start`. The fault lasts at most until the data is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SlowStart {}

impl Kind for SlowStart {
    const NAME: &'static str = "process.slow-start";
    const HITS: Hits = Hits::Process;
    const DOCS: Docs = Docs {
        about: "Redis is shut down cleanly, restarts, and answers LOADING while the fault lasts",
        seen_in: "a restart of a server with much data, an upgrade",
        injected_by: "SIGTERM and a start with `key-load-delay`. At most 250 ms per key: few keys do not last long",
        evidence: "a probe gets LOADING, **and** so did others",
        undone_by: "the delay is set to 0, and the data is loaded",
    };

    fn unfit_for(&self, persistence: Persistence) -> Option<Unfit> {
        (persistence == Persistence::None).then_some(Unfit {
            why: "without persistence there is nothing to load at a start",
            cure: "set lab.redis.persistence to aof-everysec, aof-always, aof-no or rdb",
        })
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(SlowStartFault::new(site.index, site.lasting.0, site.context.clone())?))
    }
}

pub(in crate::fault) struct SlowStartFault {
    lasting: Duration,
    context: FaultContext,
    refusing: Refusing,
    begun: AtomicBool,
}

impl SlowStartFault {
    pub fn new(index: u32, lasting: Duration, context: FaultContext) -> Result<Self, FaultError> {
        let refusing = Refusing::new(index, context.clone(), Refusal::Commands(&["LOADING"]))?;
        Ok(Self { lasting, context, refusing, begun: AtomicBool::new(false) })
    }

    /// Moves all data into the snapshot at the head of the append-only file: only while the server loads a snapshot
    /// does it answer between keys.
    async fn rewrite(&self) -> Result<(), FaultError> {
        self.refusing.query::<String>(&redis::cmd("BGREWRITEAOF")).await?;
        loop {
            let info = self.refusing.info("persistence").await?;
            let busy = |field: &str| info.lines().any(|line| line.trim_end() == field);
            if !busy("aof_rewrite_in_progress:1") && !busy("aof_rewrite_scheduled:1") {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[async_trait::async_trait]
impl Fault for SlowStartFault {
    fn kind(&self) -> &'static str {
        SlowStart::NAME
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let server = self.context.path.server().own_for(SlowStart::NAME)?;
        let keys: u64 = self.refusing.query(&redis::cmd("DBSIZE")).await?;
        if keys == 0 {
            return Err(LabError::Server(ServerError::NothingToLoad).into());
        }
        self.begun.store(true, SeqCst);
        let memory = self.refusing.info("memory").await?;
        let bytes = field(&memory, "used_memory_dataset:").unwrap_or(0);
        // With compression, many keys would be loaded between two answers. The setting ends with the process.
        self.refusing.query::<()>(&set("rdbcompression", "no")).await?;
        if server.persistence().has_append_file() {
            self.rewrite().await?;
        }
        let delay = delay(self.lasting, keys, bytes).as_micros().max(1);
        let arguments = [format!("--{DELAY}"), delay.to_string(), format!("--{INTERVAL}"), OFTEN.to_string()];
        server.restart_loading(&arguments).await?;
        self.refusing.begin().await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        if !self.begun.load(SeqCst) {
            return Ok(());
        }
        // From here on it loads as fast as it can. A server that is gone has no delay either.
        match self.refusing.query::<()>(&set(DELAY, "0")).await {
            Ok(()) | Err(LabError::Redis(RedisFailure::Unreachable { .. })) => {}
            Err(error) => return Err(error.into()),
        }
        self.context.path.server().own_for(SlowStart::NAME)?.ensure_running().await?;
        self.refusing.query::<()>(&set(INTERVAL, SHIPPED_INTERVAL)).await?;
        self.begun.store(false, SeqCst);
        Ok(())
    }

    async fn impact(&self, within: Duration) -> Impact {
        self.refusing.write_refused(within).await
    }
}

/// The pause after each key that makes loading `keys` keys of `bytes` bytes in total last longer than the fault, as far
/// as the server still answers often enough.
fn delay(lasting: Duration, keys: u64, bytes: u64) -> Duration {
    let keys = keys.max(1) as f64;
    let keys_per_answer = (f64::from(OFTEN) * keys / bytes.max(1) as f64).max(1.0);
    (lasting * 2).div_f64(keys).min(LONGEST_DELAY.div_f64(keys_per_answer))
}

fn set(name: &str, value: &str) -> Cmd {
    redis::cmd("CONFIG").arg("SET").arg(name).arg(value).clone()
}

/// Redis's default interval.
const SHIPPED_INTERVAL: &str = "2097152";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loading_outlasts_the_fault_as_far_as_the_server_still_answers_often() {
        let delay = |lasting, keys, bytes| delay(Duration::from_secs(lasting), keys, bytes);
        assert_eq!(delay(2, 400, 20_000_000), Duration::from_millis(10));
        assert_eq!(delay(60, 10, 500_000), LONGEST_DELAY);
        // Four keys of 256 bytes between two answers.
        assert_eq!(delay(60, 10, 2_560), LONGEST_DELAY / 4);
        assert_eq!(delay(1, 0, 0), LONGEST_DELAY.div_f64(1_024.0));
    }
}

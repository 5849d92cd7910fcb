//! `process.slow-start`: the server is shut down cleanly and restarted on its data, and needs the fault's time to read it: it
//! accepts connections and answers LOADING, which a client mistakes for ready if it only looks for any reply on connect.

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

/// The pause after each key while it loads, in microseconds (`key-load-delay`).
const DELAY: &str = "key-load-delay";

/// The server looks for commands only after this many bytes of its data (`loading-process-events-interval-bytes`).
const INTERVAL: &str = "loading-process-events-interval-bytes";

/// The least that Redis takes: it answers after every key of that size.
const OFTEN: u32 = 1_024;

/// With longer gaps between two replies, LOADING itself would come too late to differ from silence.
const LONGEST_DELAY: Duration = Duration::from_millis(250);

/// Between two looks at the rewriting of the append-only file.
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

    /// Puts all data into the snapshot at the head of the append-only file: only while it reads a snapshot does the server
    /// answer between two keys.
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
        // Compressed, many keys would lie between two answers. The setting goes with the process that it is set in.
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
        // From here on it reads as fast as it can. One that is not there has no delay either.
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

/// The pause after each key that makes loading `keys` of them, of `bytes` together, outlast the fault's time, as far as
/// the server still answers often enough.
fn delay(lasting: Duration, keys: u64, bytes: u64) -> Duration {
    let keys = keys.max(1) as f64;
    let keys_per_answer = (f64::from(OFTEN) * keys / bytes.max(1) as f64).max(1.0);
    (lasting * 2).div_f64(keys).min(LONGEST_DELAY.div_f64(keys_per_answer))
}

fn set(name: &str, value: &str) -> Cmd {
    redis::cmd("CONFIG").arg("SET").arg(name).arg(value).clone()
}

/// The interval that Redis ships with.
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

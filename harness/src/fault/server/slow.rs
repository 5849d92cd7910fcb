//! `server.slow`: slow commands run on the server. Redis executes one command at a time, so every client waits for each
//! of them: there are no replies for a while, then the whole backlog, again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::path::ProbeResult;
use super::super::refusing::ServerHandle;
use super::super::remote::Remote;
use super::super::repeat::Repeat;
use super::super::{Fault, FaultError, Impact};
use crate::lab::LabError;
use crate::units::Span;

/// From the end of one slow command to the start of the next: long enough to work off the backlog.
const REST: Duration = Duration::from_millis(100);

/// A script that spins, for servers that do not allow DEBUG.
const LOOP: &str = "local n = 0 for i = 1, tonumber(ARGV[1]) do n = n + i end return 0";

/// Length of the calibration run: long enough for an accurate measurement.
const MEASURE: Duration = Duration::from_millis(20);

/// A shorter slow command would look like a busy machine.
const LEAST_BUSY: Duration = Duration::from_millis(20);

/// A longer one would outlast the calls of the nemesis itself.
const MOST_BUSY: Duration = Duration::from_secs(10);

/// Parameters of `server.slow`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Slow {
    /// How long each slow command holds up the server: 20 ms to 10 s.
    #[serde(default = "half_a_second")]
    pub busy: Span,
}

fn half_a_second() -> Span {
    Span::millis(500)
}

impl Kind for Slow {
    const NAME: &'static str = "server.slow";
    const HITS: Hits = Hits::Server;
    const DOCS: Docs = Docs {
        about: "slow commands, 100 ms apart, each of which blocks all clients",
        seen_in: "KEYS on a large database, a script without a bound, a large DEL",
        injected_by: "DEBUG SLEEP, or a Lua loop of that length where DEBUG is not allowed",
        evidence: "a probe on a path that the load has used waits for at least half of `busy`",
        undone_by: "no further command is sent; the last one runs to its end",
    };

    fn check(&self) -> Result<(), Flaw> {
        match (LEAST_BUSY..=MOST_BUSY).contains(&self.busy.0) {
            true => Ok(()),
            false => Err(Flaw::new("busy", format!("must be between {} and {}", Span(LEAST_BUSY), Span(MOST_BUSY)))),
        }
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(SlowFault::new(site.index, *self, site.context.clone())?))
    }
}

pub(in crate::fault) struct SlowFault {
    spec: Slow,
    handle: Arc<ServerHandle>,
    commands: Repeat,
}

impl SlowFault {
    pub fn new(index: u32, spec: Slow, context: FaultContext) -> Result<Self, FaultError> {
        Ok(Self { spec, handle: Arc::new(ServerHandle::new(index, context)?), commands: Repeat::default() })
    }

    /// A command that keeps the server busy for the configured time.
    async fn slow_command(&self) -> Result<SlowCommand, FaultError> {
        let busy = self.spec.busy.0;
        if self.handle.remote.query::<()>(&sleep(Duration::ZERO)).await.is_ok() {
            return Ok(SlowCommand::Sleep(busy));
        }
        let mut n = 100_000;
        loop {
            let begun = Instant::now();
            self.handle.remote.query::<()>(&turns(n)).await?;
            let took = begun.elapsed();
            if took >= MEASURE {
                return Ok(SlowCommand::Loop { turns: AtomicU64::new(lasting(n, took, busy)), busy });
            }
            n *= 2;
        }
    }
}

/// How the server is kept busy.
enum SlowCommand {
    Sleep(Duration),
    /// The time of these turns is measured on every run: a machine that was busy during the first one may be idle now.
    Loop {
        turns: AtomicU64,
        busy: Duration,
    },
}

impl SlowCommand {
    /// Runs it once.
    async fn run(&self, remote: &Remote) -> Result<(), LabError> {
        match self {
            SlowCommand::Sleep(busy) => remote.query(&sleep(*busy)).await,
            SlowCommand::Loop { turns: now, busy } => {
                let n = now.load(Relaxed);
                let begun = Instant::now();
                remote.query::<()>(&turns(n)).await?;
                now.store(lasting(n, begun.elapsed(), *busy), Relaxed);
                Ok(())
            }
        }
    }
}

fn sleep(busy: Duration) -> redis::Cmd {
    redis::cmd("DEBUG").arg("SLEEP").arg(busy.as_secs_f64()).clone()
}

fn turns(n: u64) -> redis::Cmd {
    redis::cmd("EVAL").arg(LOOP).arg(0).arg(n).clone()
}

/// The number of turns that take `busy`, given that `n` took `took`.
fn lasting(n: u64, took: Duration, busy: Duration) -> u64 {
    ((n as f64 * busy.as_secs_f64() / took.as_secs_f64()) as u64).max(1)
}

#[async_trait::async_trait]
impl Fault for SlowFault {
    fn kind(&self) -> &'static str {
        Slow::NAME
    }

    fn detail(&self) -> String {
        format!("{} each", self.spec.busy)
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let command = Arc::new(self.slow_command().await?);
        self.commands.start(self.handle.clone(), REST, move |handle| {
            let command = command.clone();
            async move {
                if let Err(error) = command.run(&handle.remote).await {
                    tracing::debug!(%error, "a slow command failed");
                }
            }
        });
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.commands.stop().await;
        Ok(())
    }

    async fn impact(&self, within: Duration) -> Impact {
        // A probe that arrives in the middle waits for half of it.
        let late = self.spec.busy.0 / 2;
        let path = &self.handle.context.path;
        let seen = path.ping(within.min(self.spec.busy.0 + Duration::from_secs(1))).await;
        let waited = match seen {
            ProbeResult::Answered(after) | ProbeResult::Silent(after) => after,
            ProbeResult::Refused | ProbeResult::Closed => Duration::ZERO,
        };
        path.impact(waited >= late, seen.to_string())
    }
}

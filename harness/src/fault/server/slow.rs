//! `server.slow`: somebody runs slow commands. Redis carries out one command at a time, so everybody waits for each of
//! them: again and again nothing is answered for a while, and then all that has piled up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::context::FaultContext;
use super::super::path::Seen;
use super::super::repeat::Repeat;
use super::super::{Bite, Fault, FaultError};
use super::Hand;
use crate::scenario::units::Span;

/// From the end of one slow command to the next: long enough for what has piled up.
const REST: Duration = Duration::from_millis(100);

/// A script that does nothing so often, for servers that do not allow DEBUG.
const LOOP: &str = "local n = 0 for i = 1, tonumber(ARGV[1]) do n = n + i end return 0";

/// How long the loop is measured for: long enough to be measured well.
const MEASURE: Duration = Duration::from_millis(20);

/// Parameters of `server.slow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slow {
    /// How long each slow command holds up the server.
    pub busy: Span,
}

pub(in crate::fault) struct SlowFault {
    spec: Slow,
    hand: Arc<Hand>,
    commands: Repeat,
}

impl SlowFault {
    pub fn new(index: u32, spec: Slow, context: FaultContext) -> Result<Self, FaultError> {
        Ok(Self { spec, hand: Arc::new(Hand::new(index, context)?), commands: Repeat::default() })
    }

    /// A command that takes the server so long.
    async fn slow_command(&self) -> Result<redis::Cmd, FaultError> {
        let sleep = |seconds: f64| redis::cmd("DEBUG").arg("SLEEP").arg(seconds).clone();
        if self.hand.remote.query::<()>(&sleep(0.0)).await.is_ok() {
            return Ok(sleep(self.spec.busy.0.as_secs_f64()));
        }
        let turns = |n: u64| redis::cmd("EVAL").arg(LOOP).arg(0).arg(n).clone();
        let mut n = 100_000;
        loop {
            let begun = Instant::now();
            self.hand.remote.query::<()>(&turns(n)).await?;
            let took = begun.elapsed();
            if took >= MEASURE {
                return Ok(turns((n as f64 * self.spec.busy.0.as_secs_f64() / took.as_secs_f64()) as u64));
            }
            n *= 2;
        }
    }
}

#[async_trait::async_trait]
impl Fault for SlowFault {
    fn kind(&self) -> &'static str {
        "server.slow"
    }

    fn detail(&self) -> String {
        format!("{} each", self.spec.busy)
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let command = self.slow_command().await?;
        self.commands.start(self.hand.clone(), REST, move |hand| {
            let command = command.clone();
            async move {
                if let Err(error) = hand.remote.query::<()>(&command).await {
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

    async fn proof(&self, within: Duration) -> Bite {
        // A probe that comes in the middle waits for half of it.
        let late = self.spec.busy.0 / 2;
        let path = &self.hand.context.path;
        let seen = path.ping(within.min(self.spec.busy.0 + Duration::from_secs(1))).await;
        let waited = match seen {
            Seen::Answered(after) | Seen::Silent(after) => after,
            Seen::Refused | Seen::Closed => Duration::ZERO,
        };
        path.bite(waited >= late, seen.to_string())
    }
}

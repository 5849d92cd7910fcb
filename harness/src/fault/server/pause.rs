//! `server.pause`: the server delays every command, or every write (CLIENT PAUSE), with all connections open, and then
//! executes the delayed commands.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind};
use super::super::path::ProbeResult;
use super::super::paused::Paused;
use super::super::refusing::{ServerHandle, idle_write};
use super::super::{Fault, FaultError, Impact};
use crate::lab::journal::Undo;
use crate::lab::{DialError, Dialer, LabError, RedisFailure, ServerConnection};
use crate::units::Span;

/// How much later than planned the pause ends on its own, so that a killed harness leaves no paused server behind.
const SAFETY: Duration = Duration::from_secs(10);

const DEADLINE: Duration = Duration::from_secs(5);

/// What is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PauseMode {
    /// Every command.
    #[default]
    All,
    /// Writes; reads are answered.
    Write,
}

/// Parameters of `server.pause`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Pause {
    /// What is held back.
    #[serde(default)]
    pub mode: PauseMode,
}

impl Kind for Pause {
    const NAME: &'static str = "server.pause";
    const HITS: Hits = Hits::Server;
    const DOCS: Docs = Docs {
        about: "Redis holds commands back with all connections open, then carries them out",
        seen_in: "a failover by hand, a slow fork, a managed Redis that is resized",
        injected_by: "CLIENT PAUSE; if the harness is killed, it ends by itself 10 s after the fault's time",
        evidence: "a probe's write gets no reply on a path that the load has used",
        undone_by: "CLIENT UNPAUSE",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(PauseFault::new(site.index, *self, site.lasting, site.context.clone())?))
    }
}

pub(in crate::fault) struct PauseFault {
    spec: Pause,
    lasting: Span,
    handle: ServerHandle,
}

impl PauseFault {
    pub fn new(index: u32, spec: Pause, lasting: Span, context: FaultContext) -> Result<Self, FaultError> {
        Ok(Self { spec, lasting, handle: ServerHandle::new(index, context)? })
    }

    fn paused(&self) -> &Paused {
        &self.handle.context.paused
    }

    fn command(&self) -> redis::Cmd {
        let mut command = redis::cmd("CLIENT");
        let time = (self.lasting.0 + SAFETY).as_millis() as u64;
        command.arg("PAUSE").arg(time).arg(if self.spec.mode == PauseMode::All { "ALL" } else { "WRITE" });
        command
    }

    /// Records that there will be a pause.
    fn announce(&self) -> Result<(), LabError> {
        let Some(journal) = self.handle.context.lab.journal() else { return Ok(()) };
        let ends = SystemTime::now() + self.lasting.0 + SAFETY;
        let ends_ms = ends.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        self.paused().announced.lock().push(journal.announce(Undo::Unpause { ends_ms })?);
        Ok(())
    }

    /// Records that the pause is over.
    fn over(&self) -> Result<(), LabError> {
        let Some(journal) = self.handle.context.lab.journal() else { return Ok(()) };
        let mut announced = self.paused().announced.lock();
        while let Some(id) = announced.last() {
            journal.undone(*id)?;
            announced.pop();
        }
        Ok(())
    }

    /// Pauses everything on a line that can still undo it: the server delays its clients but not its replicas, and it
    /// treats a line in MONITOR mode as a replica. While everything is paused, there is nothing to monitor.
    async fn pause_all(&self) -> Result<ServerConnection, LabError> {
        let url = self.handle.context.path.server().url();
        let mut requests = url.login();
        requests.extend([redis::cmd("MONITOR"), self.command()]);
        let bytes: Vec<u8> = requests.iter().flat_map(redis::Cmd::get_packed_command).collect();
        let dialer = Dialer::of(url)?;
        let opening = async { dialer.open((url.host(), url.port())).await.map_err(DialError::into_io) };
        let mut line = self.io(opening).await?;
        self.tell(&mut line, &bytes, requests.len()).await?;
        Ok(line)
    }

    /// Sends `request` and waits until the server has replied `+OK` `times` times.
    async fn tell(&self, line: &mut ServerConnection, request: &[u8], times: usize) -> Result<(), LabError> {
        let mut come = Vec::new();
        self.io(async {
            line.write_all(request).await?;
            line.flush().await
        })
        .await?;
        loop {
            let said = String::from_utf8_lossy(&come);
            if let Some(error) = said.lines().find(|line| line.starts_with('-')) {
                let answer = error.trim_start_matches('-').to_owned();
                return Err(LabError::Redis(RedisFailure::Refused {
                    address: self.handle.context.path.server().url().address(),
                    answer,
                }));
            }
            // MONITOR's output may come between the replies.
            if said.lines().filter(|line| *line == "+OK").count() >= times {
                return Ok(());
            }
            if self.io(line.read_buf(&mut come)).await? == 0 {
                return self.io(std::future::ready(Err(std::io::ErrorKind::UnexpectedEof.into()))).await;
            }
        }
    }

    async fn io<T>(&self, call: impl Future<Output = std::io::Result<T>>) -> Result<T, LabError> {
        let address = self.handle.context.path.server().url().address();
        match tokio::time::timeout(DEADLINE, call).await {
            Ok(done) => {
                done.map_err(|error| LabError::Redis(RedisFailure::Unreachable { address, reason: error.to_string() }))
            }
            Err(_) => Err(LabError::Redis(RedisFailure::NoAnswer { address, deadline: DEADLINE })),
        }
    }
}

#[async_trait::async_trait]
impl Fault for PauseFault {
    fn kind(&self) -> &'static str {
        Pause::NAME
    }

    fn detail(&self) -> String {
        match self.spec.mode {
            PauseMode::All => "all commands".to_owned(),
            PauseMode::Write => "writes".to_owned(),
        }
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let mut line = self.paused().line.lock().await;
        if self.paused().hold.take(self.handle.index) && line.is_some() {
            return Ok(()); // everything is paused already, and no command would be answered
        }
        self.announce()?;
        match self.spec.mode {
            PauseMode::All => *line = Some(self.pause_all().await?),
            PauseMode::Write => self.handle.remote.query::<()>(&self.command()).await?,
        }
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        let mut line = self.paused().line.lock().await;
        if !self.paused().hold.release(self.handle.index) {
            return Ok(());
        }
        let unpause = redis::cmd("CLIENT").arg("UNPAUSE").clone();
        let told = match line.as_mut() {
            Some(line) => self.tell(line, &unpause.get_packed_command(), 1).await.is_ok(),
            None => false,
        };
        *line = None;
        if !told {
            // If everything is paused and the line is lost, this call is delayed too, and answered when the pause ends.
            self.handle.remote.query::<()>(&unpause).await?;
        }
        Ok(self.over()?)
    }

    async fn impact(&self, within: Duration) -> Impact {
        let context = &self.handle.context;
        let (seen, _) = context.ask(&idle_write(context), 1, within.min(Duration::from_millis(200))).await;
        context.path.impact(matches!(seen, ProbeResult::Silent(_)), seen.to_string())
    }
}

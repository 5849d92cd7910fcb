//! `app.restart`: the instances of the application restart one after the other, as in a rolling deploy. Each is asked to end,
//! and the next one has its turn once it serves again. A `[[deploy]]` of a changed environment is one of these.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use indexmap::IndexMap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::path::count;
use super::super::process::target::ProcessTarget;
use super::super::reach::Reach;
use super::super::{Fault, FaultError, Impact};
use crate::lab::ServerProcess as _;

/// `app.restart`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AppRestart {
    /// The variables that a deploy adds to the environment.
    #[serde(skip)]
    env: IndexMap<String, String>,
}

impl AppRestart {
    /// A rolling deploy of these variables.
    pub fn deploying(env: IndexMap<String, String>) -> Self {
        Self { env }
    }
}

impl Kind for AppRestart {
    const NAME: &'static str = "app.restart";
    const HITS: Hits = Hits::App;
    const REACH: &'static [&'static str] = super::REACH;
    const DOCS: Docs = Docs {
        about: "a rolling restart: instance after instance of the application ends and starts again; all instances, or those \
                of `to`. With one instance nothing serves meanwhile",
        seen_in: "every deploy, a node that is drained, changed settings",
        injected_by: "SIGTERM to the instance's process group, SIGKILL after `app.grace`, and a start on the same port; the next \
                      instance once it serves",
        evidence: "an instance that the load has used has ended",
        undone_by: "the last instance serves again, even if that takes longer than the fault's time; what a `[[deploy]]` has \
                    changed stays",
    };

    fn check_reach(&self, reach: &Reach) -> Result<(), Flaw> {
        super::check_reach(reach)
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        let rolling = Rolling { context: site.context.clone(), env: self.env.clone(), state: Mutex::default() };
        Ok(Arc::new(RestartFault { rolling: Arc::new(rolling), task: Mutex::default() }))
    }
}

struct RestartFault {
    rolling: Arc<Rolling>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Rolling {
    context: FaultContext,
    env: IndexMap<String, String>,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// How many instances have been told to end.
    told: usize,
    /// How many instances have had their turn, whether they serve or not.
    turns: usize,
    /// The requests of the load to instances that have ended.
    requests: u64,
    /// How many had to be killed.
    killed: usize,
    /// Why an instance does not serve.
    failed: Option<String>,
}

impl Rolling {
    async fn roll(&self) {
        for app in &self.context.apps {
            {
                let mut state = self.state.lock();
                state.requests += app.requests().load(Relaxed);
                state.told += 1;
            }
            let restarted = app.restart(&self.env).await;
            let mut state = self.state.lock();
            state.turns += 1;
            match restarted {
                Ok(ended) => state.killed += usize::from(!ended),
                Err(error) => {
                    // A deploy that does not come up ends there, as a careful roll-out does.
                    state.failed = Some(format!("{} does not serve: {error}", app.called()));
                    return;
                }
            }
        }
    }

    fn words(&self) -> String {
        let State { turns, requests, killed, failed, .. } = &*self.state.lock();
        let all = self.context.apps.len();
        let killed = match killed {
            0 => String::new(),
            some => format!(", {some} killed because they did not end in time"),
        };
        let failed = failed.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
        format!("{turns} of {all} restarted{killed}, after {}{failed}", count(*requests, "request"))
    }
}

#[async_trait::async_trait]
impl Fault for RestartFault {
    fn kind(&self) -> &'static str {
        AppRestart::NAME
    }

    fn detail(&self) -> String {
        let names: Vec<&str> = self.rolling.env.keys().map(String::as_str).collect();
        if names.is_empty() { String::new() } else { format!("deploys {}", names.join(", ")) }
    }

    async fn inject(&self) -> Result<(), FaultError> {
        for app in &self.rolling.context.apps {
            let at = self.rolling.context.clone().with_apps(std::slice::from_ref(app));
            if ProcessTarget::App.dead(&at).is_taken() || ProcessTarget::App.stopped(&at).is_taken() {
                return Err(FaultError::Overlaps { fault: AppRestart::NAME, by: "app.kill or app.stop" });
            }
        }
        *self.rolling.state.lock() = State::default();
        let rolling = self.rolling.clone();
        *self.task.lock() = Some(tokio::spawn(async move { rolling.roll().await }));
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        let task = self.task.lock().take();
        if let Some(task) = task {
            // A task that panicked has ended too.
            let _ = task.await;
        }
        for app in &self.rolling.context.apps {
            app.ensure_running().await?;
        }
        Ok(())
    }

    async fn impact(&self, _within: Duration) -> Impact {
        let State { told, requests, .. } = *self.rolling.state.lock();
        let (all, after) = (self.rolling.context.apps.len(), count(requests, "request"));
        Impact { bit: told > 0 && requests > 0, evidence: format!("{told} of {all} asked to end after {after}") }
    }

    /// A restart takes as long as the application does, which is often longer than the fault was to last.
    fn outcome(&self) -> Option<String> {
        Some(self.rolling.words())
    }
}

//! The answers beside the highest rate: what survives the faults, what sessions take of memory, how long that lasts.

use std::path::Path;
use std::sync::Arc;

use firedrill_reports::capacity::{Capacity, Knee, Memory};
use firedrill_reports::text;
use tokio_util::sync::CancellationToken;

use super::order::drill;
use crate::capacity::{
    MemoryFound, MemoryQuestion, Nodes, SurvivalQuestion, fillable, memory, outlast, own_rate, sizes, survivable,
};
use crate::cli::args::CapacityArgs;
use crate::cli::exit::Failure;
use crate::cli::progress::Progress;
use crate::drill::{Drill, DrillError, Planned};
use crate::scenario::{EncryptionSpec, Scenario, Source};
use crate::target::Ability;
use crate::units::Span;

/// Sessions of a shorter lifetime could expire while a Redis is filled.
const LONG_LIVED: Span = Span::secs(3600);

/// A call to Redis that ends with a timeout may have stored a session that nobody counts; the generator itself waits 5 s.
const PATIENT: Span = Span::secs(4);

/// The fastest drill, if nothing is known of the healthy rate.
const FASTEST: f64 = 1e6;

const PLAIN: &str = "plain";
const ENCRYPTED: &str = "encrypted";

/// What is asked beside the highest rate, found to make sense.
pub struct More {
    scenario: Scenario,
    /// The drill whose scaled copies are run.
    survives: Option<Drill>,
    /// The Redis servers to fill, each with the way in which its sessions are stored.
    fills: Vec<(&'static str, Planned)>,
    nodes: Option<Nodes>,
    stop: CancellationToken,
}

impl More {
    /// Reads what the command line asks of the scenario of `planned`, whose files go to `folder`.
    pub fn of(
        args: &CapacityArgs,
        folder: &Path,
        planned: &Planned,
        stop: &CancellationToken,
    ) -> Result<Self, Failure> {
        let scenario = planned.plan().scenario.clone();
        let nodes = args.nodes.as_deref().map(Source::read).transpose()?;
        let nodes = nodes.as_ref().map(Nodes::parse).transpose()?;
        let survives = match args.survive {
            true => {
                own_rate(&scenario)?;
                Some(drill(args, folder.join("drills"), stop)?.seed(planned.plan().seed))
            }
            false => None,
        };
        let fills = fills(args, folder, planned, stop)?;
        Ok(Self { scenario, survives, fills, nodes, stop: stop.clone() })
    }

    /// Finds the answers and adds them to `capacity`, one by one: those that were found stay, whatever happens to the next.
    ///
    /// # Errors
    /// What keeps a drill from running.
    pub async fn answer(
        mut self,
        args: &CapacityArgs,
        folder: &Path,
        capacity: &mut Capacity,
        progress: &Arc<Progress>,
    ) -> Result<(), DrillError> {
        let answered = self.measure(args, folder, capacity, progress).await;
        let ours = match (self.scenario.store.encryption, self.scenario.has(Ability::Encryption)) {
            (EncryptionSpec::Always(false), _) | (_, false) => PLAIN,
            _ => ENCRYPTED,
        };
        if let Some(now) = args.now {
            capacity.head_room = Some(outlast(capacity, now.0, args.growth));
            let sessions = args.sessions.map(|sessions| sessions as f64);
            capacity.sizing = self.nodes.map(|nodes| sizes(capacity, &nodes, now.0, sessions, ours));
        }
        answered
    }

    async fn measure(
        &mut self,
        args: &CapacityArgs,
        folder: &Path,
        capacity: &mut Capacity,
        progress: &Arc<Progress>,
    ) -> Result<(), DrillError> {
        if let Some(drill) = self.survives.take().filter(|_| !self.stop.is_cancelled()) {
            let highest = match capacity.knee {
                Knee::At { high, .. } => high,
                Knee::AtLeast { .. } | Knee::Below { .. } | Knee::Unknown { .. } | Knee::NotAsked => FASTEST,
            };
            let question =
                SurvivalQuestion { highest, ratio: 1.0 + 2.0 * args.width.0, drills: args.drills.get().into() };
            let drills = folder.join("drills");
            let found = survivable(&drill, &self.scenario, question, &drills, &self.stop, progress.clone()).await?;
            capacity.survivable = Some(found);
        }
        let Some(limit) = args.memory else { return Ok(()) };
        let asked = MemoryQuestion { limit: limit.0, machine: args.ram.map(|ram| ram.0) };
        for (name, mut planned) in std::mem::take(&mut self.fills) {
            planned.observe(progress.clone());
            let Some(MemoryFound { stored, machine, allocator }) =
                memory(planned, name, asked, progress.clone()).await?
            else {
                break;
            };
            let each = text::count(stored.whole().round() as u64);
            let fit = text::count(stored.fill.reached);
            progress.line(&format!("{name}: {each} bytes per session, {fit} of them filled {limit}"));
            let first = || Memory { limit: limit.0, machine, allocator, kinds: Vec::new() };
            capacity.memory.get_or_insert_with(first).kinds.push(stored);
        }
        Ok(())
    }
}

/// The fills that `--memory` asks for: both ways of storing sessions where the target has two.
fn fills(
    args: &CapacityArgs,
    folder: &Path,
    planned: &Planned,
    stop: &CancellationToken,
) -> Result<Vec<(&'static str, Planned)>, Failure> {
    let Some(limit) = args.memory else { return Ok(Vec::new()) };
    fillable(planned)?;
    let plan = planned.plan();
    let fill = |name: &'static str, encrypted: Option<bool>| -> Result<(&'static str, Planned), Failure> {
        let out = folder.join("memory").join(name.replace(' ', "-"));
        let mut drill = drill(args, out, stop)?.seed(plan.seed).set("lab.redis.maxmemory", format!("\"{limit}\""));
        if plan.scenario.has(Ability::Expiry) && plan.scenario.store.ttl < LONG_LIVED {
            drill = drill.set("store.ttl", format!("\"{LONG_LIVED}\""));
        }
        if plan.scenario.has(Ability::Deadline) {
            drill = drill.set("store.timeout", format!("\"{PATIENT}\""));
        }
        let encrypted = encrypted.map(|encrypted| drill.clone().set("store.encryption", encrypted));
        Ok((name, encrypted.unwrap_or(drill).plan()?))
    };
    match plan.scenario.has(Ability::Encryption) {
        true => Ok(vec![fill(PLAIN, Some(false))?, fill(ENCRYPTED, Some(true))?]),
        false => Ok(vec![fill("as the target stores them", None)?]),
    }
}

//! `cluster.migrate-slots`: slots move from one primary to the next while the load uses their keys, as in a resharding.
//! Clients get ASK, TRYAGAIN and MOVED and have to follow. Moved slots stay with their new owner: moving them back
//! would be the same fault again. Healing completes the current slot and leaves none half-way.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Flaw, Hits, Kind, Unfit};
use super::super::path::count;
use super::super::repeat::Repeat;
use super::super::{Fault, FaultError, Impact};
use crate::lab::{Lab, LabError, Redirections, Slots, Topology, Way};
use crate::units::{Share, Span};

/// Healing has to wait for a half-moved slot.
const LONGEST_HALF: Duration = Duration::from_secs(10);

/// Parameters of `cluster.migrate-slots`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MigrateSlots {
    /// The share of one primary's slots with sessions of the drill that is moved.
    #[serde(default = "half")]
    pub share: Share,
    /// How long each of them is half moved, at most 10 s: the first half of that with its keys still there, the second
    /// half with its keys gone.
    #[serde(default = "a_tenth")]
    pub delay: Span,
}

fn half() -> Share {
    Share(0.5)
}

fn a_tenth() -> Span {
    Span::millis(100)
}

impl Kind for MigrateSlots {
    const NAME: &'static str = "cluster.migrate-slots";
    const HITS: Hits = Hits::Cluster;
    /// If the harness is killed, nobody else knows which slots are half moved.
    const OWN_SERVERS: bool = true;
    const DOCS: Docs = Docs {
        about: "slots of one cluster primary move to the next while in use, and stay there. Only under `lab.topology \
                = \"cluster\"`, see [labs](labs.md#slots-that-move)",
        seen_in: "a cluster that is resharded or gains a node",
        injected_by: "CLUSTER SETSLOT IMPORTING and MIGRATING, GETKEYSINSLOT, MIGRATE key by key, SETSLOT NODE on every primary",
        evidence: "keys were moved, **and** the two servers counted ASK, TRYAGAIN or MOVED replies (`errorstats`): only the load asks them for these keys",
        undone_by: "the current slot is completed",
    };

    fn check(&self) -> Result<(), Flaw> {
        if self.share.0 <= 0.0 {
            return Err(Flaw::new("share", "must be more than \"0%\""));
        }
        if self.delay.0 > LONGEST_HALF {
            let longest = Span(LONGEST_HALF);
            let problem = format!("must be at most {longest}: the fault waits until a slot has moved completely");
            return Err(Flaw::new("delay", problem));
        }
        Ok(())
    }

    fn unfit_on(&self, topology: Topology) -> Option<Unfit> {
        (topology != Topology::Cluster)
            .then_some(Unfit { why: "only a cluster has slots to move", cure: "set lab.topology = \"cluster\"" })
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(MigrateSlotsFault::new(*self, site.lasting.0, site.context.clone())))
    }
}

pub(in crate::fault) struct MigrateSlotsFault {
    spec: MigrateSlots,
    lasting: Duration,
    context: FaultContext,
    moving: Arc<Moving>,
    steps: Repeat,
}

/// What the mover and the fault share.
struct Moving {
    lab: Arc<Lab>,
    /// How long a slot stays in each of its two states.
    stage: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The source and the destination; `None` before the first onset.
    way: Option<Way>,
    /// Slots still to be moved; the first may be half moved.
    left: VecDeque<u16>,
    /// The last attempt was interrupted: its slot must be completed first.
    broken: bool,
    picked: u64,
    slots: u64,
    keys: u64,
    before: Redirections,
    told: Redirections,
}

impl MigrateSlotsFault {
    pub fn new(spec: MigrateSlots, lasting: Duration, context: FaultContext) -> Self {
        let moving = Moving { lab: context.lab.clone(), stage: spec.delay.0 / 2, state: Mutex::default() };
        Self { spec, lasting, context, moving: Arc::new(moving), steps: Repeat::default() }
    }

    /// Picks a share of `slots`, at least one if there are any; the seed decides which ones.
    fn pick(&self, mut slots: Vec<u16>) -> VecDeque<u16> {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        slots.sort_by_cached_key(|slot| hasher.hash_one((self.context.seed, slot)));
        slots.truncate((slots.len() as f64 * self.spec.share.0).round().max(1.0) as usize);
        slots.into()
    }
}

impl Moving {
    fn slots(&self) -> Result<Slots<'_>, LabError> {
        self.lab.slots().ok_or_else(|| self.lab.lacks(MigrateSlots::NAME))
    }

    /// Moves the next slot, if any. A slot left half-way is completed before the next one.
    async fn step(&self) {
        let (way, next) = {
            let state = self.state.lock();
            (state.way, state.left.front().copied())
        };
        let (Some(way), Some(slot)) = (way, next) else { return };
        if let Err(error) = self.take_over(slot, way).await {
            tracing::debug!(slot, %error, "a slot could not be moved");
            self.state.lock().broken = true;
        }
    }

    async fn take_over(&self, slot: u16, way: Way) -> Result<(), LabError> {
        let slots = self.slots()?;
        if self.state.lock().broken {
            let completed = slots.settle().await?;
            // The interrupted slot is complete, or no server reports it as half moved.
            let way = slots.again(way).await?;
            let mut state = self.state.lock();
            state.left.pop_front();
            (state.way, state.broken, state.slots) = (Some(way), false, state.slots + completed);
            return Ok(());
        }
        slots.open(slot, way).await?;
        tokio::time::sleep(self.stage).await;
        let keys = slots.move_keys(slot, way).await?;
        self.state.lock().keys += keys;
        tokio::time::sleep(self.stage).await;
        slots.close(slot, way).await?;
        {
            let mut state = self.state.lock();
            state.left.pop_front();
            state.slots += 1;
        }
        self.look().await
    }

    /// Asks the servers how many redirections they have sent so far.
    async fn look(&self) -> Result<(), LabError> {
        let way = self.state.lock().way;
        if let Some(way) = way {
            let told = self.slots()?.redirections(way).await?;
            let mut state = self.state.lock();
            state.told = told.since(state.before);
        }
        Ok(())
    }

    fn words(&self) -> String {
        let State { slots, picked, keys, told, .. } = &*self.state.lock();
        let Redirections { ask, moved, try_again } = told;
        let keys = count(*keys, "key");
        format!(
            "{slots} of {picked} slots moved with {keys}, redirections: ASK {ask}×, TRYAGAIN {try_again}×, MOVED {moved}×"
        )
    }
}

#[async_trait::async_trait]
impl Fault for MigrateSlotsFault {
    fn kind(&self) -> &'static str {
        MigrateSlots::NAME
    }

    fn detail(&self) -> String {
        format!("{} of one primary's slots, {} each", self.spec.share, self.spec.delay)
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let slots = self.moving.slots()?;
        let way = slots.way().await?;
        let left = self.pick(slots.used(way, self.context.lab.prefix()).await?);
        let before = slots.redirections(way).await?;
        let (picked, first) = (left.len() as u64, left.front().copied());
        *self.moving.state.lock() = State { way: Some(way), left, picked, before, ..State::default() };
        let Some(first) = first else { return Ok(()) };
        slots.open(first, way).await?;
        // Spread evenly over the fault's duration; a slot that takes longer than its part delays the next one.
        let part = self.lasting / u32::try_from(picked).unwrap_or(u32::MAX);
        self.steps.start(self.moving.clone(), part.saturating_sub(self.spec.delay.0), |moving| async move {
            moving.step().await;
        });
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.steps.stop().await;
        // Only an interrupted slot can still be half-way now.
        self.moving.slots()?.settle().await?;
        Ok(())
    }

    async fn impact(&self, _within: Duration) -> Impact {
        if let Err(error) = self.moving.look().await {
            return Impact { bit: false, evidence: format!("the servers could not be asked: {error}") };
        }
        let (harm, is_empty) = {
            let state = self.moving.state.lock();
            (state.keys > 0 && state.told.total() > 0, state.picked == 0)
        };
        let evidence = match is_empty {
            true => "no slot of the first primary held a session of the drill".to_owned(),
            false => self.moving.words(),
        };
        self.context.path.impact(harm, evidence)
    }

    fn damage(&self) -> Option<String> {
        Some(self.moving.words())
    }
}

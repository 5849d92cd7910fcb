//! A cluster: one [`Link`] per primary, and the layout that says which of them a key belongs to.
//!
//! Every promise of a link holds here too, since each call goes over one: its deadline, that nothing with an unknown
//! outcome is resent, and that what was sent over a replaced connection never takes effect later. Beyond that, a call
//! is resent only if the node refused it, certainly without effect: to the node that a `MOVED` or an `ASK` names, or
//! after a pause if the slot is moving (`TRYAGAIN`). If a node cannot be reached, the call fails at once and the layout
//! is requested again.
//!
//! The layout is requested at the start, whenever something hints at a change, as long as a primary cannot be reached,
//! and at intervals; paced like the attempts of a link.

mod layout;
mod map;
pub(crate) mod slot;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rand::seq::SliceRandom;
use redis::Value;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::address::Address;
use super::connector::{Connector, Place};
use super::dial::Dialer;
use super::failure::Hint;
use super::link::{Counts, Link, Pace};
use super::request::Request;
use super::retry::{Backoff, RetryProfile};
use crate::clock::from_now;
use crate::error::StoreError;
use crate::outage::OutageLog;
use crate::planted;
use layout::View;
use map::{Map, Node};

/// How often a layout that nothing has called into doubt is requested.
const INTERVAL: Duration = Duration::from_secs(15);
/// Nodes asked at once.
const ASKED: usize = 3;
/// Redirections followed without a pause.
const SWIFT_HOPS: usize = 4;
/// Pauses while a slot is moving, which takes longer the more keys it has.
const MOVING: RetryProfile = RetryProfile::doubling(Duration::from_millis(5), Duration::from_millis(200));

/// Settings for opening the links of a cluster.
pub(super) struct ClusterConfig {
    pub(super) dialer: Dialer,
    pub(super) seeds: Vec<Address>,
    pub(super) pace: Pace,
    pub(super) connect_timeout: Duration,
    /// How long calls wait for the first layout, and for the first connection to a node.
    pub(super) first_wait: Duration,
    pub(super) counts: Arc<Counts>,
    pub(super) outages: Arc<OutageLog>,
}

pub(super) struct Cluster {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

struct Shared {
    config: ClusterConfig,
    runtime: Handle,
    state: RwLock<State>,
    /// Notified at every change of the state.
    changed: Notify,
    /// Notified when the layout is in doubt.
    doubted: Notify,
}

struct State {
    map: Arc<Map>,
    /// Why there is no layout, and until when calls wait for the first one.
    reason: Arc<str>,
    wait_until: Instant,
    /// Set once the search for a layout has ended after this many attempts.
    gave_up: Option<u32>,
}

impl Cluster {
    pub(super) fn start(config: ClusterConfig, runtime: &Handle) -> Self {
        let state = State {
            map: Arc::new(Map::empty()),
            reason: "the cluster's layout is not known yet".into(),
            wait_until: from_now(config.first_wait),
            gave_up: None,
        };
        let shared = Arc::new(Shared {
            config,
            runtime: runtime.clone(),
            state: RwLock::new(state),
            changed: Notify::new(),
            doubted: Notify::new(),
        });
        let keeper = runtime.spawn(planted::carried(keep_layout(Arc::clone(&shared))));
        Self { shared, keeper }
    }

    /// Carries out a request that names a key, by `deadline`.
    pub(super) async fn call(
        &self,
        request: &Request,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Value, StoreError> {
        let slot = slot::of(request.key());
        let mut pauses = Backoff::new(MOVING, &self.shared.config.pace.randomness);
        let mut hops = 0;
        let mut asking = None;
        loop {
            let node = match &asking {
                Some(address) => self.shared.node(address),
                None => self.owner(slot, deadline).await?,
            };
            let failure = match node.link.call(request, deadline, limit, asking.is_some()).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            asking = match failure.hint {
                Hint::Moved(to) => {
                    self.shared.learn(slot, &node.beside(&to));
                    None
                }
                Hint::Ask(to) => Some(node.beside(&to)),
                Hint::Later => None,
                Hint::Doubt => {
                    self.shared.doubted.notify_one();
                    return Err(failure.error);
                }
                Hint::Nothing => return Err(failure.error),
            };
            hops += 1;
            if hops > SWIFT_HOPS || matches!(failure.error, StoreError::Refused { ref code, .. } if code == "TRYAGAIN")
            {
                let pause = pauses.next().unwrap_or_default();
                if from_now(pause) >= deadline {
                    return Err(failure.error);
                }
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Every primary, by its address; fails if they are not known.
    pub(super) async fn primaries(&self, deadline: Instant) -> Result<Vec<(String, Arc<Link>)>, StoreError> {
        let map = self.shared.known(deadline).await?;
        Ok(map.nodes.iter().map(|node| (node.address.to_string(), Arc::clone(&node.link))).collect())
    }

    /// How many primaries there are, and which of them leads a key.
    pub(super) async fn leaders(&self, deadline: Instant) -> Result<Leaders, StoreError> {
        self.shared.known(deadline).await.map(Leaders)
    }

    async fn owner(&self, slot: u16, deadline: Instant) -> Result<Arc<Node>, StoreError> {
        let map = self.shared.known(deadline).await?;
        map.owner(slot).cloned().ok_or_else(|| {
            self.shared.doubted.notify_one();
            StoreError::Unavailable { reason: "no node of the cluster serves the session's slot".to_owned() }
        })
    }

    /// Waits, without limit, until there is a connection to every primary.
    pub(super) async fn connected(&self) {
        loop {
            let changed = self.shared.changed.notified();
            let map = self.shared.map();
            let all = async {
                for node in &map.nodes {
                    node.link.connected().await;
                }
            };
            tokio::select! {
                () = all, if !map.nodes.is_empty() => return,
                () = changed => {}
            }
        }
    }

    /// Why there is no connection to one of the primaries.
    pub(super) fn why_down(&self) -> Option<String> {
        let map = self.shared.map();
        if map.nodes.is_empty() {
            return Some(self.shared.state.read().reason.to_string());
        }
        map.nodes.iter().find_map(|node| node.link.reason())
    }

    /// Whether there is a connection to any primary, so that its sessions are available.
    pub(super) fn is_up(&self) -> bool {
        self.shared.map().nodes.iter().any(|node| node.link.is_up())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// A layout, for choosing keys.
pub(super) struct Leaders(Arc<Map>);

impl Leaders {
    pub(super) fn count(&self) -> usize {
        self.0.nodes.len()
    }

    /// A number that identifies this key's primary.
    pub(super) fn of(&self, key: &[u8]) -> Option<usize> {
        let owner = self.0.owner(slot::of(key))?;
        self.0.nodes.iter().position(|node| Arc::ptr_eq(node, owner))
    }
}

impl Shared {
    fn map(&self) -> Arc<Map> {
        Arc::clone(&self.state.read().map)
    }

    /// Whether there is a connection to every primary.
    fn is_whole(&self) -> bool {
        self.map().nodes.iter().all(|node| node.link.is_up())
    }

    /// The map; waits for the first one no longer than calls may.
    async fn known(&self, deadline: Instant) -> Result<Arc<Map>, StoreError> {
        loop {
            let changed = self.changed.notified();
            let wait_until = {
                let state = self.state.read();
                if !state.map.nodes.is_empty() {
                    return Ok(Arc::clone(&state.map));
                }
                if let Some(attempts) = state.gave_up {
                    return Err(StoreError::GaveUp { attempts });
                }
                let wait_until = state.wait_until.min(deadline);
                if Instant::now() >= wait_until {
                    return Err(StoreError::Unavailable { reason: state.reason.to_string() });
                }
                wait_until
            };
            // Notified or out of time: check again.
            let _ = tokio::time::timeout_at(wait_until, changed).await;
        }
    }

    /// The node at an address; it may lead nothing.
    fn node(&self, address: &Address) -> Arc<Node> {
        if let Some(node) = self.map().node(address) {
            return Arc::clone(node);
        }
        let mut state = self.state.write();
        if let Some(node) = state.map.node(address) {
            return Arc::clone(node);
        }
        let guest = self.connect(address);
        state.map = Arc::new(state.map.with_guest(&guest));
        guest
    }

    fn connect(&self, address: &Address) -> Arc<Node> {
        let config = &self.config;
        let connector = Connector::new(config.dialer.clone(), Place::At(address.clone()), config.connect_timeout);
        let (counts, witness) = (Arc::clone(&config.counts), config.outages.witness());
        let link = Link::start(connector, config.pace.clone(), config.first_wait, counts, witness, &self.runtime);
        Arc::new(Node { address: address.clone(), link: Arc::new(link) })
    }

    /// Records which node leads a slot now, as another node has reported.
    fn learn(&self, slot: u16, to: &Address) {
        let mut state = self.state.write();
        if state.map.owner(slot).is_none_or(|node| node.address != *to) {
            state.map = Arc::new(state.map.moved(slot, to, |address| self.connect(address)));
            drop(state);
            self.changed.notify_waiters();
        }
        self.doubted.notify_one();
    }

    /// Adopts a view; returns whether it brings anything new.
    fn adopt(&self, view: &View) -> bool {
        let mut state = self.state.write();
        let map = Map::of(&view.ranges, &state.map, |address| self.connect(address));
        if map.same_as(&state.map) {
            return false;
        }
        // A primary is gone, and its successor may lack what it acknowledged.
        if state.map.nodes.iter().any(|node| map.node(&node.address).is_none()) {
            self.config.dialer.news().another_boot();
        }
        state.map = Arc::new(map);
        drop(state);
        self.changed.notify_waiters();
        true
    }

    fn unknown(&self, reason: String) {
        let mut state = self.state.write();
        state.reason = reason.into();
        state.wait_until = Instant::now();
        drop(state);
        self.changed.notify_waiters();
    }

    /// Gives up: no layout was ever found, and the retry profile allows no further attempt.
    fn give_up(&self, attempts: u32) {
        tracing::error!(attempts, "no layout of the Redis cluster: given up, as the retry profile asks");
        self.state.write().gave_up = Some(attempts);
        self.changed.notify_waiters();
    }

    /// Asks some of the primaries over their links; if none has a sound view, asks the seeds and the replicas.
    async fn view(&self) -> Result<View, String> {
        let limit = self.config.connect_timeout;
        let map = self.map();
        let mut nodes = map.nodes.clone();
        nodes.shuffle(&mut rand::rng());
        let mut asked = JoinSet::new();
        for node in nodes.into_iter().filter(|node| node.link.is_up()).take(ASKED) {
            asked.spawn(async move {
                let (wire, _) = node.link.connection(Instant::now()).await.map_err(|error| error.to_string())?;
                layout::ask(&wire, &node.address, limit).await
            });
        }
        match layout::first_sound(asked).await {
            Ok(view) if view.sound => return Ok(view),
            _ => {}
        }
        let mut asked = JoinSet::new();
        for address in self.config.seeds.iter().chain(&map.replicas) {
            let (dialer, address) = (self.config.dialer.clone(), address.clone());
            asked.spawn(async move {
                let dialled = tokio::time::timeout(limit, dialer.dial(&address, || {})).await;
                let wire = dialled.map_err(|_| format!("no connection within {limit:?}"))??;
                layout::ask(&wire, &address, limit).await
            });
        }
        layout::first_sound(asked).await
    }
}

async fn keep_layout(shared: Arc<Shared>) {
    let retry = shared.config.pace.retry;
    let witness = shared.config.outages.witness();
    let mut backoff = Backoff::new(retry, &shared.config.pace.randomness);
    loop {
        let view = shared.view().await;
        let known = match view {
            Ok(view) => {
                // Requesting the layout again is no failure: it is never given up, only paced.
                if shared.adopt(&view) {
                    backoff = Backoff::new(retry, &shared.config.pace.randomness);
                }
                true
            }
            Err(reason) => {
                witness.away("the Redis cluster does not tell its layout; asking on", &reason);
                shared.unknown(reason);
                false
            }
        };
        match backoff.next() {
            Some(pause) => tokio::time::sleep(pause).await,
            None if known || !shared.map().nodes.is_empty() => tokio::time::sleep(retry.max).await,
            None => return shared.give_up(backoff.failures()),
        }
        // While a primary is away another may take over, and there may be no call to notice it: a fallback waits for
        // the connection.
        if !known || !shared.is_whole() || doubted_within(&shared, retry.max).await {
            continue;
        }
        // The layout has lasted a while. From now on a lost primary's missing connection is no outage.
        if shared.is_whole() {
            witness.settled("the Redis cluster is whole again");
        }
        if !doubted_within(&shared, INTERVAL.saturating_sub(retry.max)).await {
            backoff = Backoff::new(retry, &shared.config.pace.randomness);
        }
    }
}

async fn doubted_within(shared: &Shared, time: Duration) -> bool {
    tokio::time::timeout(time, shared.doubted.notified()).await.is_ok()
}

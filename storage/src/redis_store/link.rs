//! The one connection to a server, and its keeper.
//!
//! A multiplexed connection never recovers by itself, so a keeper task on the store's runtime replaces it: one attempt
//! at a time, for ever, with capped and jittered exponential backoff. Nothing is queued without a connection: a call
//! waits at most a short grace, and only for the first attempt after a break (most breaks are repaired within a
//! millisecond); then it fails, certainly without effect. A connection on which a call timed out is replaced too: it
//! may be half open, and every later call would waste its whole deadline on it. Before any call uses the new
//! connection, the server closes the old one (see `connector`). So calls that timed out there can no longer take
//! effect, and calls still in flight there fail as lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use redis::Value;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::connector::Connector;
use super::dial::Wire;
use super::failure::{self, Failure, Hint, Verdict};
use super::news::News;
use super::request::Request;
use super::retry::{Backoff, RetryProfile};
use crate::clock::from_now;
use crate::error::StoreError;
use crate::network::Randomness;
use crate::outage::Witness;
use crate::planted;

const LOST: &str = "the connection was lost";
const AWAY: &str = "no connection to Redis; reconnecting";

/// The number of a connection, counted from 1. Complaints about a replaced connection are ignored.
pub(super) type Generation = u64;

/// How reconnecting is paced.
#[derive(Clone)]
pub(crate) struct Pace {
    /// Pauses between attempts, and when to give up.
    pub(crate) retry: RetryProfile,
    /// How long a call may wait for a connection that was just lost.
    pub(crate) grace: Duration,
    /// The source of jitter.
    pub(crate) randomness: Randomness,
}

/// Connections so far, over all links of a store.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) attempts: AtomicU64,
    /// Put into use.
    pub(super) opened: AtomicU64,
    /// Lost again.
    pub(super) lost: AtomicU64,
}

pub(super) struct Link {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

struct Shared {
    state: RwLock<State>,
    /// Notified at every change of the state.
    changed: Notify,
    news: Arc<News>,
    counts: Arc<Counts>,
    /// The last connection that reported its end, which can happen before it is put into use.
    ended: AtomicU64,
    grace: Duration,
    witness: Witness,
}

enum State {
    Up { wire: Wire, generation: Generation },
    Down { reason: Arc<str>, wait_until: Instant },
    GaveUp { attempts: u32 },
}

impl Link {
    /// Starts the keeper on `runtime`; the first attempt to connect begins at once, and calls wait up to `first_wait`
    /// for it. All links of a store share `counts` and the log that `witness` writes to.
    pub(super) fn start(
        connector: Connector,
        pace: Pace,
        first_wait: Duration,
        counts: Arc<Counts>,
        witness: Witness,
        runtime: &Handle,
    ) -> Self {
        let shared = Arc::new(Shared {
            state: RwLock::new(State::Down { reason: "not connected yet".into(), wait_until: from_now(first_wait) }),
            changed: Notify::new(),
            news: connector.news(),
            counts,
            ended: AtomicU64::new(0),
            grace: pace.grace,
            witness,
        });
        let keeper = runtime.spawn(planted::carried(keep_connected(Arc::clone(&shared), connector, pace)));
        Self { shared, keeper }
    }

    /// The connection; waits for one at most the grace, and never beyond `deadline`.
    pub(super) async fn connection(&self, deadline: Instant) -> Result<(Wire, Generation), StoreError> {
        loop {
            let changed = self.shared.changed.notified();
            let wait_until = match &*self.shared.state.read() {
                State::Up { wire, generation } => return Ok((wire.clone(), *generation)),
                State::Down { reason, wait_until } if Instant::now() >= *wait_until.min(&deadline) => {
                    return Err(StoreError::Unavailable { reason: reason.to_string() });
                }
                State::Down { wait_until, .. } => *wait_until.min(&deadline),
                State::GaveUp { attempts } => return Err(StoreError::GaveUp { attempts: *attempts }),
            };
            // Notified or out of time: check again.
            let _ = tokio::time::timeout_at(wait_until, changed).await;
        }
    }

    /// Waits, without limit, until there is a connection.
    pub(super) async fn connected(&self) {
        loop {
            let changed = self.shared.changed.notified();
            if self.is_up() {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(*self.shared.state.read(), State::Up { .. })
    }

    /// Carries out a request by `deadline`, which is `limit` after the call began. `asking`: see [`Request::send`].
    pub(super) async fn call(
        &self,
        request: &Request,
        deadline: Instant,
        limit: Duration,
        asking: bool,
    ) -> Result<Value, Failure> {
        let unreached = |error| Failure { error, hint: Hint::Doubt };
        let (mut wire, generation) = self.connection(deadline).await.map_err(unreached)?;
        match tokio::time::timeout_at(deadline, request.send(&mut wire.connection, asking)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let hint = failure::hint(&error);
                let (error, verdict) = failure::judge(&error);
                if verdict == Verdict::Replace {
                    self.shared.take_down(generation, &error.to_string());
                }
                Err(Failure { error, hint })
            }
            Err(_) => {
                if !planted::seam!(timeout_keeps_connection) {
                    self.shared.take_down(generation, "a call was not answered in time");
                }
                Err(unreached(StoreError::Timeout { deadline: limit }))
            }
        }
    }

    /// Why there is no connection, without addresses or credentials; `None` if there is one.
    pub(super) fn reason(&self) -> Option<String> {
        Some(self.shared.reason().to_string()).filter(|reason| !reason.is_empty())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
        self.shared.witness.leave();
    }
}

impl Shared {
    fn take_down(&self, generation: Generation, reason: &str) {
        let mut state = self.state.write();
        if !matches!(&*state, State::Up { generation: current, .. } if *current == generation) {
            return;
        }
        *state = State::Down { reason: reason.into(), wait_until: from_now(self.grace) };
        drop(state);
        self.counts.lost.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    /// An attempt has failed: callers do not wait for the next one.
    fn still_down(&self, why: &str) {
        *self.state.write() = State::Down { reason: why.into(), wait_until: Instant::now() };
        self.changed.notify_waiters();
    }

    /// Makes no further attempt.
    fn give_up(&self, attempts: u32) {
        *self.state.write() = State::GaveUp { attempts };
        self.changed.notify_waiters();
    }

    fn bring_up(&self, wire: Wire, generation: Generation) {
        *self.state.write() = State::Up { wire, generation };
        self.counts.opened.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_waiters();
        if self.ended.load(Ordering::SeqCst) >= generation {
            self.take_down(generation, LOST);
        }
    }

    fn has_ended(&self, generation: Generation) {
        self.ended.fetch_max(generation, Ordering::SeqCst);
        self.take_down(generation, LOST);
    }

    /// Why there is no connection; empty if there is one.
    fn reason(&self) -> Arc<str> {
        match &*self.state.read() {
            State::Down { reason, .. } => Arc::clone(reason),
            State::Up { .. } => "".into(),
            State::GaveUp { attempts } => StoreError::GaveUp { attempts: *attempts }.to_string().into(),
        }
    }

    async fn taken_down(&self) {
        loop {
            let changed = self.changed.notified();
            if matches!(*self.state.read(), State::Down { .. }) {
                return;
            }
            changed.await;
        }
    }
}

async fn keep_connected(shared: Arc<Shared>, connector: Connector, pace: Pace) {
    let mut backoff = Backoff::new(pace.retry, &pace.randomness);
    let mut previous = None;
    // The previous connection's server process; `Some(None)` if the server does not say.
    let mut boot: Option<Option<String>> = None;
    loop {
        let generation = shared.counts.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        let ended = {
            let shared = Arc::downgrade(&shared);
            move || {
                if let Some(shared) = shared.upgrade() {
                    shared.has_ended(generation);
                }
            }
        };
        match connector.connect(previous.as_ref(), ended).await {
            Ok(connected) => {
                previous = connected.peer;
                // A server that does not say counts as another process.
                if boot.is_some_and(|boot| boot != connected.boot || boot.is_none()) {
                    shared.news.another_boot();
                }
                boot = Some(connected.boot);
                shared.news.another_connection();
                shared.bring_up(connected.wire, generation);
                backoff.connected();
                // A server may accept connections only to drop them. To hammer neither it nor the log, a connection
                // counts only once it has lasted a while.
                if tokio::time::timeout(pace.retry.max, shared.taken_down()).await.is_err() {
                    shared.witness.back("connected to Redis again", "");
                    backoff = Backoff::new(pace.retry, &pace.randomness);
                    shared.taken_down().await;
                    shared.witness.away(AWAY, &shared.reason());
                    continue;
                }
                shared.witness.away(AWAY, &shared.reason());
            }
            Err(reason) => {
                shared.witness.away(AWAY, &reason);
                shared.still_down(&reason);
            }
        }
        let Some(pause) = backoff.next() else {
            let attempts = backoff.failures();
            tracing::error!(
                attempts,
                "no connection to Redis: given up, as the retry profile asks; start again to retry"
            );
            return shared.give_up(attempts);
        };
        let pause = if planted::seam!(reconnects_without_pause) { Duration::from_millis(1) } else { pause };
        tokio::time::sleep(pause).await;
    }
}
